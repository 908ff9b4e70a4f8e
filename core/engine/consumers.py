"""Those who listen to the loop and write: `metrics.jsonl` and the checkpoints. Each is called with every event."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ft.core.engine.events import EpochEnded, Event, Finished, Logged, Stepped, Stopped, Unfrozen, Validated
from ft.core.engine.loop import Loop
from ft.core.engine.saving import Saver
from ft.core.engine.state import LoopState
from ft.core.errors import ResourceError


class MetricsFile:
    """Appends one JSON line per logged interval, validation and epoch; each line is whole when it is written.

    A number that JSON has no form for (NaN, Inf) is written as null.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def size(self) -> int:
        """Bytes written so far, of every process that wrote this file."""
        return self._path.stat().st_size if self._path.exists() else 0

    def cut(self, size: int) -> None:
        """Take away what was written after the file had this size, and half a line at its end. Raises ResourceError."""
        try:
            if self._path.exists():
                text = self._path.read_bytes()[:size]
                os.truncate(self._path, text.rfind(b"\n") + 1)
        except OSError as error:
            raise ResourceError(f"cannot write {self._path}: {error.strerror or error}") from error

    def __call__(self, event: Event) -> None:
        """Write the event's line, if it has one. Raises ResourceError when the file cannot be written."""
        row = metrics_row(event)
        if row is None:
            return
        line = json.dumps({key: _finite(value) for key, value in row.items()})
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise ResourceError(f"cannot write {self._path}: {error.strerror or error}") from error


def metrics_row(event: Event) -> dict[str, Any] | None:
    """The event as a flat row; None for events that carry no numbers worth keeping."""
    match event:
        case Logged():
            return {
                "event": "train",
                "step": event.step,
                "epoch": event.epoch,
                "loss": event.loss,
                "lr": event.lr,
                "examples_per_s": round(event.examples_per_s, 1),
            }
        case Unfrozen():
            units, values = list(event.units), event.values
            return {"event": "unfrozen", "step": event.step, "epoch": event.epoch, "units": units, "values": values}
        case Validated():
            return {"event": "validation", "step": event.step, "epoch": event.epoch, **event.metrics}
        case EpochEnded():
            return {
                "event": "epoch",
                "step": event.step,
                "epoch": event.epoch,
                "loss": event.train_loss,
                "seconds": round(event.seconds, 3),
                **({"loss_weights": event.loss_weights} if event.loss_weights is not None else {}),
            }
    return None


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


class CheckpointWriter:
    """Saves `best.pt` when a validation is the best so far, and `last.pt` after every epoch, at the end, when the loop
    was stopped, every so many steps or minutes, and when asked.

    describe: the parts of a checkpoint that do not change while training (experiment, columns, classes, …).
    progress: what going on needs beside the loop's own state. metrics: of the last validation before going on.
    Both hold the weights that ship (the averaged ones with EMA); `last.pt` also holds what going on needs.
    Without any validation there is no better one, so best is last.
    """

    def __init__(
        self,
        saver: Saver,
        loop: Loop,
        describe: dict[str, Any],
        progress: Callable[[], dict[str, Any]] = dict,
        every_steps: int | None = None,
        every_minutes: float | None = None,
        metrics: Mapping[str, float] | None = None,
    ) -> None:
        self._saver, self._loop, self._describe, self._progress = saver, loop, describe, progress
        self._every_steps, self._every_minutes = every_steps, every_minutes
        self._metrics = dict(metrics or {})
        self._best_due = self._asked = False
        self._saved: LoopState | None = None  # the state that was saved last
        self._saved_at = time.monotonic()

    def request(self) -> None:
        """Save at the next step's end. May be called from a signal handler."""
        self._asked = True

    def __call__(self, event: Event) -> None:
        """Save if the event calls for it. Raises ResourceError, perhaps for an earlier event's save; an earlier
        checkpoint is untouched.
        """
        self._saver.check()
        match event:
            case Validated():
                self._metrics = event.metrics
                self._best_due |= event.is_best
                if event.is_best and not self._loop.epoch_is_complete:  # else the epoch's end, next, saves both
                    self._save(event)
            case Stepped() if self._is_due(event.step):
                self._loop.check()
                self._save(event)
            case EpochEnded():
                self._save(event)
            case Stopped() | Finished():
                self._best_due |= isinstance(event, Finished) and event.best_step is None
                if self._best_due or self._saved != self._loop.state:
                    self._save(event)
                self._saver.join()

    def _is_due(self, step: int) -> bool:
        by_steps = self._every_steps is not None and step % self._every_steps == 0
        minutes = (time.monotonic() - self._saved_at) / 60
        return self._asked or by_steps or (self._every_minutes is not None and minutes >= self._every_minutes)

    def _save(self, event: Validated | Stepped | EpochEnded | Stopped | Finished) -> None:
        contents = {
            **self._describe,
            "step": event.step,
            "epoch": event.epoch,
            "metrics": dict(self._metrics),
            "weights": dict(self._loop.shipped.module.state_dict()),
        }
        resume = {"loop": self._loop.state_dict(), "progress": self._progress()}
        self._saver.save(best=contents if self._best_due else None, last={**contents, "resume": resume})
        self._best_due = self._asked = False
        self._saved_at, self._saved = time.monotonic(), replace(self._loop.state)
