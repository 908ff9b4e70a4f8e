"""What an evaluation comes to: plain values that every other part of the house can read.

`Scores` is the result, `Accumulator` what yields it. Nothing here computes a metric; the streaming sums live in
`classification.py`, `labels.py`, `regression.py` and `ranking.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeVar

from torch import Tensor

Interval = tuple[float, float]
T = TypeVar("T")


@dataclass(frozen=True)
class ClassScores:
    """One class against all others, or one label. The first three in 0..1, 0 where undefined; support in examples."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Scores:
    """How one output did on one split.

    metrics: name -> value; NaN where it is undefined. The evaluation adds `loss` with `with_loss`.
    intervals: name -> 95 % confidence interval, for those metrics that have one.
    per_class: of a category, a row per class; of labels, a row per label.
    confusion, classes: only of a category; confusion has true classes as rows, predicted ones as columns, and is left
        out above 1,000 classes.
    positive: of two classes the one that auroc, average_precision and sensitivity speak of.
    count: how many were judged; unit: what they are.
    nonfinite: those whose answer was NaN or infinite; how they are counted is the accumulator's to say.
    notes: what a reader must know to understand the metrics, a sentence each.
    """

    metrics: dict[str, float]
    intervals: dict[str, Interval] = field(default_factory=dict)
    per_class: list[ClassScores] | None = None
    confusion: list[list[int]] | None = None
    classes: list[str] | None = None
    positive: str | None = None
    count: int = 0
    unit: Literal["examples", "users"] = "examples"
    nonfinite: int = 0
    notes: tuple[str, ...] = ()

    def with_loss(self, loss: float) -> Scores:
        """The same scores with the mean loss as their first metric."""
        return replace(self, metrics={"loss": loss, **self.metrics})


@dataclass(frozen=True)
class SliceScores:
    """How all outputs did on a part of a split. name: as `sex=female`. metrics, intervals: by flat name; none of an
    empty part.
    """

    name: str
    column: str
    count: int
    metrics: dict[str, float]
    intervals: dict[str, Interval]


class Accumulator(Protocol):
    """What is known after some batches of one split, on the device of what it is fed. `update` never waits for it."""

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add one batch. Shapes are the implementation's; the first axis is the example."""

    def reduce(self, all_reduce: Callable[[Tensor], Tensor], all_gather: Callable[[Tensor], Tensor]) -> None:
        """Make the sums those of all processes. Call it once, after the last batch, on every process.

        all_reduce: returns the elementwise sum over the processes of a tensor on this accumulator's device.
        all_gather: returns the rows of all processes, one after the other, of such a tensor.
        """

    def compute(self) -> Scores:
        """The scores of everything added so far; waits for the device."""

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of the partial results: tensors only, untouched by later updates."""

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a copy that `state_dict` made."""


def flat_metrics(by_output: Mapping[str, Scores]) -> dict[str, float]:
    """All metrics under the names that settings use: `output/metric`, the bare `metric` with one output."""
    return _flat({output: scores.metrics for output, scores in by_output.items()})


def flat_intervals(by_output: Mapping[str, Scores]) -> dict[str, Interval]:
    """The intervals under the same names as `flat_metrics`."""
    return _flat({output: scores.intervals for output, scores in by_output.items()})


def _flat(by_output: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    single = len(by_output) == 1
    return {
        metric if single else f"{output}/{metric}": value
        for output, metrics in by_output.items()
        for metric, value in metrics.items()
    }
