"""What was answered to each example of a split, as verdicts need it: intervals of scores that have no formula for one,
and the comparison with another model's answers to the same examples.

One class per family of scores. `saved` is what an evaluation's document keeps of the answers, `sampled` each metric as
a function of how often each example is drawn, `drop` how much worse than answers that were saved earlier. Answers are
finite: an evaluation whose answers are not has ended before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ft.core.metrics import calibration
from ft.core.metrics.agreement import BY_COUNTS
from ft.core.metrics.comparison import compare
from ft.core.metrics.resampling import (
    Drop,
    Sampled,
    Statistic,
    Values,
    by_counts,
    by_order,
    drop,
    grouped,
    mean_of,
    mean_over,
    of_means,
)

ORDER_ROOM = 200_000  # examples times classes, above which areas under curves are not resampled
_ORDERS = ("auroc", "average_precision")
_OF_MARKS = ("precision", "recall", "f1", "f1_micro")
RATES = ("sensitivity", "specificity")
_OF_SQUARES = ("rmse", "r2")
Saved = Mapping[str, NDArray[np.float32]]  # by name, (N,) or (N, K)


def compared(metrics: Sequence[str], *, binary: bool = False) -> list[str]:
    """Those that `drop` can tell of, of a category's (binary: of two classes), labels' or a number's."""
    known = {*BY_COUNTS, *_OF_MARKS, *_OF_SQUARES, *((*_ORDERS, *RATES) if binary else ())}
    return [metric for metric in metrics if metric in known]


class ByExample(Protocol):
    """The answers of one output."""

    @property
    def loss(self) -> NDArray[np.float32]:
        """(N,), whose mean is the loss."""

    def saved(self) -> dict[str, NDArray[np.float32]]:
        """What a later evaluation needs to compare itself, by name: (N,), or (N, K) in the classes' order."""

    def sampled(self) -> dict[str, Sampled]:
        """By metric, those without a formula for their interval."""

    def drop(self, metric: str, earlier: Saved) -> Drop | None:
        """How much worse than the earlier answers, by their mean over the same draws; None: not to be told of it."""


@dataclass(frozen=True)
class CategoryExamples:
    """targets, answer: int64 (N,), below K. loss: (N,), whose mean is the loss. logits: (N, K). metrics: those that are
    reported. positive: of two classes the index of the one that areas speak of.
    """

    targets: NDArray[np.int64]
    answer: NDArray[np.int64]
    loss: NDArray[np.float32]
    logits: NDArray[np.float32]
    metrics: Sequence[str]
    positive: int | None = None

    @property
    def classes(self) -> int:
        """K."""
        return int(self.logits.shape[1])

    def saved(self) -> dict[str, NDArray[np.float32]]:
        """answer: the place of its class. loss. Of two classes preference: the second's logit less the first's."""
        found = {"answer": self.answer.astype(np.float32), "loss": self.loss}
        return found if self.positive is None else {**found, "preference": self.logits[:, 1] - self.logits[:, 0]}

    def sampled(self) -> dict[str, Sampled]:
        (targets, answer), counts = grouped(self.targets, self.answer)
        found = {
            metric: Sampled(by_counts(metric, targets, answer, self.classes), counts)
            for metric in self.metrics
            if metric in BY_COUNTS
        }
        alone = np.ones(len(self.targets), dtype=np.int64)
        if {"brier", "ece"} & set(self.metrics):
            squared, bins = calibration.by_example(self.logits, self.targets)
            either = {
                "brier": Sampled(mean_of(squared / (2 if self.classes == 2 else 1)), alone),
                "ece": Sampled(of_means(bins, lambda means: np.abs(means).sum(1)), alone, biased=True),
            }
            found |= {metric: each for metric, each in either.items() if metric in self.metrics}
        if self.positive is None and self.logits.size <= ORDER_ROOM:
            shares = self.logits.astype(np.float64)
            shares -= np.logaddexp.reduce(shares, axis=1, keepdims=True)
            found |= {m: Sampled(self._each_class(m, shares), alone) for m in _ORDERS if m in self.metrics}
        return found

    def drop(self, metric: str, earlier: Saved) -> Drop | None:
        if metric in BY_COUNTS and "answer" in earlier:
            keys, counts = grouped(self.targets, earlier["answer"].astype(np.int64), self.answer)
            before, after = (by_counts(metric, keys[0], answer, self.classes) for answer in keys[1:])
            return drop(before, after, counts, lower_is_better=False)
        if metric in RATES and self.positive is not None and "answer" in earlier:
            own = self.positive if metric == "sensitivity" else 1 - self.positive
            theirs, mine = (answer[self.targets == own] == own for answer in (earlier["answer"], self.answer))
            return compare(theirs.astype(np.float32), mine.astype(np.float32), lower_is_better=False)
        if metric in _ORDERS and self.positive is not None and "preference" in earlier:
            positive, sign = self.targets == self.positive, 1 if self.positive == 1 else -1
            both = (earlier["preference"], self.saved()["preference"])
            before, after = (by_order(metric, sign * each, positive) for each in both)
            return drop(before, after, np.ones(len(positive), dtype=np.int64), lower_is_better=False)
        return None

    def _each_class(self, metric: str, shares: NDArray[np.float64]) -> Statistic:
        return mean_over([by_order(metric, shares[:, k], self.targets == k) for k in range(self.classes)])


@dataclass(frozen=True)
class NumberExamples:
    """prediction, targets: (N,), in the user's units. loss: (N,), whose mean is the loss."""

    targets: NDArray[np.float32]
    prediction: NDArray[np.float32]
    loss: NDArray[np.float32]

    def saved(self) -> dict[str, NDArray[np.float32]]:
        """prediction, and loss."""
        return {"prediction": self.prediction, "loss": self.loss}

    def sampled(self) -> dict[str, Sampled]:
        alone = np.ones(len(self.targets), dtype=np.int64)
        return {"r2": Sampled(self._of_squares("r2", self.prediction), alone)}

    def drop(self, metric: str, earlier: Saved) -> Drop | None:
        if metric not in _OF_SQUARES or "prediction" not in earlier:
            return None
        before, after = (self._of_squares(metric, each) for each in (earlier["prediction"], self.prediction))
        alone = np.ones(len(self.targets), dtype=np.int64)
        return drop(before, after, alone, lower_is_better=metric == "rmse")

    def _of_squares(self, metric: str, prediction: NDArray[np.float32]) -> Statistic:
        """rmse or r2, from the means of squared errors, of the targets and of their squares."""
        wanted = self.targets.astype(np.float64)
        centred = wanted - wanted.mean()  # squares of large means would cancel
        features = np.stack([(prediction - wanted) ** 2, centred, centred**2], axis=1)
        if metric == "rmse":
            return of_means(features, lambda means: np.sqrt(means[:, 0]))

        def r2(means: NDArray[np.float64]) -> Values:
            spread = means[:, 2] - means[:, 1] ** 2
            unexplained: Values = np.divide(means[:, 0], spread, out=np.full(len(means), np.nan), where=spread > 0)
            return 1 - unexplained

        return of_means(features, r2)


@dataclass(frozen=True)
class LabelsExamples:
    """targets, given: bool (N, K). loss: (N,), whose mean is the loss. logits: (N, K). metrics: those reported."""

    targets: NDArray[np.bool_]
    given: NDArray[np.bool_]
    loss: NDArray[np.float32]
    logits: NDArray[np.float32]
    metrics: Sequence[str]

    def saved(self) -> dict[str, NDArray[np.float32]]:
        """given: 0 or 1 (N, K), and loss."""
        return {"given": self.given.astype(np.float32), "loss": self.loss}

    def sampled(self) -> dict[str, Sampled]:
        alone = np.ones(len(self.targets), dtype=np.int64)
        found = {metric: Sampled(self._of_marks(metric, self.given), alone) for metric in _OF_MARKS}
        if self.logits.size <= ORDER_ROOM:
            for metric in _ORDERS:
                if metric in self.metrics:
                    each = [
                        by_order(metric, self.logits[:, k], self.targets[:, k]) for k in range(self.logits.shape[1])
                    ]
                    found[metric] = Sampled(mean_over(each), alone)
        return found

    def drop(self, metric: str, earlier: Saved) -> Drop | None:
        if metric not in _OF_MARKS or "given" not in earlier:
            return None
        before, after = (self._of_marks(metric, each) for each in (earlier["given"] > 0.5, self.given))
        return drop(before, after, np.ones(len(self.targets), dtype=np.int64), lower_is_better=False)

    def _of_marks(self, metric: str, given: NDArray[np.bool_]) -> Statistic:
        """precision, recall, f1 or f1_micro, from the shares of examples that have a label, are given it, and both."""
        labels = self.targets.shape[1]
        parts = [self.targets & given, given, self.targets]
        features = np.concatenate([part.astype(np.float64) for part in parts], axis=1)  # (N, 3 K)

        def combine(means: NDArray[np.float64]) -> Values:
            hits, answered, there = (means[:, k * labels : (k + 1) * labels] for k in range(3))
            if metric == "f1_micro":
                hits, answered, there = (each.sum(1, keepdims=True) for each in (hits, answered, there))
            whole = {"precision": answered, "recall": there}.get(metric, (answered + there) / 2)
            shares: Values = np.divide(hits, whole, out=np.zeros_like(hits), where=whole > 0)
            found: Values = shares.mean(1)
            return found

        return of_means(features, combine)
