"""The training loop: a generator of events over one small state machine.

What happens next (a step, a log line, a validation, the end of an epoch, the end) is decided from the state alone, and
every `yield` is at a step boundary. So `state_dict` taken at any event, loaded into a fresh loop, goes on with the same
bits and the same events. Saving, logging and drawing are the consumers' work; nothing here writes a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ft.core.engine import events
from ft.core.engine.balance import Balance
from ft.core.engine.blame import culprits, tell_culprits
from ft.core.engine.ema import Ema
from ft.core.engine.evaluate import evaluate
from ft.core.engine.events import EpochEnded, Event, Finished, Halved, Logged, Started, Stepped, Stopped, Validated
from ft.core.engine.guard import MOST_SKIPS, Guard, all_finite
from ft.core.engine.micro import halved
from ft.core.engine.protocols import Batch, Head, Joining, Loader, Network, Schedule
from ft.core.engine.state import LogWindow, LoopSettings, LoopState, Stopwatch, is_better, on_device
from ft.core.engine.step import forget_gradients, train_step
from ft.core.errors import DivergedError
from ft.core.runtime.precision import Precision
from ft.core.runtime.seed import rng_state, set_rng_state


class Loop:
    """Trains `network` on `loader`; `run()` yields events until it is over.

    train_mode: puts the module into training mode, frozen parts excepted; called again after every validation.
    validation: its loader, or None. ema: averaged weights; shipped: the network that holds them, which is validated
    and saved in place of the live one. balance: learned weights of several losses. name_example: what the user calls a
    row of the training split. enter: lets learn what learns in an epoch, counted from 1, and says what begins to.
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
        name_example: Callable[[int], str] = str,
        enter: Callable[[int], Joining | None] = lambda _: None,
    ) -> None:
        self.settings, self.network, self.heads = settings, network, heads
        self.shipped = network if shipped is None else shipped
        self.loader, self.validation, self.enter = loader, validation, enter
        self.optimizer, self.schedule, self.precision = optimizer, schedule, precision
        self.train_mode, self.ema, self.balance, self.name_example = train_mode, ema, balance, name_example
        self.state = LoopState(micro_batch=settings.micro_batch)
        self._device = optimizer.param_groups[0]["params"][0].device
        self.guard = Guard(optimizer, precision, self._device)
        self._epoch_loss: Tensor | float = 0.0  # sum over the epoch's steps of loss * examples, on the device
        self._epoch_examples = 0
        self._batches: Iterator[Batch] | None = None
        self._log = LogWindow()
        self._epoch_watch = Stopwatch()
        self._stopping = False

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in one epoch."""
        return math.ceil(self.loader.batches_per_epoch / self.settings.accumulate)

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run, early stopping aside."""
        steps = self.settings.epochs * self.steps_per_epoch
        return steps if self.settings.max_steps is None else min(steps, self.settings.max_steps)

    def stop(self) -> None:
        """End `run` at the next step boundary, with `Stopped`; a validation under way is given up and comes again when
        the loop goes on. May be called from a signal handler.
        """
        self._stopping = True

    def run(self) -> Iterator[Event]:
        """Train to the end, or until `stop`. Raises DivergedError when a gradient or a loss (seen at log intervals and
        by `check`), a validation or the weights (seen at the end of an epoch) stop being finite: before the event that
        would have them saved.
        """
        state = self.state
        self._stopping = False
        self.enter(max(1, state.entered_epoch))
        self.train_mode()
        self.guard.begin(state.step)
        self._log.watch.restart()
        self._epoch_watch.restart()
        yield Started(state.step, state.epoch + 1, self.settings.epochs, self.steps_per_epoch, self.total_steps)
        while (reason := self._finished()) is None:
            if self._stopping:
                self.check()
                yield Stopped(state.step, self._epoch_number())
                return
            if self._log_due():
                yield self._write_log()
            elif self._validation_due():
                if (validated := self._validate()) is not None:
                    yield validated
            elif self.epoch_is_complete:
                yield self._end_epoch()
            elif (unfrozen := self._begin_epoch()) is not None:
                yield unfrozen
            else:
                yield self._step()
        self._check_weights()
        yield Finished(state.step, self._epoch_number(), reason, state.best_epoch, state.best_step, state.best_value)

    def check(self) -> None:
        """Raise DivergedError if a step so far had a gradient or loss that is not finite. One host sync, none on a
        CPU. For those about to save.
        """
        guilty = self.guard.guilty(self.state.step)
        if guilty is not None:
            raise self._broken(guilty)
        if self.guard.skipped_too_often():
            raise self._diverged(f"{MOST_SKIPS} steps in a row overflowed in fp16, by step {self.state.step}")

    def forget_best(self) -> None:
        """For when its weights are lost: the next validation is the best."""
        self.state.best_value = self.state.best_epoch = self.state.best_step = None

    def begin_batches_anew(self) -> None:
        """Ask the loader for the rest of the epoch again: for those who have put another one in its place."""
        self._batches = None

    def next_lr(self) -> float:
        """The learning rate of the next step, of the first parameter group."""
        group = self.optimizer.param_groups[0]
        return float(group.get("initial_lr", group["lr"])) * self.schedule.factor(self.state.step)

    # ------------------------------------------------------------ decisions, from the state alone

    def _finished(self) -> str | None:
        state, settings = self.state, self.settings
        if self._log_due() or self._validation_due() or self.epoch_is_complete:
            return None
        if settings.patience is not None and state.validations_without_better >= settings.patience:
            return "patience"
        if state.epoch >= settings.epochs:
            return "epochs"
        return "max_steps" if state.step >= self.total_steps else None

    @property
    def epoch_is_complete(self) -> bool:
        """Whether its last step is taken; its end is yet to come."""
        return self.state.batch >= self.loader.batches_per_epoch

    def _validation_due(self) -> bool:
        state, settings = self.state, self.settings
        if self.validation is None or state.step == state.validated_step:
            return False
        if state.step >= self.total_steps:
            return True
        if settings.validate_every_steps is not None:
            return state.step % settings.validate_every_steps == 0
        return self.epoch_is_complete and (state.epoch + 1) % settings.validate_every_epochs == 0

    def _log_due(self) -> bool:
        step = self.state.step
        if step == self.state.logged_step:
            return False
        return step % self.settings.log_every_steps == 0 or step >= self.total_steps or self.epoch_is_complete

    # ------------------------------------------------------------ actions

    def _begin_epoch(self) -> Event | None:
        """Before the first step of an epoch: what begins to learn with it, if anything does."""
        epoch = self.state.epoch + 1
        if self.state.entered_epoch == epoch:
            return None
        self.state.entered_epoch = epoch
        joining = self.enter(epoch)
        self.train_mode()
        return None if joining is None else events.Unfrozen(self.state.step, epoch, joining.units, joining.values)

    def _step(self) -> Stepped | Halved:
        state, settings = self.state, self.settings
        if self._batches is None:
            self._batches = self.loader.epoch(state.epoch, start=state.batch)
        batches = list(islice(self._batches, settings.accumulate))
        self.schedule.apply(self.optimizer, state.step)
        try:
            loss = train_step(
                self.network,
                self.heads,
                batches,
                self.optimizer,
                self.precision,
                self.guard,
                settings.clip_norm,
                self.balance,
                state.micro_batch,
            )
        except (RuntimeError, MemoryError) as error:
            if not settings.halve_micro_batch:
                raise
            failure = error
        else:
            return self._stepped(batches, loss)
        return self._halve(batches, failure)

    def _stepped(self, batches: Sequence[Batch], loss: Tensor) -> Stepped:
        state = self.state
        if self.ema is not None:
            self.ema.update()
        state.step += 1
        state.batch += len(batches)
        examples = sum(len(batch.examples) for batch in batches)
        if self.guard.is_free:
            self.check()
        weighted = (loss.item() if self.guard.is_free else loss) * examples  # a float where reading is free
        self._epoch_loss = self._epoch_loss + weighted
        self._epoch_examples += examples
        self._log.add(weighted, examples)
        return Stepped(state.step, self._epoch_number(), examples)

    def _halve(self, batches: Sequence[Batch], failure: BaseException) -> Halved:
        """The step that ran out of memory comes again, in smaller pieces."""
        state = self.state
        largest = max(len(batch.examples) for batch in batches)
        forget_gradients(self.optimizer)
        failure.__traceback__ = None  # its frames hold the tensors that did not fit
        state.micro_batch = halved(failure, self.network.module, min(largest, state.micro_batch or largest))
        self._batches = None
        return Halved(state.step, self._epoch_number(), state.micro_batch, largest)

    def _write_log(self) -> Logged:
        state = self.state
        self.check()
        examples, loss, rate = self._log.close()
        lr = float(self.optimizer.param_groups[0]["lr"])
        if not math.isfinite(loss):
            raise self._diverged(f"the loss became {loss} between steps {state.logged_step + 1} and {state.step}")
        state.logged_step = state.step
        return Logged(state.step, self._epoch_number(), examples, loss, lr, rate, float(self.guard.norm))

    def _validate(self) -> Validated | None:
        """None when it was given up."""
        assert self.validation is not None
        evaluation = evaluate(self.shipped, self.validation, self.heads, self.precision, until=lambda: self._stopping)
        if evaluation is None:
            return None
        if not evaluation.is_finite:
            raise self._diverged(f"the validation at step {self.state.step} gave NaN or infinite answers")
        metrics = evaluation.metrics()
        value = metrics[self.settings.monitor]
        state = self.state
        is_best = is_better(value, state.best_value, self.settings.direction)
        if is_best:
            state.best_value, state.best_epoch, state.best_step = value, self._epoch_number(), state.step
        state.validations_without_better = 0 if is_best else state.validations_without_better + 1
        state.validated_step = state.step
        self.schedule.observe(is_best)
        self.train_mode()
        return Validated(state.step, self._epoch_number(), evaluation, metrics, self.settings.monitor, value, is_best)

    def _check_weights(self) -> None:
        """One host sync. The last update of an epoch has no later loss to show what it did."""
        learned = [] if self.balance is None else [self.balance.log_variances]
        if not all_finite([*self.network.module.state_dict().values(), *learned]):
            raise self._diverged(f"the weights became NaN or infinite by step {self.state.step}")

    def _broken(self, step: int) -> DivergedError:
        """The error for a step whose gradient or loss was not finite, its examples named."""
        self.schedule.apply(self.optimizer, step - 1)
        first, count = (step - 1) % self.steps_per_epoch * self.settings.accumulate, self.settings.accumulate
        epoch, most = self.state.epoch, self.state.micro_batch
        broken = culprits(self.network, self.heads, self.loader, self.precision, epoch, first, count, most)
        origin = tell_culprits(*broken, self.name_example)
        return self._diverged(f"the loss or its gradient became NaN or infinite at step {step}, from {origin}")

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
        self._check_weights()
        train_loss = float(self._epoch_loss) / self._epoch_examples
        state = self.state
        state.epoch, state.batch = state.epoch + 1, 0
        self._batches, self._epoch_loss, self._epoch_examples = None, 0.0, 0
        seconds = self._epoch_watch.close()
        weights = None if self.balance is None else self.balance.weights()
        return EpochEnded(state.step, state.epoch, train_loss, seconds, weights)

    # ------------------------------------------------------------ going on later

    def state_dict(self) -> dict[str, Any]:
        """All that going on with the same bits needs: tensors and plain values, so `weights_only` loading reads it."""
        return {
            "loop": asdict(self.state),
            "epoch_loss": self._epoch_loss,
            "epoch_examples": self._epoch_examples,
            "epoch_seconds": self._epoch_watch.seconds,
            "log": self._log.state_dict(),
            "guard": self.guard.state_dict(),
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
        if not self.settings.halve_micro_batch:
            self.state.micro_batch = self.settings.micro_batch
        self._epoch_loss, self._epoch_examples = on_device(state["epoch_loss"], self._device), state["epoch_examples"]
        self._epoch_watch.before = state["epoch_seconds"]
        self._log.load_state_dict(state["log"], self._device)
        self.guard.load_state_dict(state["guard"])
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
