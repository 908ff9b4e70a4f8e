"""A training step taken apart: how long the next batch, forward, backward and the optimizer take, and all the rest."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Any

import torch

from ft.core.engine.events import Stepped
from ft.core.engine.loop import Loop

DATA, FORWARD, BACKWARD, OPTIMIZER, REST = "next batch", "forward", "backward", "optimizer", "loss and the rest"


def dissect(loop: Loop, steps: int, warm_up: int, device: torch.device) -> dict[str, float]:
    """Seconds of a step by its parts, each the median of `steps` after `warm_up` others. Takes those steps; a `run` of
    the loop from before ends.

    An accelerator is waited for after every part, which it is not in training: there the parts overlap.
    """
    clock = _Clock(device)
    with _watching(loop, clock):
        taken = (event for event in loop.run() if isinstance(event, Stepped))
        for _ in range(warm_up):
            next(taken)
        found: list[dict[str, float]] = []
        for _ in range(steps):
            clock.parts = dict.fromkeys((DATA, FORWARD, BACKWARD, OPTIMIZER), 0.0)
            began = clock.now()
            next(taken)
            whole = clock.now() - began
            found.append({**clock.parts, REST: whole - sum(clock.parts.values())})
    return {name: median(each[name] for each in found) for name in found[0]}


def peak_memory(device: torch.device) -> int:
    """Most bytes so far: of a CUDA device's memory that torch took, else of this process (0 where nothing tells)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource  # not on every system
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


class _Clock:
    """Adds up seconds by part."""

    def __init__(self, device: torch.device) -> None:
        self.parts: dict[str, float] = dict.fromkeys((DATA, FORWARD, BACKWARD, OPTIMIZER), 0.0)
        self._waits = device.type != "cpu"

    def now(self) -> float:
        """Seconds, once the device has done all that was asked of it."""
        if self._waits:
            torch.accelerator.synchronize()
        return time.perf_counter()

    def timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, its time added to the part."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            began = self.now()
            try:
                return call(*args, **kwargs)
            finally:
                self.parts[part] += self.now() - began

        return measured


class _Watched:
    """Stands for another object; some of its methods are timed."""

    def __init__(self, inner: Any, clock: _Clock, parts: Mapping[str, str]) -> None:
        self._inner, self._clock, self._parts = inner, clock, parts

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._clock.timed(self._parts[name], found) if name in self._parts else found

    def __call__(self, *args: Any) -> Any:
        return self._clock.timed(FORWARD, self._inner)(*args)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Any]:
        """A loader's batches, making each of them timed."""
        batches = iter(self._inner.epoch(epoch, start))
        following = self._clock.timed(DATA, lambda: next(batches, None))
        while (batch := following()) is not None:
            yield batch


@contextmanager
def _watching(loop: Loop, clock: _Clock) -> Iterator[None]:
    names = ("loader", "network", "precision", "guard")
    before = {name: getattr(loop, name) for name in names}
    parts = {"precision": {"backward": BACKWARD}, "guard": {"update": OPTIMIZER}}
    try:
        for name in names:
            setattr(loop, name, _Watched(before[name], clock, parts.get(name, {})))
        loop.begin_batches_anew()
        yield
    finally:
        for name in names:
            setattr(loop, name, before[name])
        loop.begin_batches_anew()
