"""The loop does what a person would write by hand, and stops and goes on anywhere with the same bits."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
import torch
from engine_parts import CPU, loop, module, network, problem
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ft.core.data.order import permutation
from ft.core.engine.events import EpochEnded, Event, Finished, Logged, Started, Stepped, Validated
from ft.core.engine.guard import Guard
from ft.core.engine.loop import Loop
from ft.core.errors import DivergedError


def events(it: Loop, kind: type[Event]) -> list[Any]:
    return [event for event in it.run() if isinstance(event, kind)]


def bits(it: Loop) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in it.network.module.state_dict().items()}


def test_gives_the_bits_of_a_loop_written_by_hand() -> None:
    ours = loop(epochs=3, validated=False)
    for _ in ours.run():
        pass

    net, (points, classes) = module(0), problem(50)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2, weight_decay=1e-3, fused=True)
    for epoch in range(3):
        for rows in permutation(7, epoch, 50).split(8):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(points[rows]), classes[rows], reduction="sum").div(len(rows)).backward()
            optimizer.step()

    assert bits(ours) == {name: value.numpy().tobytes() for name, value in net.state_dict().items()}


ELABORATE: dict[str, Any] = {
    "dropout": 0.3,
    "optimizer": {"sgd": {"momentum": 0.9}},
    "schedule": "cosine",
    "warmup_steps": 4,
    "ema": 0.9,
    "accumulate": 2,
    "clip_norm": 0.5,
    "epochs": 4,
}


@pytest.mark.parametrize("stop_after", range(1, 31, 3))
def test_stopping_anywhere_and_going_on_gives_the_same_bits(stop_after: int) -> None:
    whole = loop(**ELABORATE)
    expected = [str(event) for event in whole.run() if isinstance(event, Validated | Finished)]

    first = loop(**ELABORATE)
    seen = []
    for number, event in enumerate(first.run()):
        seen += [str(event)] if isinstance(event, Validated | Finished) else []
        if number == stop_after:
            break
    saved = io.BytesIO()
    torch.save(first.state_dict(), saved)
    saved.seek(0)

    torch.manual_seed(12345)  # whatever the new process drew before
    second = loop(**{**ELABORATE, "seed": 5})
    second.load_state_dict(torch.load(saved, weights_only=True))
    seen += [str(event) for event in second.run() if isinstance(event, Validated | Finished)]

    assert bits(second) == bits(whole)
    assert seen == expected
    assert whole.ema is not None
    assert second.ema is not None
    for ours, theirs in zip(second.ema.module.parameters(), whole.ema.module.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_loss_of_an_epoch_is_the_mean_over_its_examples_even_after_a_stop() -> None:
    whole = [event.train_loss for event in events(loop(), EpochEnded)]
    first = loop()
    for event in first.run():
        if isinstance(event, Stepped) and event.step == 3:
            break
    second = loop(seed=3)
    second.load_state_dict(first.state_dict())
    assert [event.train_loss for event in events(second, EpochEnded)] == whole


def test_an_epoch_has_every_batch_and_the_short_last_one() -> None:
    steps = events(loop(epochs=1), Stepped)
    assert [step.examples for step in steps] == [8, 8, 8, 8, 8, 8, 2]


def test_accumulation_takes_what_is_left_at_the_end_of_an_epoch() -> None:
    steps = events(loop(epochs=1, accumulate=3), Stepped)
    assert [step.examples for step in steps] == [24, 24, 2]


def test_max_steps_ends_inside_an_epoch_and_validates_there() -> None:
    seen = list(loop(max_steps=10).run())
    assert [event.step for event in seen if isinstance(event, Validated)] == [7, 10]
    end = seen[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.step) == ("max_steps", 10)


def test_validates_every_so_many_steps_across_epochs() -> None:
    assert [event.step for event in events(loop(validate_every_steps=5), Validated)] == [5, 10, 15, 20, 21]


def test_validates_every_other_epoch_and_at_the_end() -> None:
    assert [event.step for event in events(loop(validate_every_epochs=2), Validated)] == [14, 21]


def test_a_total_that_max_steps_does_not_reach_is_the_epochs() -> None:
    [started] = events(loop(max_steps=1000), Started)
    assert (started.total_steps, started.steps_per_epoch) == (21, 7)


def test_patience_ends_the_run_after_so_many_validations_without_a_better_one() -> None:
    it = loop(epochs=50, patience=2, lr=1e-12, norm=False)  # nothing moves, so the first validation stays the best
    end = list(it.run())[-1]
    assert isinstance(end, Finished)
    assert (end.reason, end.epoch, end.best_epoch) == ("patience", 3, 1)


def test_ties_go_to_the_earlier_epoch() -> None:
    validated = events(loop(lr=1e-12, norm=False), Validated)
    assert [event.is_best for event in validated] == [True, False, False]


def test_a_loss_that_is_not_finite_ends_the_run_and_says_where() -> None:
    it = loop(optimizer="sgd", lr=1e30)
    with pytest.raises(DivergedError, match=r"infinite at step 2, from .* in epoch 1, at a learning rate of 1e\+30"):
        list(it.run())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_validation_that_is_not_finite_ends_the_run_before_anyone_saves_it(value: float) -> None:
    it = loop(epochs=2, monitor="accuracy")
    broken = module()
    with torch.no_grad():
        broken[0].bias.fill_(value)
    it.shipped = network(broken)  # what is validated, as with averaged weights
    with pytest.raises(DivergedError, match="validation at step 7"):
        assert not any(isinstance(event, Validated | EpochEnded) for event in it.run())


def test_an_update_that_breaks_the_weights_in_the_last_step_of_an_epoch_is_seen_before_anyone_saves_it() -> None:
    it = loop(epochs=1, validated=False, batch_size=50, optimizer="sgd", lr=1e39)  # one step, whose loss is still fine
    seen = []
    with pytest.raises(DivergedError, match="the weights became NaN or infinite by step 1"):
        seen.extend(it.run())
    assert not any(isinstance(event, EpochEnded | Finished) for event in seen)


class Syncs(TorchDispatchMode):
    """Counts how often the host asks the device for a number; on a GPU each one waits for all that was queued."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_host_waits_for_the_device_only_to_log_and_to_end_an_epoch(optimizer: str) -> None:
    it = loop(epochs=2, examples=320, validated=False, optimizer=optimizer, clip_norm=1.0, ema=0.9, log_every_steps=10)
    it.guard = Guard(it.optimizer, it.precision, CPU, masked=True)  # as on a GPU
    with Syncs() as syncs:
        seen = list(it.run())
    counts = [sum(isinstance(event, kind) for event in seen) for kind in (Stepped, Logged, EpochEnded)]
    assert counts == [80, 8, 2]
    logs, epochs = 3 * 8, 2 * 2  # the flag, the loss and the norm; the loss and the weights
    assert syncs.count == logs + epochs + 1  # and the weights at the end


def test_logs_every_interval_and_at_the_end_of_an_epoch() -> None:
    assert [event.step for event in events(loop(epochs=1), Logged)] == [3, 6, 7]
