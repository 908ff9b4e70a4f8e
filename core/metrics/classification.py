"""Scores of one class out of K: accuracy, top-k, precision, recall, F1, and who is taken for whom.

Definitions are scikit-learn's with `zero_division=0`: a ratio 0/0 counts as 0, and macro averages run over the
classes that occur in the truth or in the predictions. Ties go to the class listed first, for accuracy and top-k
alike, so a model that answers the same for every class is not right by accident.

An answer without a finite largest score (NaN, or infinite) names no class. It counts as wrong: against accuracy,
top-k and its true class's recall, and it appears in no column of the confusion matrix. `Scores.nonfinite` counts
such answers, and their loss is NaN by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ft.core.metrics.intervals import wilson
from ft.core.metrics.partial_sums import PartialSums
from ft.core.metrics.scores import ClassScores, Interval, Scores

CONFUSION_LIMIT = 1000  # classes; the matrix costs 8 bytes times the square of them
AVERAGES = ("precision", "recall", "f1")


def default_top_k(classes: int) -> tuple[int, ...]:
    """The top-k worth showing unasked."""
    return (5,) if classes > 5 else ()


def asked_top_k(metrics: Iterable[str], classes: int) -> tuple[int, ...]:
    """Every k of `topk` names (`top3`, `digit/top3`) that fits so many classes; other names are passed over."""
    found = (re.fullmatch(r"(?:.*/)?top([1-9]\d*)", metric) for metric in metrics)
    return tuple(sorted({k for match in found if match and 1 < (k := int(match[1])) < classes}))


def metric_names(top_k: Sequence[int]) -> list[str]:
    """What `CategoryScores` reports, in its order."""
    return ["accuracy", *(f"top{k}" for k in top_k), *AVERAGES, *(f"{name}_weighted" for name in AVERAGES)]


class CategoryScores(PartialSums):
    """Sums over batches of `scores (B, K)` and `targets (B,)`.

    classes: names in the order of the indices.
    top_k: which top-k accuracies to report, each below K; left out: top-5 when there are more than five classes.
    """

    def __init__(self, classes: Sequence[str], top_k: Sequence[int] | None = None) -> None:
        size = len(classes)
        self._classes = list(classes)
        self._top_k = default_top_k(size) if top_k is None else tuple(top_k)
        assert all(1 < k < size for k in self._top_k), f"top_k {self._top_k} of {size} classes"
        counts = (
            {"confusion": _zeros(size, size + 1)}  # rows true, columns chosen; the last: answers that name no class
            if size <= CONFUSION_LIMIT
            else {"support": _zeros(size), "predicted": _zeros(size + 1), "hits": _zeros(size + 1)}
        )
        super().__init__(within=_zeros(len(self._top_k)), **counts)

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """predictions: logits or probabilities, any float (B, K). targets: int64 (B,) in 0..K-1. No host sync."""
        sums = self._on(predictions.device)
        size = len(self._classes)
        best, chosen = predictions.detach().max(dim=1)  # (B,), (B,); max hands NaN on
        usable = best.isfinite()
        chosen = torch.where(usable, chosen, size)
        if size <= CONFUSION_LIMIT:
            sums["confusion"] += _tally(targets * (size + 1) + chosen, size * (size + 1)).view(size, size + 1)
        else:
            sums["support"] += _tally(targets, size)
            sums["predicted"] += _tally(chosen, size + 1)
            sums["hits"] += _tally(torch.where(chosen == targets, targets, size), size + 1)
        if self._top_k:
            rank = _rank(predictions, targets)
            for row, k in enumerate(self._top_k):
                sums["within"][row] += ((rank < k) & usable).sum()

    def compute(self) -> Scores:
        """Every metric in 0..1, NaN before the first example. Copies the sums to the host once."""
        support, (*predicted, nonfinite), hits = self._per_class()
        within = self._sums["within"].tolist()
        rows = [_class_scores(*row) for row in zip(self._classes, hits, predicted, support, strict=True)]
        count = sum(support)
        shares = {"accuracy": sum(hits)} | {f"top{k}": inside for k, inside in zip(self._top_k, within, strict=True)}
        occurring = [row for row, answers in zip(rows, predicted, strict=True) if row.support or answers]
        return Scores(
            metrics={name: _ratio(right, count) for name, right in shares.items()}
            | {name: _mean(occurring, name, [1] * len(occurring)) for name in AVERAGES}
            | {f"{name}_weighted": _mean(rows, name, support) for name in AVERAGES},
            intervals=_intervals(shares, count),
            per_class=rows,
            confusion=self._confusion(),
            classes=list(self._classes),
            count=count,
            nonfinite=nonfinite,
        )

    def _per_class(self) -> tuple[list[int], list[int], list[int]]:
        """How often each class (K,) was true; was answered, with no class last (K + 1,); and was answered rightly."""
        if len(self._classes) > CONFUSION_LIMIT:
            support, predicted, hits = (self._sums[name] for name in ("support", "predicted", "hits"))
        else:
            confusion = self._sums["confusion"].cpu()  # (K, K + 1)
            support, predicted, hits = confusion.sum(1), confusion.sum(0), confusion.diagonal()
        return support.tolist(), predicted.tolist(), hits[: len(self._classes)].tolist()

    def _confusion(self) -> list[list[int]] | None:
        if len(self._classes) > CONFUSION_LIMIT:
            return None
        rows: list[list[int]] = self._sums["confusion"][:, :-1].tolist()
        return rows


def _tally(numbers: Tensor, size: int) -> Tensor:
    """How often each of 0..size-1 occurs among numbers, int64 (B,): int32 (size,). Not bincount, which syncs.

    One batch fits int32, and int64 could not be added by index on MPS until lately.
    """
    counts = torch.zeros(size, dtype=torch.int32, device=numbers.device)
    return counts.index_add_(0, numbers, torch.ones_like(numbers, dtype=torch.int32))


def _rank(predictions: Tensor, targets: Tensor) -> Tensor:
    """How many classes come before the true one, int64 (B,); of equal scores the class listed first is ahead."""
    own = predictions.gather(1, targets[:, None])  # (B, 1)
    listed_first = torch.arange(predictions.shape[1], device=predictions.device) < targets[:, None]  # (B, K)
    return ((predictions > own) | ((predictions == own) & listed_first)).sum(dim=1)


def _class_scores(name: str, hits: int, predicted: int, support: int) -> ClassScores:
    return ClassScores(
        name=name,
        precision=hits / predicted if predicted else 0.0,
        recall=hits / support if support else 0.0,
        f1=2 * hits / (predicted + support) if predicted + support else 0.0,
        support=support,
    )


def _mean(rows: Sequence[ClassScores], name: str, weights: Sequence[int]) -> float:
    return _ratio(sum(weight * getattr(row, name) for row, weight in zip(rows, weights, strict=True)), sum(weights))


def _ratio(part: float, whole: int) -> float:
    return part / whole if whole else float("nan")


def _intervals(shares: dict[str, int], count: int) -> dict[str, Interval]:
    return {name: wilson(right, count) for name, right in shares.items()}


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.int64)
