"""Unstructured pruning: which weights become zero, and that they stay so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ft.core.adapt.zeros import HeldZeros, prunable, zero_smallest
from ft.core.errors import ConfigError


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 5))


def test_the_smallest_of_all_weights_together_become_zero_and_nothing_else_moves() -> None:
    module = network()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    names = prunable(module)
    assert names == ("0.weight", "3.weight")
    after = zero_smallest(before, names, 0.4)
    flat = np.concatenate([before[name].numpy().ravel() for name in names])
    smallest = np.argsort(np.abs(flat))[: int(0.4 * len(flat))]
    flat[smallest] = 0
    assert np.array_equal(np.concatenate([after[name].numpy().ravel() for name in names]), flat)
    assert all(torch.equal(after[name], before[name]) for name in before if name not in names)


def test_a_tensor_of_two_names_is_pruned_once() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    assert prunable(module) == ("0.weight",)


def test_a_network_without_such_layers_is_refused() -> None:
    module = nn.Sequential(nn.BatchNorm1d(3))
    with pytest.raises(ConfigError, match="nothing to prune"):
        zero_smallest(module.state_dict(), prunable(module), 0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda p: torch.optim.AdamW(p, lr=0.1),
        lambda p: torch.optim.Muon([each for each in p if each.ndim == 2], lr=0.1),  # mixes the values of a matrix
    ],
    ids=["sgd", "adamw", "muon"],
)
def test_zeros_stay_zero_under_every_optimizer_and_the_others_learn(make) -> None:  # type: ignore[no-untyped-def]
    module = network()
    names = prunable(module)
    module.load_state_dict(zero_smallest(module.state_dict(), names, 0.5))
    optimizer = make(list(module.parameters()))
    HeldZeros(optimizer, module, names)
    before = module[3].weight.detach().clone()
    for _ in range(4):
        optimizer.zero_grad()
        module(torch.randn(8, 1, 6, 6)).square().sum().backward()
        optimizer.step()
    after = module[3].weight.detach()
    assert torch.equal(after == 0, before == 0)
    assert (after[before != 0] != before[before != 0]).all()
