"""Scores of several labels at once, each given or not: exact matches, F1 and its parts, areas under curves.

Definitions are scikit-learn's for indicator matrices with `zero_division=0`; macro averages run over all labels. Area
under the ROC curve (auroc) and average precision are means over the labels that some examples have and some have not;
they need every score, 5 bytes per label and example, so above a hundred labels they come only when asked for.

An answer that is not finite gives no label and counts as wrong; the areas are then NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ft.core.metrics.classification import AVERAGES, BY_ORDER, class_scores, mean_by_order, ratio, zeros
from ft.core.metrics.intervals import mean_interval, wilson
from ft.core.metrics.partial_sums import PartialSums
from ft.core.metrics.scores import ClassScores, Interval, Scores

BY_ORDER_LIMIT = 100  # labels


def by_order_metrics(labels: int, asked: Iterable[str] = ()) -> tuple[str, ...]:
    """Which of auroc and average_precision to report for so many labels."""
    wanted = set(asked)
    return tuple(name for name in BY_ORDER if labels <= BY_ORDER_LIMIT or name in wanted)


def metric_names(by_order: Sequence[str]) -> list[str]:
    """What `LabelScores` reports, in its order."""
    return ["exact_match", "hamming_accuracy", *AVERAGES, "f1_micro", *by_order]


class LabelScores(PartialSums):
    """Sums over batches of `logits (B, K)` and `targets (B, K)`.

    labels: names in the order of the columns. threshold: the probability from which a label is given, or of each
    its own, (K,).
    by_order: which of auroc and average_precision to report; left out: `by_order_metrics` of so many labels.
    """

    def __init__(
        self, labels: Sequence[str], threshold: float | Tensor = 0.5, by_order: Sequence[str] | None = None
    ) -> None:
        size = len(labels)
        self._labels, self._threshold = list(labels), threshold
        self._by_order = by_order_metrics(size) if by_order is None else tuple(by_order)
        kept = {"logits": torch.empty(0, size), "given": torch.empty(0, size, dtype=torch.uint8)}
        scalars = ("count", "exact", "right", "right_squared", "nonfinite")
        super().__init__(
            kept if self._by_order else None,
            hits=zeros(size),
            predicted=zeros(size),
            support=zeros(size),
            **{name: zeros() for name in scalars},
        )

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """predictions: logits, any float (B, K). targets: 0 or 1, any type (B, K). No host sync."""
        sums = self._on(predictions.device)
        logits, wanted = predictions.detach(), targets.bool()
        usable = logits.isfinite()
        chosen = given(logits, self._threshold) & usable
        right = (chosen == wanted) & usable  # (B, K)
        right_by_example = right.sum(dim=1)
        sums["count"] += len(targets)
        sums["hits"] += (chosen & wanted).sum(dim=0)
        sums["predicted"] += chosen.sum(dim=0)
        sums["support"] += wanted.sum(dim=0)
        sums["exact"] += right.all(dim=1).sum()
        sums["right"] += right_by_example.sum()
        sums["right_squared"] += right_by_example.square().sum()
        sums["nonfinite"] += (~usable.all(dim=1)).sum()
        if self._by_order:
            self._keep(logits=torch.where(usable, logits, torch.nan), given=wanted)

    def compute(self) -> Scores:
        """Every metric in 0..1, NaN before the first example. Waits for the device."""
        hits, predicted, support = (self._sums[name].tolist() for name in ("hits", "predicted", "support"))
        count, exact, right, squared, nonfinite = (
            int(self._sums[name]) for name in ("count", "exact", "right", "right_squared", "nonfinite")
        )
        size = len(self._labels)
        rows = [class_scores(*row) for row in zip(self._labels, hits, predicted, support, strict=True)]
        pooled = class_scores("", sum(hits), sum(predicted), sum(support))
        return Scores(
            metrics={"exact_match": ratio(exact, count), "hamming_accuracy": ratio(right, count * size)}
            | {name: _macro(rows, name, count) for name in AVERAGES}
            | {"f1_micro": pooled.f1 if count else float("nan")}
            | self._judge_order(),
            intervals={"exact_match": wilson(exact, count), **_hamming(right / size, squared / size**2, count)},
            per_class=rows,
            count=count,
            nonfinite=nonfinite,
            notes=self._notes(support, count),
        )

    def _judge_order(self) -> dict[str, float]:
        if not self._by_order:
            return {}
        logits, given_labels = self._all("logits").cpu(), self._all("given").cpu().bool()
        each = list(zip(logits.unbind(1), given_labels.unbind(1), strict=True))
        return {name: mean_by_order(name, each) for name in self._by_order}

    def _notes(self, support: Sequence[int], count: int) -> tuple[str, ...]:
        told = "a label is given from a probability of its own on, chosen on validation"
        if not isinstance(self._threshold, Tensor):
            told = f"a label is given from a probability of {self._threshold:g} on"
        split = sum(0 < examples < count for examples in support)
        if not self._by_order or split == len(support):
            return (told,)
        names = " and ".join(self._by_order)
        return (told, f"{names}: mean over {split} of {len(support)} labels; all examples or none have the others")


def given(logits: Tensor, threshold: float | Tensor) -> Tensor:
    """Which labels are given: bool, as logits (B, K). NaN gives none. threshold: for all, or each, (K,); 1: never."""
    if isinstance(threshold, Tensor):
        threshold = threshold.to(logits.device)
    return (logits.float().sigmoid() >= threshold) & (threshold < 1)


def _macro(rows: Sequence[ClassScores], name: str, count: int) -> float:
    return ratio(sum(getattr(row, name) for row in rows), len(rows) if count else 0)


def _hamming(total: float, squares: float, count: int) -> dict[str, Interval]:
    """Of the mean of the examples' shares of right labels: those of one example are not independent."""
    if count < 2:
        return {}
    low, high = mean_interval(total, squares, count)
    return {"hamming_accuracy": (low, min(1.0, high))}
