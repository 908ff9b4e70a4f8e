"""Scores of one class out of K: accuracy, top-k, precision, recall, F1, who is taken for whom; and of two, by order.

Definitions are scikit-learn's with `zero_division=0`: a ratio 0/0 counts as 0, and macro averages run over the
classes that occur in the truth or in the predictions. Ties go to the class listed first, for accuracy and top-k
alike, so a model that answers the same for every class is not right by accident.

Two classes have a positive one: sensitivity is its recall, specificity the other's recall, and the area under the ROC
curve (auroc) and the average precision judge how well the scores put it above the other. Where the split lacks what
one of the four speaks of it is NaN, as nothing was measured. More classes have auroc and average precision as means
over each class against the rest, only when asked for: they keep K float32 values per example.

An answer without a finite largest score (NaN, or infinite) names no class. It counts as wrong: against accuracy,
top-k and its true class's recall, and it appears in no column of the confusion matrix; auroc and average precision
are then NaN. `Scores.nonfinite` counts such answers, and their loss is NaN by itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from ft.core.metrics import calibration, ranks
from ft.core.metrics.agreement import BY_COUNTS
from ft.core.metrics.intervals import wilson
from ft.core.metrics.partial_sums import PartialSums
from ft.core.metrics.scores import ClassScores, Interval, Scores

CONFUSION_LIMIT = 1000  # classes; the matrix costs 8 bytes times the square of them
AVERAGES = ("precision", "recall", "f1")
OVER_CLASSES = (*AVERAGES, *(f"{name}_weighted" for name in AVERAGES))
BY_ORDER = ("auroc", "average_precision")
RATES = ("sensitivity", "specificity")
MORE = ("balanced_accuracy", "kappa", "mcc", "brier", "ece")  # reported only when asked for
SMALLER_IS_BETTER = ("brier", "ece")


def default_top_k(classes: int) -> tuple[int, ...]:
    """The top-k worth showing unasked."""
    return (5,) if classes > 5 else ()


def asked_top_k(metrics: Iterable[str], classes: int) -> tuple[int, ...]:
    """Every k of `topk` names (`top3`, `digit/top3`) that fits so many classes; other names are passed over."""
    found = (re.fullmatch(r"(?:.*/)?top([1-9]\d*)", metric) for metric in metrics)
    return tuple(sorted({k for match in found if match and 1 < (k := int(match[1])) < classes}))


def metric_names(
    classes: int, top_k: Sequence[int], by_order: Sequence[str] = (), more: Sequence[str] = ()
) -> list[str]:
    """What `CategoryScores` reports, in its order."""
    last = (*BY_ORDER, *RATES) if classes == 2 else by_order
    return ["accuracy", *(f"top{k}" for k in top_k), *OVER_CLASSES, *last, *more]


class CategoryScores(PartialSums):
    """Sums over batches of `scores (B, K)` and `targets (B,)`.

    classes: names in the order of the indices.
    top_k: which top-k accuracies to report, each below K; left out: top-5 when there are more than five classes.
    positive: of two classes the index of the positive one.
    by_order: of more than two classes, which of auroc and average_precision to report; two classes have both.
    more: which of MORE to report.
    threshold: of two classes, the probability from which the positive one is answered; None for the likelier class.
    """

    def __init__(
        self,
        classes: Sequence[str],
        top_k: Sequence[int] | None = None,
        *,
        positive: int = 1,
        by_order: Sequence[str] = (),
        more: Sequence[str] = (),
        threshold: float | None = None,
    ) -> None:
        size = len(classes)
        self._classes = list(classes)
        self._top_k = default_top_k(size) if top_k is None else tuple(top_k)
        assert all(1 < k < size for k in self._top_k), f"top_k {self._top_k} of {size} classes"
        self._positive = positive if size == 2 else None
        self._threshold = threshold
        self._by_order = BY_ORDER if size == 2 else tuple(by_order)
        counts = (
            {"confusion": zeros(size, size + 1)}  # rows true, columns chosen; the last: answers that name no class
            if size <= CONFUSION_LIMIT
            else {"support": zeros(size), "predicted": zeros(size + 1), "hits": zeros(size + 1)}
        )
        self._more = tuple(more)
        self._calibrates = bool({"brier", "ece"} & set(more))
        if self._calibrates:
            counts |= calibration.zero_sums()
        columns = () if size == 2 else (size,)
        kept = {"preference": torch.empty(0, *columns), "target": torch.empty(0, dtype=torch.int32)}
        super().__init__(kept if self._by_order else None, within=zeros(len(self._top_k)), **counts)

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """predictions: logits, any float (B, K). targets: int64 (B,) in 0..K-1. No host sync."""
        sums = self._on(predictions.device)
        size = len(self._classes)
        best, chosen = predictions.detach().max(dim=1)  # (B,), (B,); max hands NaN on
        usable = best.isfinite()
        if self._threshold is not None and self._positive is not None:
            chosen = answered(predictions.detach(), self._threshold, self._positive)
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
        if self._calibrates:
            calibration.add(sums, predictions.detach(), targets)
        if self._by_order:
            answers = torch.where(usable[:, None], predictions.detach(), torch.nan)
            self._keep(preference=_preference(answers, self._positive), target=targets)

    def compute(self) -> Scores:
        """Every metric in 0..1, NaN before the first example. Copies the sums to the host once."""
        support, (*predicted, nonfinite), hits = self._per_class()
        within = self._sums["within"].tolist()
        rows = [class_scores(*row) for row in zip(self._classes, hits, predicted, support, strict=True)]
        count = sum(support)
        shares = {"accuracy": sum(hits)} | {f"top{k}": inside for k, inside in zip(self._top_k, within, strict=True)}
        counts = [np.array(each, dtype=np.float64) for each in (support, predicted, hits)]
        rates = self._rates(hits, support)
        metrics, intervals = self._judge_order()
        return Scores(
            metrics={name: ratio(right, count) for name, right in shares.items()}
            | {name: float(BY_COUNTS[name](*counts)) for name in OVER_CLASSES}
            | metrics
            | {name: ratio(*parts) for name, parts in rates.items()}
            | {name: float(BY_COUNTS[name](*counts)) for name in self._more if name in BY_COUNTS}
            | {name: self._judge(name, support) for name in self._more if name not in BY_COUNTS},
            intervals={name: wilson(right, count) for name, right in shares.items()}
            | intervals
            | {name: wilson(*parts) for name, parts in rates.items() if parts[1]},
            per_class=rows,
            confusion=self._confusion(),
            classes=list(self._classes),
            positive=None if self._positive is None else self._classes[self._positive],
            count=count,
            nonfinite=nonfinite,
            notes=self._notes(support),
        )

    def _judge(self, name: str, support: list[int]) -> float:
        """brier or ece."""
        if name == "brier":
            return calibration.brier(self._sums, sum(support), len(self._classes))
        return calibration.ece(self._sums, sum(support))

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

    def _rates(self, hits: Sequence[int], support: Sequence[int]) -> dict[str, tuple[int, int]]:
        """Right answers and examples of the positive class and of the other one; nothing above two classes."""
        if self._positive is None:
            return {}
        either = (self._positive, 1 - self._positive)
        return {name: (hits[index], support[index]) for name, index in zip(RATES, either, strict=True)}

    def _judge_order(self) -> tuple[dict[str, float], dict[str, Interval]]:
        """auroc and average_precision: of the positive class with their intervals, or the means over the classes."""
        if not self._by_order:
            return {}, {}
        preference, target = self._all("preference").cpu(), self._all("target").cpu()
        if self._positive is None:
            each = [(preference[:, index], target == index) for index in range(len(self._classes))]
            return {name: mean_by_order(name, each) for name in self._by_order}, {}
        positive = target == self._positive
        precision = ranks.average_precision(preference, positive)
        intervals = {
            "auroc": ranks.auroc_interval(preference, positive),
            "average_precision": ranks.average_precision_interval(precision, int(positive.sum())),
        }
        metrics = {"auroc": ranks.auroc(preference, positive), "average_precision": precision}
        return metrics, {name: ends for name, ends in intervals.items() if ends is not None}

    def _notes(self, support: Sequence[int]) -> tuple[str, ...]:
        """The positive class, and which classes a split lacks where that leaves something unmeasured."""
        if not self._by_order:
            return ()
        cut = () if self._threshold is None else (f"answered from a probability of {self._threshold:.3g} on",)
        lacking = [name for name, examples in zip(self._classes, support, strict=True) if not examples]
        if self._positive is not None:
            absent = [f"no example is {name}, so auroc and average_precision are NaN" for name in lacking]
            return (f"positive: {self._classes[self._positive]}", *cut, *absent)
        there = len(self._classes) - len(lacking)
        of = f"{there} of {len(self._classes)}" if lacking else f"{there}"
        return (f"{' and '.join(self._by_order)}: mean over {of} classes, each against the rest",)


def answered(logits: Tensor, threshold: float, positive: int) -> Tensor:
    """Of two classes which is answered, int64 (B,): the positive one from a probability on; with 1 never.

    logits: float (B, 2).
    """
    cut = math.log(threshold / (1 - threshold)) if threshold < 1 else math.inf
    chosen = logits[:, positive] - logits[:, 1 - positive] >= cut
    return chosen.long() if positive == 1 else 1 - chosen.long()


def mean_by_order(name: str, each: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The mean of auroc or average_precision over pairs of scores (N,) and positives (N,), of those that have both."""
    judge = {"auroc": ranks.auroc, "average_precision": ranks.average_precision}[name]
    values = [judge(scores, positive) for scores, positive in each if positive.any() and not positive.all()]
    return ratio(sum(values), len(values))


def _preference(logits: Tensor, positive: int | None) -> Tensor:
    """What orders the examples by the probability of a class: float (B, K), of two classes (B,) for the positive one.

    Not the probabilities themselves: near 0 and 1 different answers would round to the same.
    """
    if positive is not None:
        return logits[:, positive] - logits[:, 1 - positive]
    wide = logits if logits.device.type == "mps" else logits.double()
    return wide.log_softmax(dim=1)


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


def class_scores(name: str, hits: int, predicted: int, support: int) -> ClassScores:
    """From how often a class was answered rightly, was answered, and was true."""
    return ClassScores(
        name=name,
        precision=hits / predicted if predicted else 0.0,
        recall=hits / support if support else 0.0,
        f1=2 * hits / (predicted + support) if predicted + support else 0.0,
        support=support,
    )


def ratio(part: float, whole: int) -> float:
    """The share, NaN of nothing."""
    return part / whole if whole else float("nan")


def zeros(*shape: int) -> Tensor:
    """Counts at the start."""
    return torch.zeros(shape, dtype=torch.int64)
