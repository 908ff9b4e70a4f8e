"""The shapes a learning rate can take over training: factors of the rate, as pure functions of the step.

Each class is the settings of one shape and its formula, `at(step, plan)`. What they take and how far it may go is said
here only; warm-up, and the application to an optimizer, are `schedules.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from pydantic import Field

from ft.core.config.section import Count, Fraction, Section


@dataclass(frozen=True)
class Plan:
    """How long training is, in optimizer steps: total_steps >= 1, steps_per_epoch >= 1, warmup_steps >= 0."""

    total_steps: int
    steps_per_epoch: int
    warmup_steps: int = 0

    def progress(self, step: int) -> float:
        """0 at the first step after the warm-up (and before), 1 at the last step of training (and after)."""
        span = self.total_steps - self.warmup_steps - 1
        done = step - self.warmup_steps
        return min(max(done / span, 0.0), 1.0) if span > 0 else 0.0


class Curve(Protocol):
    """A shape: the factor of the learning rate with which `step`, counted from 0, is taken."""

    def at(self, step: int, plan: Plan) -> float: ...


class Constant(Section):
    """The rate as it is."""

    def at(self, step: int, plan: Plan) -> float:  # noqa: ARG002  a Curve
        return 1.0


class Step(Section):
    """Every so many epochs the rate is multiplied by `factor`. Epochs count from the start, warm-up included."""

    every_epochs: Count = Field(description="epochs between two reductions")
    factor: float = Field(0.1, gt=0, le=1, description="what the rate is multiplied by")

    def at(self, step: int, plan: Plan) -> float:
        return float(self.factor ** (step // (self.every_epochs * plan.steps_per_epoch)))


class MultiStep(Section):
    """After each of these numbers of epochs the rate is multiplied by `factor`; warm-up counts as in Step."""

    at_epochs: list[Count] = Field(min_length=1, description="finished epochs after which the rate is reduced")
    factor: float = Field(0.1, gt=0, le=1, description="what the rate is multiplied by")

    def at(self, step: int, plan: Plan) -> float:
        return float(self.factor ** sum(epochs * plan.steps_per_epoch <= step for epochs in self.at_epochs))


class Cosine(Section):
    """Half a cosine from 1, right after the warm-up, to `min_factor` in the last step (Loshchilov & Hutter 2017)."""

    min_factor: float = Field(0.0, ge=0, le=1, description="the factor of the last step")

    def at(self, step: int, plan: Plan) -> float:
        return _half_cosine(1.0, self.min_factor, plan.progress(step))


class Linear(Section):
    """A straight line from 1, right after the warm-up, to `min_factor` in the last step."""

    min_factor: float = Field(0.0, ge=0, le=1, description="the factor of the last step")

    def at(self, step: int, plan: Plan) -> float:
        return 1.0 + (self.min_factor - 1.0) * plan.progress(step)


class OneCycle(Section):
    """Up to the full rate and down again, both along half a cosine (Smith & Topin 2018); momentum stays as it is.

    The rise is its warm-up, so it takes no other.
    """

    rise: Fraction = Field(0.3, description="share of all steps over which the rate rises to its full size")
    start_factor: float = Field(0.04, gt=0, le=1, description="the factor of the first step")
    min_factor: float = Field(4e-6, ge=0, le=1, description="the factor of the last step")

    def at(self, step: int, plan: Plan) -> float:
        peak = max(self.rise * plan.total_steps - 1, 0.0)  # a step, though seldom a whole one
        last = plan.total_steps - 1
        if step < peak:
            return _half_cosine(self.start_factor, 1.0, step / peak)
        return _half_cosine(1.0, self.min_factor, min((step - peak) / (last - peak), 1.0)) if last > peak else 1.0


class Plateau(Section):
    """The rate is multiplied by `factor` when validation stops improving; torch's ReduceLROnPlateau at threshold 0.

    Its reductions depend on what was observed, not on the step: the schedule keeps `level` and `waited` for it.
    """

    patience: int = Field(10, ge=0, description="validations without a better one that are borne; the next reduces")
    factor: float = Field(0.1, gt=0, lt=1, description="what the rate is multiplied by")
    min_factor: float = Field(0.0, ge=0, le=1, description="the product of all reductions stays at or above this")

    def at(self, step: int, plan: Plan) -> float:  # noqa: ARG002  a Curve
        return 1.0

    def after(self, improved: bool, level: float, waited: int) -> tuple[float, int]:
        """The product of all reductions and the validations waited, after one more validation."""
        waited = 0 if improved else waited + 1
        if waited > self.patience:
            return max(level * self.factor, self.min_factor), 0
        return level, waited


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * progress)) / 2.0
