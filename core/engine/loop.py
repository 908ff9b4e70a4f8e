"""The training loop: a generator of events over one small state machine.

What happens next (a step, a validation, the end of an epoch, the end) is decided from the state alone, and every
`yield` is at a step boundary. So `state_dict` taken at any event, loaded into a fresh loop, goes on with the same bits.
Saving, logging and drawing are the consumers' work; nothing here writes a file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal

import torch
from torch import Tensor

from ft.core.engine.balance import Balance
from ft.core.engine.ema import Ema
from ft.core.engine.evaluate import evaluate
from ft.core.engine.events import EpochEnded, Event, Finished, Logged, Started, Stepped, Validated
from ft.core.engine.protocols import Batch, Head, Loader, Network, Schedule
from ft.core.engine.step import train_step
from ft.core.errors import DivergedError
from ft.core.runtime.precision import Precision
from ft.core.runtime.seed import rng_state, set_rng_state


@dataclass(frozen=True)
class LoopSettings:
    """How long, how often. Steps are optimizer steps; an epoch's last step takes what batches are left.

    monitor: flat name of the validation metric that chooses best.
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


@dataclass
class LoopState:
    """Where the loop is. Plain numbers; `None` best: no validation gave a finite value so far."""

    epoch: int = 0  # finished epochs, so the number of the one in progress
    batch: int = 0  # batches of it already used
    step: int = 0
    validated_step: int = 0  # the step at which validation last ran
    best_value: float | None = None
    best_epoch: int | None = None
    best_step: int | None = None
    validations_without_better: int = 0


class Loop:
    """Trains `network` on `loader`; `run()` yields events until it is over.

    train_mode: puts the module into training mode, frozen parts excepted; called again after every validation.
    validation: its loader, or None. ema: averaged weights; shipped: the network that holds them, which is validated
    and saved in place of the live one. balance: learned weights of several losses.
    """

    def __init__(
        self,
        settings: LoopSettings,
        network: Network,
        heads: Sequence[Head],
        loader: Loader,
        validation: Loader | None,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        precision: Precision,
        train_mode: Callable[[], None],
        ema: Ema | None = None,
        shipped: Network | None = None,
        balance: Balance | None = None,
    ) -> None:
        self.settings, self.network, self.heads = settings, network, heads
        self.shipped = network if shipped is None else shipped
        self.loader, self.validation = loader, validation
        self.optimizer, self.schedule, self.precision = optimizer, schedule, precision
        self.train_mode, self.ema, self.balance = train_mode, ema, balance
        self.state = LoopState()
        self._epoch_loss: Tensor | None = None  # sum over the epoch's steps of loss * examples, on the device
        self._epoch_examples = 0
        self._batches: Iterator[Batch] | None = None
        self._log = _LogWindow()
        self._epoch_started = time.perf_counter()

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch."""
        return math.ceil(self.loader.batches_per_epoch / self.settings.accumulate)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run, early stopping aside."""
        steps = self.settings.epochs * self.steps_per_epoch
        return steps if self.settings.max_steps is None else min(steps, self.settings.max_steps)

    def run(self) -> Iterator[Event]:
        """Train to the end. Raises DivergedError when the loss (seen at log intervals), a validation or the weights
        (seen at the end of an epoch) stop being finite: before the event that would have them saved.
        """
        state = self.state
        self.train_mode()
        self._log.restart(state.step)
        self._epoch_started = time.perf_counter()
        yield Started(state.step, state.epoch + 1, self.settings.epochs, self.steps_per_epoch, self.total_steps)
        while (reason := self._finished()) is None:
            if self._validation_due():
                yield self._validate()
            elif self._epoch_is_complete():
                yield self._end_epoch()
            else:
                yield self._step()
                if self._log_due():
                    yield self._write_log()
        self._check_weights()
        yield Finished(state.step, self._epoch_number(), reason, state.best_epoch, state.best_step, state.best_value)

    # ------------------------------------------------------------ decisions, from the state alone

    def _finished(self) -> str | None:
        state, settings = self.state, self.settings
        if self._validation_due() or self._epoch_is_complete():
            return None
        if settings.patience is not None and state.validations_without_better >= settings.patience:
            return "patience"
        if state.epoch >= settings.epochs:
            return "epochs"
        return "max_steps" if state.step >= self.total_steps else None

    def _epoch_is_complete(self) -> bool:
        return self.state.batch >= self.loader.batches_per_epoch

    def _validation_due(self) -> bool:
        state, settings = self.state, self.settings
        if self.validation is None or state.step == state.validated_step:
            return False
        if state.step >= self.total_steps:
            return True
        if settings.validate_every_steps is not None:
            return state.step % settings.validate_every_steps == 0
        return self._epoch_is_complete() and (state.epoch + 1) % settings.validate_every_epochs == 0

    def _log_due(self) -> bool:
        step = self.state.step
        return step % self.settings.log_every_steps == 0 or step >= self.total_steps or self._epoch_is_complete()

    # ------------------------------------------------------------ actions

    def _step(self) -> Stepped:
        state = self.state
        if self._batches is None:
            self._batches = self.loader.epoch(state.epoch, start=state.batch)
        batches = list(islice(self._batches, self.settings.accumulate))
        self.schedule.apply(self.optimizer, state.step)
        clip_norm = self.settings.clip_norm
        loss = train_step(self.network, self.heads, batches, self.optimizer, self.precision, clip_norm, self.balance)
        if self.ema is not None:
            self.ema.update()
        state.step += 1
        state.batch += len(batches)
        examples = sum(len(batch.examples) for batch in batches)
        self._add_loss(loss, examples)
        return Stepped(state.step, self._epoch_number(), examples)

    def _add_loss(self, loss: Tensor, examples: int) -> None:
        weighted = loss * examples
        self._epoch_loss = weighted if self._epoch_loss is None else self._epoch_loss + weighted
        self._epoch_examples += examples
        self._log.add(weighted, examples)

    def _write_log(self) -> Logged:
        state = self.state
        first, examples, loss, rate = self._log.close(state.step)
        lr = float(self.optimizer.param_groups[0]["lr"])
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss} between steps {first + 1} and {state.step}")
        return Logged(state.step, self._epoch_number(), examples, loss, lr, rate)

    def _validate(self) -> Validated:
        assert self.validation is not None
        evaluation = evaluate(self.shipped, self.validation, self.heads, self.precision)
        if not evaluation.is_finite:
            raise self._diverged(f"the validation at step {self.state.step} gave NaN or infinite answers")
        metrics = evaluation.metrics()
        value = metrics[self.settings.monitor]
        state = self.state
        is_best = _is_better(value, state.best_value, self.settings.direction)
        if is_best:
            state.best_value, state.best_epoch, state.best_step = value, self._epoch_number(), state.step
        state.validations_without_better = 0 if is_best else state.validations_without_better + 1
        state.validated_step = state.step
        self.schedule.observe(is_best)
        self.train_mode()
        return Validated(state.step, self._epoch_number(), evaluation, metrics, self.settings.monitor, value, is_best)

    def _check_weights(self) -> None:
        """One host sync. The last update of an epoch has no later loss to show what it did."""
        values = [value for value in self.network.module.state_dict().values() if value.is_floating_point()]
        if self.balance is not None:
            values.append(self.balance.log_variances)
        if values and not torch.stack([value.isfinite().all() for value in values]).all().item():
            raise self._diverged(f"the weights became NaN or infinite by step {self.state.step}")

    def _diverged(self, what: str) -> DivergedError:
        lr = float(self.optimizer.param_groups[0]["lr"])
        return DivergedError(
            f"{what}, in epoch {self._epoch_number()}, at a learning rate of {lr:.3g}. What was saved before "
            "is healthy. Try a smaller lr, clip_norm: 1.0, a warm-up, or precision: fp32"
        )

    def _epoch_number(self) -> int:
        """The epoch the last step belonged to, counted from 1."""
        return self.state.epoch + (1 if self.state.batch else 0)

    def _end_epoch(self) -> EpochEnded:
        assert self._epoch_loss is not None
        self._check_weights()
        train_loss = float(self._epoch_loss.item()) / self._epoch_examples
        state = self.state
        state.epoch, state.batch = state.epoch + 1, 0
        self._batches, self._epoch_loss, self._epoch_examples = None, None, 0
        now = time.perf_counter()
        seconds, self._epoch_started = now - self._epoch_started, now
        weights = None if self.balance is None else self.balance.weights()
        return EpochEnded(state.step, state.epoch, train_loss, seconds, weights)

    # ------------------------------------------------------------ going on later

    def state_dict(self) -> dict[str, Any]:
        """All that going on with the same bits needs: tensors and plain values, so `weights_only` loading reads it."""
        return {
            "loop": asdict(self.state),
            "epoch_loss": self._epoch_loss,
            "epoch_examples": self._epoch_examples,
            "module": self.network.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "precision": self.precision.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "balance": None if self.balance is None else self.balance.state_dict(),
            "rng": rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`, in a loop built from the same experiment. Restores the random generators too."""
        self.state = LoopState(**state["loop"])
        self._epoch_loss, self._epoch_examples = state["epoch_loss"], state["epoch_examples"]
        self._batches = None
        self.network.module.load_state_dict(state["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.precision.load_state_dict(state["precision"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        if self.balance is not None:
            self.balance.load_state_dict(state["balance"])
        set_rng_state(state["rng"])


class _LogWindow:
    """The steps since the last log line. `close` is the loop's one host sync per interval."""

    def __init__(self) -> None:
        self.restart(0)

    def restart(self, step: int) -> None:
        self._first, self._loss, self._examples, self._since = step, None, 0, time.perf_counter()

    _loss: Tensor | None

    def add(self, weighted_loss: Tensor, examples: int) -> None:
        self._loss = weighted_loss if self._loss is None else self._loss + weighted_loss
        self._examples += examples

    def close(self, step: int) -> tuple[int, int, float, float]:
        """(step before the window, examples, mean loss, examples per second); starts the next window."""
        assert self._loss is not None
        loss = float(self._loss.item()) / self._examples
        rate = self._examples / max(time.perf_counter() - self._since, 1e-9)
        first, examples = self._first, self._examples
        self.restart(step)
        return first, examples, loss, rate


def _is_better(value: float, best: float | None, direction: str) -> bool:
    """Strictly better, so ties stay with the earlier; a value that is not finite never wins."""
    if not math.isfinite(value):
        return False
    if best is None:
        return True
    return value > best if direction == "max" else value < best
