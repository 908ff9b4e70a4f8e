"""A step's parts are timed where they happen, and the loop is as before afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from engine_parts import CPU, loop

from ft.core.engine.dissect import BACKWARD, DATA, FORWARD, OPTIMIZER, REST, dissect, peak_memory
from ft.core.engine.events import Stepped
from ft.core.engine.loop import Loop

SLEEP = 0.25  # far above what a busy machine makes of the other parts


def slowed(call: Callable[..., Any]) -> Callable[..., Any]:
    def sleeping(*args: Any, **kwargs: Any) -> Any:
        time.sleep(SLEEP)
        return call(*args, **kwargs)

    return sleeping


def slow_batches(each: Loop) -> None:
    epoch = each.loader.epoch
    each.loader.epoch = lambda *args, **options: map(slowed(lambda batch: batch), epoch(*args, **options))  # type: ignore[method-assign]


def slow_forward(each: Loop) -> None:
    each.network.module.forward = slowed(each.network.module.forward)  # type: ignore[method-assign]


def slow_backward(each: Loop) -> None:
    next(each.network.module.parameters()).register_hook(slowed(lambda gradient: gradient))


def slow_optimizer(each: Loop) -> None:
    each.optimizer.register_step_pre_hook(slowed(lambda *_: None))
    each.guard._precision.step = lambda optimizer: optimizer.step()  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("slow", "part"),
    [(slow_batches, DATA), (slow_forward, FORWARD), (slow_backward, BACKWARD), (slow_optimizer, OPTIMIZER)],
)
def test_what_sleeps_is_the_longest_part(slow: Callable[[Loop], None], part: str) -> None:
    each = loop(epochs=100)
    for event in each.run():  # it may be in the middle of an epoch
        if isinstance(event, Stepped):
            break
    slow(each)
    parts = dissect(each, 3, 1, CPU)
    assert list(parts) == [DATA, FORWARD, BACKWARD, OPTIMIZER, REST]
    assert max(parts, key=lambda name: parts[name]) == part
    assert parts[part] >= SLEEP
    assert all(seconds >= 0 for seconds in parts.values())


def test_the_loop_learns_the_same_and_is_as_before() -> None:
    watched, plain = loop(epochs=100), loop(epochs=100)
    own = (watched.loader, watched.network, watched.precision, watched.guard)
    dissect(watched, 4, 2, CPU)
    assert (watched.loader, watched.network, watched.precision, watched.guard) == own
    for event in plain.run():
        if getattr(event, "step", 0) == watched.state.step:
            break
    weights = watched.network.module.state_dict(), plain.network.module.state_dict()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_peak_of_memory_grows_with_what_is_taken() -> None:
    before = peak_memory(CPU)
    block = torch.ones(40_000_000)
    assert peak_memory(CPU) >= max(before, block.nbytes)
