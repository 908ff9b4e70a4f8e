"""How far a score may be off, and whether one model's is worse than another's, by drawing the examples anew.

Efron's bootstrap ("Bootstrap methods: another look at the jackknife", 1979): as many examples are drawn as there are,
with replacement, two thousand times; a metric is then a function of how often each example was drawn, and the spread of
its values is how far the score may be from that of endless data. Two models' scores are computed from the same draws,
so what makes examples hard cancels. Draws are the same every time.

Examples that are alike for a metric (the same true class, the same answer) are drawn as one group of so many.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft.core.metrics.agreement import BY_COUNTS
from ft.core.metrics.scores import Interval

Weights = NDArray[np.float32]  # (B, M): how often each of M examples, or groups of them, was drawn; B times
Values = NDArray[np.float64]  # (B,)
Statistic = Callable[[Weights], Values]

RESAMPLES = 2_000
MANY = 100_000  # examples or groups, above which nothing is resampled
_ROOM = 4_000_000  # weights at once: 16 MB


@dataclass(frozen=True)
class Drop:
    """How much worse, in the metric's own units; negative where it is better. interval: its 95 % one. p: the
    probability of such a drop or a larger one between equal models.
    """

    value: float
    interval: Interval
    p: float


UNKNOWN = Drop(math.nan, (math.nan, math.nan), math.nan)


@dataclass(frozen=True)
class Sampled:
    """A metric ready to be resampled. counts: how many examples each group holds, int64 (M,). biased: resampling moves
    it to one side, as a sum of absolute differences grows with noise; the interval is moved back.
    """

    statistic: Statistic
    counts: NDArray[np.int64]
    biased: bool = False


# ---------------------------------------------------------------- verdicts


def interval(sampled: Sampled) -> Interval | None:
    """The 95 % percentile interval; None where resamples leave the metric undefined or all alike, or are too many."""
    if not 1 < len(sampled.counts) <= MANY:
        return None
    values = resampled([sampled.statistic], sampled.counts)[0]
    if not np.isfinite(values).all() or values.min() == values.max():  # of a perfect score: no draw could tell more
        return None
    if sampled.biased:
        values = values - (values.mean() - _as_it_is(sampled.statistic, sampled.counts))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def drop(before: Statistic, after: Statistic, counts: NDArray[np.int64], *, lower_is_better: bool) -> Drop:
    """The paired comparison: both speak of the same M groups of examples."""
    sign = -1.0 if lower_is_better else 1.0
    value = sign * (_as_it_is(before, counts) - _as_it_is(after, counts))
    if not math.isfinite(value) or len(counts) > MANY:
        return UNKNOWN
    old, new = resampled([before, after], counts)
    lost = sign * (old - new)
    lost = lost[np.isfinite(lost)]  # a resample without a class that the metric needs says nothing
    if len(lost) < RESAMPLES // 2:
        return UNKNOWN
    low, high = np.quantile(lost, [0.025, 0.975])
    beyond = int((lost - value >= value).sum())  # moved to where equal models would have them
    return Drop(value, (float(low), float(high)), (beyond + 1) / (len(lost) + 1))


def resampled(statistics: Sequence[Statistic], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of the same RESAMPLES draws each statistic's values: (S, RESAMPLES)."""
    found: list[list[Values]] = [[] for _ in statistics]
    for weights in _draws(counts):
        for values, statistic in zip(found, statistics, strict=True):
            values.append(statistic(weights))
    return np.stack([np.concatenate(values) for values in found])


def _draws(counts: NDArray[np.int64]) -> Iterator[Weights]:
    draw, groups, examples = np.random.default_rng(0), len(counts), int(counts.sum())
    rows = max(1, _ROOM // groups)
    for start in range(0, RESAMPLES, rows):
        some = min(rows, RESAMPLES - start)
        if examples == groups:  # each on its own: cheaper than a multinomial of so many
            drawn = draw.integers(0, groups, (some, groups)) + groups * np.arange(some)[:, None]
            yield np.bincount(drawn.ravel(), minlength=some * groups).reshape(some, groups).astype(np.float32)
        else:
            yield draw.multinomial(examples, counts / examples, some).astype(np.float32)


def _as_it_is(statistic: Statistic, counts: NDArray[np.int64]) -> float:
    return float(statistic(counts.astype(np.float32)[None])[0])


# ---------------------------------------------------------------- statistics


def grouped(*keys: NDArray[np.int64]) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    """Examples that agree in all keys, each (N,), as one: the keys of the groups, each (M,), and their counts (M,)."""
    found, counts = np.unique(np.stack(keys), axis=1, return_counts=True)
    return list(found), counts.astype(np.int64)


def by_counts(metric: str, targets: NDArray[np.int64], answers: NDArray[np.int64], classes: int) -> Statistic:
    """One of BY_COUNTS. targets, answers: (M,), below `classes`."""
    right = targets == answers

    def statistic(weights: Weights) -> Values:
        support, predicted = _by_class(weights, targets, classes), _by_class(weights, answers, classes)
        hits = _by_class(weights[:, right], targets[right], classes)
        return BY_COUNTS[metric](support, predicted, hits)

    return statistic


def of_means(features: NDArray[np.float64], combine: Callable[[NDArray[np.float64]], Values]) -> Statistic:
    """A function of means over the examples. features: (M, F). combine: means (B, F) -> (B,)."""
    wide = features.astype(np.float64)

    def statistic(weights: Weights) -> Values:
        return combine(weights.astype(np.float64) @ wide / weights.sum(1, keepdims=True, dtype=np.float64))

    return statistic


def mean_of(values: NDArray[np.floating]) -> Statistic:
    """The mean of a value of each example, (M,)."""
    return of_means(values.astype(np.float64)[:, None], lambda means: means[:, 0])


def by_order(metric: str, scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> Statistic:
    """auroc or average_precision, as ranks.py has them. scores, positive: (M,). NaN without both kinds."""
    _, group = np.unique(-scores, return_inverse=True)  # 0: the highest score
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    mine = positive[order]

    def statistic(weights: Weights) -> Values:
        drawn = weights[:, order].astype(np.float64)
        found = np.add.reduceat(drawn * mine, starts, axis=1)  # (B, G) positives of each score
        seen = np.add.reduceat(drawn, starts, axis=1)
        positives, all_found, all_seen = found.sum(1), found.cumsum(1), seen.cumsum(1)
        negatives = all_seen[:, -1] - positives
        with np.errstate(divide="ignore", invalid="ignore"):
            if metric == "auroc":
                above = (all_seen[:, -1:] - all_seen) - (positives[:, None] - all_found)  # negatives scored lower
                parts, whole = found * (above + (seen - found) / 2), positives * negatives
            else:
                parts = found * np.divide(all_found, all_seen, out=np.zeros_like(seen), where=all_seen > 0)
                whole = np.where(negatives > 0, positives, 0)
            area: Values = np.where(whole > 0, parts.sum(1) / whole, np.nan)
        return area

    return statistic


def mean_over(parts: Sequence[Statistic]) -> Statistic:
    """The mean of those that are defined: over classes or labels."""

    def statistic(weights: Weights) -> Values:
        values = np.stack([part(weights) for part in parts])
        there = np.isfinite(values)
        count = there.sum(0)
        total = np.where(there, values, 0).sum(0)
        mean: Values = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
        return mean

    return statistic


def intervals(sampled: Mapping[str, Sampled]) -> dict[str, Interval]:
    """By metric, of those that have one."""
    found = {metric: interval(each) for metric, each in sampled.items()}
    return {metric: ends for metric, ends in found.items() if ends is not None}


def _by_class(weights: Weights, labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """The sum of the weights (B, M) of each label: float64 (B, K)."""
    totals = np.zeros((len(weights), classes))
    if len(labels):
        order = np.argsort(labels, kind="stable")
        own = labels[order]
        starts = np.flatnonzero(np.diff(own, prepend=-1))
        totals[:, own[starts]] = np.add.reduceat(weights[:, order], starts, axis=1, dtype=np.float64)
    return totals
