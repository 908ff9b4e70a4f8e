"""No update after a broken gradient: the weights are those of a loop that a person stopped in time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from engine_parts import CPU
from torch import Tensor, nn
from torch.optim import Optimizer

from ft.core.engine.guard import MOST_SKIPS, Guard, total_norm
from ft.core.runtime.precision import Precision

STEPS = 8
OPTIMIZERS: dict[str, Callable[[Any], Optimizer]] = {
    "adamw": lambda weights: torch.optim.AdamW(weights, 0.05, weight_decay=0.1, fused=True),
    "sgd": lambda weights: torch.optim.SGD(weights, 0.05, weight_decay=0.1, fused=True),
    "momentum": lambda weights: torch.optim.SGD(weights, 0.05, momentum=0.9, nesterov=True, fused=True),
}


def linear() -> nn.Linear:
    torch.manual_seed(3)
    return nn.Linear(6, 3)


def data() -> list[Tensor]:
    """The inputs of every step, (8, 6) each."""
    return list(torch.randn(STEPS, 8, 6, generator=torch.Generator().manual_seed(5)))


def backward(net: nn.Linear, optimizer: Optimizer, points: Tensor) -> Tensor:
    optimizer.zero_grad()
    loss = net(points).square().mean()
    loss.backward()
    return loss.detach()


def gradients(net: nn.Linear) -> list[Tensor]:
    return [weight.grad for weight in net.parameters() if weight.grad is not None]


def bits(net: nn.Linear) -> list[bytes]:
    return [weight.detach().numpy().tobytes() for weight in net.parameters()]


def by_hand(kind: str, healthy: int) -> list[bytes]:
    """The weights after so many plain steps."""
    net = linear()
    optimizer = OPTIMIZERS[kind](net.parameters())
    for points in data()[:healthy]:
        backward(net, optimizer, points)
        optimizer.step()
    return bits(net)


def guarded(
    kind: str, masked: bool, broken: int | None, how: Callable[[nn.Linear, Tensor], None]
) -> tuple[nn.Linear, Guard]:
    """All steps through a guard; `how` spoils the gradient or the loss of step `broken`, the others are healthy."""
    net = linear()
    optimizer = OPTIMIZERS[kind](net.parameters())
    guard = Guard(optimizer, Precision("fp32", CPU), CPU, masked=masked)
    guard.begin(0)
    for step, points in enumerate(data(), start=1):
        loss = backward(net, optimizer, points)
        if step == broken:
            how(net, loss)
        guard.update(loss, total_norm(gradients(net)))
    return net, guard


def spoil_one_value(value: float) -> Callable[[nn.Linear, Tensor], None]:
    def how(net: nn.Linear, _: Tensor) -> None:
        gradients(net)[0][1, 2] = value

    return how


def spoil_the_loss(value: float) -> Callable[[nn.Linear, Tensor], None]:
    return lambda _, loss: loss.fill_(value) and None


HOW = {
    "nan in a gradient": spoil_one_value(math.nan),
    "inf in a gradient": spoil_one_value(math.inf),
    "-inf in a gradient": spoil_one_value(-math.inf),
    "nan loss": spoil_the_loss(math.nan),
    "inf loss": spoil_the_loss(-math.inf),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", list(OPTIMIZERS))
@pytest.mark.parametrize("broken", [1, 4, STEPS])
@pytest.mark.parametrize("how", list(HOW))
def test_the_weights_stay_those_of_the_last_healthy_step(kind: str, masked: bool, broken: int, how: str) -> None:
    net, guard = guarded(kind, masked, broken, HOW[how])
    assert bits(net) == by_hand(kind, broken - 1)
    if masked:  # a host that looks at last still learns which step it was
        assert guard.guilty(STEPS) == broken


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", list(OPTIMIZERS))
def test_healthy_steps_are_all_taken_and_nobody_is_guilty(kind: str, masked: bool) -> None:
    net, guard = guarded(kind, masked, None, HOW["nan loss"])
    assert bits(net) == by_hand(kind, STEPS)
    assert guard.guilty(STEPS) is None


def test_where_asking_is_free_the_guilty_step_is_known_at_once() -> None:
    net = linear()
    guard = Guard(OPTIMIZERS["adamw"](net.parameters()), Precision("fp32", CPU), CPU)
    assert guard.is_free
    loss = backward(net, torch.optim.SGD(net.parameters(), 0.1), data()[0])
    answers = []
    for step, norm in [(1, 2.0), (2, math.nan)]:
        guard.update(loss, torch.tensor(norm))
        answers.append(guard.guilty(step))
    assert answers == [None, 2]


@pytest.mark.parametrize("begun", [0, 1, 1000])
def test_the_guilty_step_is_counted_from_where_the_run_goes_on(begun: int) -> None:
    net = linear()
    guard = Guard(OPTIMIZERS["adamw"](net.parameters()), Precision("fp32", CPU), CPU, masked=True)
    loss = backward(net, torch.optim.SGD(net.parameters(), 0.1), data()[0])
    for _ in range(3):  # an earlier `run` of the same loop, whose steps are not counted twice
        guard.update(loss, torch.tensor(1.0))
    guard.begin(begun)
    for norm in [1.0, 1.0, math.nan, 1.0, math.inf, 1.0]:
        guard.update(loss, torch.tensor(norm))
    assert guard.guilty(begun + 6) == begun + 3


SHAPES = [(3, 4), (7,), (), (2, 3, 5)]


def some_gradients(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) * 10**power for power, shape in enumerate(SHAPES)]


@pytest.mark.parametrize("seed", range(3))
def test_the_norm_is_that_of_torch_and_of_float64(seed: int) -> None:
    norm = total_norm(some_gradients(seed))
    exact = math.sqrt(sum(each.double().square().sum().item() for each in some_gradients(seed)))
    torch.testing.assert_close(norm, torch.nn.utils.get_total_norm(some_gradients(seed)))
    assert norm.item() == pytest.approx(exact, rel=1e-6)
    assert norm.shape == ()


@pytest.mark.parametrize("which", range(len(SHAPES)))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_broken_value_in_any_gradient_shows_in_the_norm(which: int, value: float) -> None:
    values = some_gradients(0)
    values[which].view(-1)[-1] = value
    norm = total_norm(values).item()
    assert math.isnan(norm) if math.isnan(value) else norm == math.inf


def test_no_gradient_at_all_has_the_norm_zero() -> None:
    assert total_norm([]).item() == 0.0


def skipping(overflows: list[bool]) -> tuple[Guard, nn.Linear]:
    """fp16 steps, some of whose scaled gradients overflow."""
    net, precision = linear(), Precision("fp16", CPU)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    guard = Guard(optimizer, precision, CPU)
    for overflow in overflows:
        optimizer.zero_grad()
        loss = net(data()[0]).square().mean()
        precision.backward(loss)
        if overflow:
            spoil_one_value(math.inf)(net, loss)
        guard.update(loss.detach(), total_norm(gradients(net)))
    return guard, net


@pytest.mark.fault(12)
@pytest.mark.parametrize(
    ("overflows", "too_often"),
    [
        ([True] * (MOST_SKIPS - 1), False),
        ([True] * MOST_SKIPS, True),
        ([True] * (MOST_SKIPS - 1) + [False] + [True] * (MOST_SKIPS - 1), False),
        ([True] * MOST_SKIPS + [False], True),  # the host looks later than it happened
    ],
)
def test_in_fp16_only_many_skips_in_a_row_are_too_many(overflows: list[bool], too_often: bool) -> None:
    guard, _ = skipping(overflows)
    assert guard.skipped_too_often() is too_often
    assert guard.guilty(len(overflows)) is None


def test_in_fp16_a_step_that_overflowed_is_left_out_and_the_next_is_taken() -> None:
    _, skipped = skipping([True])
    _, taken = skipping([True, False])
    assert bits(skipped) == bits(linear())
    assert bits(taken) != bits(linear())


def test_skips_in_a_row_are_counted_across_a_stop() -> None:
    first, _ = skipping([True] * MOST_SKIPS)
    second, _ = skipping([])
    second.load_state_dict(first.state_dict())
    assert second.skipped_too_often()
