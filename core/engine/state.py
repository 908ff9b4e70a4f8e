"""How long a loop runs and where it is: plain values, apart from the sums since the last log line."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class LoopSettings:
    """How long, how often. Steps are optimizer steps; an epoch's last step takes what batches are left.

    monitor: flat name of the validation metric that chooses best. micro_batch: most examples in one forward pass;
    halve_micro_batch: make it smaller when memory runs out.
    """

    epochs: int
    max_steps: int | None = None
    accumulate: int = 1
    clip_norm: float | None = None
    monitor: str = "loss"
    direction: Literal["min", "max"] = "min"
    patience: int | None = None
    validate_every_epochs: int = 1
    validate_every_steps: int | None = None
    log_every_steps: int = 50
    micro_batch: int | None = None
    halve_micro_batch: bool = False


@dataclass
class LoopState:
    """Where the loop is. Plain numbers; `None` best: no validation gave a finite value so far."""

    epoch: int = 0  # finished epochs, so the number of the one in progress
    batch: int = 0  # batches of it already used
    step: int = 0
    logged_step: int = 0  # the step at which the last log line was written
    validated_step: int = 0  # the step at which validation last ran
    micro_batch: int | None = None  # most examples in one forward pass
    entered_epoch: int = 0  # the epoch, counted from 1, that was last begun
    best_value: float | None = None
    best_epoch: int | None = None
    best_step: int | None = None
    validations_without_better: int = 0


class Stopwatch:
    """Seconds of work, over several processes that go on from each other. before: those of earlier processes."""

    def __init__(self) -> None:
        self.before = 0.0
        self.restart()

    def restart(self) -> None:
        """This process's work begins now."""
        self._since = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self._since

    def close(self) -> float:
        """The seconds so far; counts from zero again."""
        seconds = self.seconds
        self.before = 0.0
        self.restart()
        return seconds


class LogWindow:
    """The steps since the last log line, their losses summed on the device. `close` is the one host sync for them."""

    def __init__(self) -> None:
        self._loss: Tensor | float = 0.0
        self._examples = 0
        self.watch = Stopwatch()

    def add(self, weighted_loss: Tensor | float, examples: int) -> None:
        self._loss = self._loss + weighted_loss
        self._examples += examples

    def close(self) -> tuple[int, float, float]:
        """(examples, mean loss, examples per second); starts the next window."""
        examples, loss = self._examples, float(self._loss) / self._examples
        rate = examples / max(self.watch.close(), 1e-9)
        self._loss, self._examples = 0.0, 0
        return examples, loss, rate

    def state_dict(self) -> dict[str, Any]:
        return {"loss": self._loss, "examples": self._examples, "seconds": self.watch.seconds}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        self._loss, self._examples = on_device(state["loss"], device), state["examples"]
        self.watch.before = state["seconds"]


def on_device(value: Tensor | float, device: torch.device) -> Tensor | float:
    """A sum that was saved, back where it is added to; a plain number stays one."""
    return value.to(device) if isinstance(value, Tensor) else value


def is_better(value: float, best: float | None, direction: str) -> bool:
    """Strictly better, so ties stay with the earlier; a value that is not finite never wins."""
    if not math.isfinite(value):
        return False
    if best is None:
        return True
    return value > best if direction == "max" else value < best
