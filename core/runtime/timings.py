"""Where the time of a command goes, for `--timings`: `with phase("data"):` around what is to have a line of its own.

A phase inside another counts as itself alone, so the phases add up to the whole. Without `measuring` around them,
phases cost nothing and tell nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

OTHER = "other"  # what has no phase of its own
T = TypeVar("T")


class Timings:
    """Seconds by phase, in the order in which phases first began. began: by time.perf_counter."""

    def __init__(self, began: float) -> None:
        self._seconds: dict[str, float] = {}
        self._open = [OTHER]
        self._began = self._since = began

    def enter(self, name: str) -> None:
        """From now on time is this phase's, until `leave`."""
        self._charge()
        self._seconds.setdefault(name, 0.0)
        self._open.append(name)

    def leave(self) -> None:
        """Time is again that of the phase around."""
        self._charge()
        self._open.pop()

    def rename(self, name: str) -> None:
        """What has passed since the last `enter`, `leave` or `rename` is of this phase."""
        self._seconds.setdefault(name, 0.0)
        self._open[-1] = name
        self._charge()

    def so_far(self) -> dict[str, float]:
        """Seconds by phase, then "other", then "total"."""
        self._charge()
        phases = {name: seconds for name, seconds in self._seconds.items() if name != OTHER}
        return {**phases, OTHER: self._seconds.get(OTHER, 0.0), "total": self._since - self._began}

    def _charge(self) -> None:
        now = time.perf_counter()
        self._seconds[self._open[-1]] = self._seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now


_CURRENT: ContextVar[Timings | None] = ContextVar("timings", default=None)


@contextmanager
def measuring() -> Iterator[Timings]:
    """Phases inside are measured; what the process did before counts as the phase "start"."""
    timings = Timings(time.perf_counter() - _age_of_process())
    timings.rename("start")
    timings.rename(OTHER)
    token = _CURRENT.set(timings)
    try:
        yield timings
    finally:
        _CURRENT.reset(token)


def measured() -> dict[str, float] | None:
    """Seconds by phase so far; None where nothing is measured."""
    timings = _CURRENT.get()
    return None if timings is None else timings.so_far()


@contextmanager
def phase(name: str) -> Iterator[None]:
    """What happens inside is of this phase."""
    timings = _CURRENT.get()
    if timings is None:
        yield
        return
    timings.enter(name)
    try:
        yield
    finally:
        timings.leave()


def watched(items: Iterator[T], phase_of: Callable[[T], str]) -> Iterator[T]:
    """The same items; making each of them is of its phase, what is done with it is not."""
    timings = _CURRENT.get()
    if timings is None:
        yield from items
        return
    while True:
        timings.enter(OTHER)
        try:
            item = next(items, None)
            if item is None:
                return
            timings.rename(phase_of(item))
        finally:
            timings.leave()
        yield item


def _age_of_process() -> float:
    """Seconds since it was started; where the system does not say, the CPU seconds it has used."""
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, AttributeError, ValueError, IndexError):
        return time.process_time()
