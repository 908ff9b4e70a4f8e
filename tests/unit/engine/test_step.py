"""One optimizer step: accumulation equals the large batch; clipping is torch's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from engine_parts import CPU, head, loader, network, problem
from torch import Tensor, nn

from ft.core.engine.guard import Guard
from ft.core.engine.step import train_step
from ft.core.runtime.precision import Precision


def step(net: nn.Module, heads: Any, batches: Any, optimizer: torch.optim.Optimizer, **options: Any) -> Tensor:
    """One step in fp32 on the CPU."""
    precision = Precision("fp32", CPU)
    return train_step(network(net), heads, batches, optimizer, precision, Guard(optimizer, precision, CPU), **options)


def linear(seed: int = 3) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(6, 3).double()


@pytest.mark.parametrize("examples", [32, 27, 25])
@pytest.mark.parametrize("class_weights", [None, {"yes": 5.0}])
def test_micro_batches_give_the_gradient_of_the_large_batch(
    examples: int, class_weights: dict[str, float] | None
) -> None:
    points, classes = problem(examples)
    kind = head(class_weights=class_weights, label_smoothing=0.1)
    gradients = []
    for batch_size in (8, examples):
        net = linear().float()
        batches = list(loader(points, classes, batch_size, shuffle=False).epoch(0))
        step(net, [kind], batches, torch.optim.SGD(net.parameters(), 1.0))
        gradients.append(net.weight.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-7)


def test_the_step_is_torchs_weighted_cross_entropy() -> None:
    points, classes = problem(20)
    net = linear().float()
    twin = linear().float()
    [batch] = loader(points, classes, 20, shuffle=False).epoch(0)
    loss = step(net, [head(class_weights={"yes": 3.0})], [batch], torch.optim.SGD(net.parameters(), 0.5))
    expected = nn.functional.cross_entropy(twin(points), classes, weight=torch.tensor([1.0, 3.0, 1.0]))
    expected.backward()
    torch.optim.SGD(twin.parameters(), 0.5).step()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(net.weight, twin.weight)


def test_clipping_limits_the_norm_of_the_whole_gradient() -> None:
    points, classes = problem(20)
    net = linear().float()
    before = [parameter.clone() for parameter in net.parameters()]
    [batch] = loader(points * 50, classes, 20, shuffle=False).epoch(0)
    optimizer = torch.optim.SGD(net.parameters(), 1.0)
    step(net, [head()], [batch], optimizer, clip_norm=0.25)
    moved = torch.cat([(new - old).flatten() for new, old in zip(net.parameters(), before, strict=True)])
    torch.testing.assert_close(moved.norm(), torch.tensor(0.25), rtol=1e-4, atol=0)
