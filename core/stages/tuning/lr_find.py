"""`ft tune --lr-find`: the learning-rate range test (Smith 2017, "Cyclical Learning Rates").

The rate rises exponentially, a step at a time, from far too small to far too large; the loss of each step is smoothed
(exponential mean, bias corrected). Learning is fastest where the smoothed loss falls most steeply over the logarithm of
the rate: that rate is suggested. Beyond the lowest point it is too large. Weights, folder and file stay as they were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

from ft.core.assemble.fit import Fit, build_fit
from ft.core.assemble.parts import build_machine, build_model, data_heads
from ft.core.config.load import Loaded
from ft.core.data.prepare import prepare_data
from ft.core.engine.events import Logged, Stepped
from ft.core.errors import ConfigError, DivergedError
from ft.core.report.lr_curve import LrPoint
from ft.core.stages.drive import Stage
from ft.core.stages.fit import kept_columns
from ft.core.stages.notices import Notice, tell_data, warn
from ft.core.stages.options import Options
from ft.core.stages.start import finetuning_start, load_start, training_start
from ft.core.stages.subject import Subject
from ft.core.stages.teaching import load_teacher

LOWEST, HIGHEST, STEPS = 1e-7, 10.0, 120
_MEMORY = 0.9  # of the smoothed loss
_TOO_HIGH = 4.0  # times the lowest smoothed loss, from which on there is nothing more to learn
_ENDLESS = 1_000_000  # epochs
_SKIPPED = 5  # first steps, before the mean is one


@dataclass(frozen=True)
class LrFound:
    """points: rate, loss and smoothed loss, step by step. suggestion: the rate where the loss falls most steeply.
    lowest: the rate of the lowest smoothed loss. reason: why it ended. current: the file's own rate.
    """

    name: str
    stage: str
    suggestion: float
    lowest: float
    current: float
    points: tuple[LrPoint, ...]
    reason: str


class Sweep:
    """The schedule: `low` in step 0, `high` in step `steps` - 1, evenly in the logarithm; groups keep their ratios."""

    def __init__(self, low: float, high: float, steps: int, full: float) -> None:
        """full: the rate that `initial_lr` of the first group holds."""
        self._low, self._ratio, self._steps, self._full = low, high / low, steps, full

    def rate(self, step: int) -> float:
        """Of the first group, in a step."""
        return self._low * float(self._ratio ** (step / (self._steps - 1)))

    def factor(self, step: int) -> float:
        """What every group's full rate is multiplied by."""
        return self.rate(step) / self._full

    def apply(self, optimizer: Optimizer, step: int) -> None:
        """As schedules do it."""
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * self.factor(step)

    def observe(self, improved: bool) -> None:
        """Nothing is validated."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is none."""


def lr_find(loaded: Loaded, stage: Stage, options: Options, steps: int = STEPS) -> LrFound:
    """Sweep the rate of a stage. Raises ConfigError where no rate makes the loss fall, and what building raises."""
    with loaded.locating():
        options.on_notice(Notice("stage", f"learning rates of {loaded.experiment.name}: {stage}, {steps} steps"))
        fit = _build(loaded, stage, options)
        settings = loaded.stage(stage)
        if settings.layer_lr or settings.layer_decay:
            warn(
                [f"{stage} has rates by layer: those of the first group are shown, the others keep their ratio to it"],
                options.on_notice,
            )
    losses, sweep, reason = _losses(fit, steps, options)
    rates = [sweep.rate(step) for step in range(len(losses))]
    points = tuple(LrPoint(*each) for each in zip(rates, losses, smoothed(losses), strict=True))
    suggestion, lowest = suggest(points)
    return LrFound(loaded.experiment.name, stage, suggestion, lowest, settings.lr, points, reason)


def smoothed(losses: Sequence[float]) -> list[float]:
    """The exponential mean of each and those before it, bias corrected."""
    mean, found = 0.0, []
    for step, loss in enumerate(losses, 1):
        mean = _MEMORY * mean + (1 - _MEMORY) * loss
        found.append(mean / (1 - _MEMORY**step))
    return found


def suggest(points: Sequence[LrPoint]) -> tuple[float, float]:
    """(where the smoothed loss falls most steeply, where it is lowest), as rates. Raises ConfigError."""
    lowest = min(range(len(points)), key=lambda at: points[at].smoothed, default=0)
    inner = range(_SKIPPED, lowest)
    slopes = {at: _slope(points, at) for at in inner if at + 1 < len(points)}
    if not slopes or min(slopes.values()) >= 0:
        raise ConfigError(
            f"the loss falls at no learning rate between {LOWEST:g} and {HIGHEST:g}; look at the data and the network "
            "first (ft data check, ft layers)"
        )
    steepest = min(slopes, key=lambda at: slopes[at])
    return float(f"{points[steepest].rate:.2g}"), float(f"{points[lowest].rate:.2g}")


def _slope(points: Sequence[LrPoint], at: int) -> float:
    before, after = points[at - 1], points[at + 1]
    return (after.smoothed - before.smoothed) / math.log(after.rate / before.rate)


def _build(loaded: Loaded, stage: Stage, options: Options) -> Fit:
    """The loop of the stage, as it would train, but for its length and schedule."""
    experiment, settings = loaded.complete, loaded.stage(stage)
    if stage == "train":
        start = training_start(loaded.experiment, options.on_notice)
    else:
        start = finetuning_start(Subject(loaded), None, options.runs_dir, options.on_notice)
    kept = kept_columns(start, experiment)
    data = prepare_data(experiment.data, experiment.inputs, experiment.outputs, only={"train"}, keep=kept)
    tell_data(data, options.on_notice)
    machine, heads = build_machine(experiment), data_heads(data)
    network = build_model(experiment, data.inputs, data.output_settings, heads, machine.device, speed=settings.speed)
    if start is not None:
        load_start(start, network, heads, experiment.model, replace_last=stage == "finetune")
    changes: dict[str, Any] = {
        "epochs": _ENDLESS,
        "max_steps": None,
        "schedule": "constant",
        "monitor": None,
        "patience": None,
        "warmup_steps": 0,
        "warmup_epochs": 0.0,
        "log_every_steps": 1,
    }
    teacher = load_teacher(loaded, stage, data, heads, machine)
    endless = settings.model_copy(update=changes)
    return build_fit(experiment, endless, data, network, heads, machine, teacher=teacher)


def _losses(fit: Fit, steps: int, options: Options) -> tuple[list[float], Sweep, str]:
    """The loss of each step, and why there are no more."""
    loop = fit.loop
    group = loop.optimizer.param_groups[0]
    sweep = Sweep(LOWEST, HIGHEST, steps, float(group.get("initial_lr", group["lr"])))
    loop.schedule = sweep
    losses: list[float] = []
    lowest, mean = math.inf, 0.0
    try:
        for event in loop.run():
            if isinstance(event, Stepped):
                options.on_event(event)
            if not isinstance(event, Logged):
                continue
            losses.append(event.loss)
            mean = _MEMORY * mean + (1 - _MEMORY) * event.loss
            level = mean / (1 - _MEMORY ** len(losses))
            lowest = min(lowest, level)
            if len(losses) >= steps:
                return losses, sweep, f"reached {HIGHEST:g}"
            if len(losses) > _SKIPPED and level > max(_TOO_HIGH * lowest, lowest + 1e-12):
                return losses, sweep, f"the loss had risen to {_TOO_HIGH:g} times its lowest"
    except DivergedError:
        pass
    return losses, sweep, "the loss was no longer finite"
