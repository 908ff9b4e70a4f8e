"""Those who listen to the loop and write: `metrics.jsonl` and the checkpoints. Each is called with every event."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ft.core.engine.checkpoint import save_checkpoint
from ft.core.engine.events import EpochEnded, Event, Finished, Logged, Validated
from ft.core.engine.loop import Loop
from ft.core.errors import ResourceError


class MetricsFile:
    """Appends one JSON line per logged interval, validation and epoch; each line is whole when it is written.

    A number that JSON has no form for (NaN, Inf) is written as null.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

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
    """Writes `best.pt` when a validation is the best so far, `last.pt` after every epoch and at the end.

    describe: the parts of a checkpoint that do not change while training (experiment, columns, classes, …).
    Both hold the weights that ship (the averaged ones with EMA); `last.pt` also holds what going on needs.
    Without any validation there is no better one, so best is last.
    """

    def __init__(self, best: Path, last: Path, loop: Loop, describe: dict[str, Any]) -> None:
        self._best, self._last, self._loop, self._describe = best, last, loop, describe
        self._metrics: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Save if the event calls for it. Raises ResourceError; an earlier checkpoint is untouched."""
        match event:
            case Validated():
                self._metrics = event.metrics
                if event.is_best:
                    save_checkpoint(self._best, self._contents(event.step, event.epoch))
            case EpochEnded():
                self._save_last(event.step, event.epoch)
            case Finished():
                if self._loop.state.batch:  # stopped inside an epoch
                    self._save_last(event.step, event.epoch)
                if not self._best.exists():
                    save_checkpoint(self._best, self._contents(event.step, event.epoch))

    def _save_last(self, step: int, epoch: int) -> None:
        contents = self._contents(step, epoch)
        save_checkpoint(self._last, {**contents, "resume": self._loop.state_dict()})

    def _contents(self, step: int, epoch: int) -> dict[str, Any]:
        weights = self._loop.shipped.module.state_dict()
        return {
            **self._describe,
            "step": step,
            "epoch": epoch,
            "metrics": dict(self._metrics),
            "weights": dict(weights),
        }
