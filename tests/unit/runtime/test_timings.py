"""Phases add up to the whole, and cost nothing where nobody measures."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ft.core.runtime.timings import OTHER, measured, measuring, phase, watched


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still; add seconds to its only entry."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_a_phase_within_another_counts_as_itself_alone(clock: list[float]) -> None:
    with measuring() as timings:
        before = timings.so_far()
        with phase("outer"):
            clock[0] += 1
            with phase("inner"):
                clock[0] += 2
            clock[0] += 4
        clock[0] += 8
        with phase("inner"):
            clock[0] += 16
        found = measured()
    assert found is not None
    assert (found["outer"], found["inner"], found[OTHER]) == (5, 18, 8)
    assert found["total"] - before["total"] == 31
    assert sum(found.values()) == pytest.approx(2 * found["total"])


def test_making_an_item_is_of_its_phase_and_using_it_is_not(clock: list[float]) -> None:
    def made() -> list[str]:
        with measuring() as timings, phase("using"):
            for item in watched(slow(), str):
                clock[0] += 1
                items.append(item)
            found = timings.so_far()
        assert (found["a"], found["b"], found["using"]) == (20, 10, 3)
        return items

    def slow() -> Iterator[str]:
        for item in ("a", "b", "a"):
            clock[0] += 10
            yield item

    items: list[str] = []
    assert made() == ["a", "b", "a"]


def fail(clock: list[float]) -> None:
    with phase("failing"):
        clock[0] += 1
        raise ValueError("no")


def test_a_phase_that_fails_ends(clock: list[float]) -> None:
    with measuring():
        with pytest.raises(ValueError, match="no"):
            fail(clock)
        clock[0] += 2
        found = measured()
    assert found is not None
    assert (found["failing"], found[OTHER]) == (1, 2)


def test_nobody_measures_by_default() -> None:
    with phase("data"):
        assert measured() is None
    assert list(watched(iter([1, 2]), str)) == [1, 2]


def test_what_the_process_did_before_is_the_start() -> None:
    with measuring() as timings:
        found = timings.so_far()
    assert 0 < found["start"] < 24 * 3600
