"""Timing contenders in turn: who is asked when, and what is made of the times."""

from __future__ import annotations

from collections import Counter
from statistics import median

import pytest
import torch

from ft.core.runtime import latency
from ft.core.runtime.latency import CALLS, ROUNDS, WARM_UP, race

CPU = torch.device("cpu")


class Clock:
    """Every call of a contender takes what is written for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.asked = 0.0, ""
        monkeypatch.setattr(latency.time, "perf_counter", lambda: self.now)

    def contender(self, name: str, *seconds: float) -> object:
        """Its calls take these seconds, one after the other, over and over."""
        calls = iter(range(10**9))

        def call() -> None:
            self.asked += name
            self.now += seconds[next(calls) % len(seconds)]

        return call


def test_contenders_take_turns_and_each_begins_as_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    race([clock.contender("a", 0.001), clock.contender("b", 0.002)], CPU)  # type: ignore[list-item]
    timed = clock.asked[4 * WARM_UP :]
    blocks = [timed[start : start + CALLS[1]] for start in range(0, len(timed), CALLS[1])]
    assert all(len(set(block)) == 1 for block in blocks)
    assert Counter(block[0] for block in blocks) == {"a": ROUNDS, "b": ROUNDS}
    assert [block[0] for block in blocks[:6]] == list("abbaab")


def test_quantiles_are_of_all_calls_and_the_ratio_of_the_rounds_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    times = [0.001] * 9 + [0.010]
    plain, other = race([clock.contender("a", *times), clock.contender("b", 0.0005)], CPU)  # type: ignore[list-item]
    assert plain.p50_ms == pytest.approx(1000 * median(times))
    assert plain.p95_ms == pytest.approx(10)
    assert (plain.ratio, plain.faster, plain.slower) == (1, False, False)
    assert (other.p50_ms, other.ratio) == (pytest.approx(0.5), pytest.approx(0.5))
    assert other.faster
    assert not other.slower


def test_slow_models_are_called_less_often_but_at_least_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    race([clock.contender("a", 60.0), clock.contender("b", 60.0)], CPU)  # type: ignore[list-item]
    assert Counter(clock.asked) == dict.fromkeys("ab", 2 * WARM_UP + ROUNDS * CALLS[0])
