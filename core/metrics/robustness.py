"""How much worse a model becomes when its inputs are corrupted: by corruption and severity, and in one number.

The number is the mean over corruptions of the mean over severities of a metric, and the same relative to the clean
metric. Hendrycks and Dietterich 2019 (arXiv:1903.12261) divide each corruption's error by AlexNet's before the mean;
there is no such yardstick for every kind of data, so here none is used and all corruptions count alike.

Every pass judges the same examples, so drops are paired (comparison.py). Intervals speak of the sample of examples; the
corruptions, their severities and their draws are taken as given. A root of a mean, as the RMSE is, gets the interval of
its linear approximation (delta method). Metrics that are no mean over examples have no interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft.core.metrics.comparison import compare
from ft.core.metrics.intervals import wilson
from ft.core.metrics.scores import Interval

Examples = Mapping[str, NDArray[np.float32]]  # by metric, (N,), in one order for every pass


@dataclass(frozen=True)
class Pass:
    """What one corruption at one severity left. metrics: by flat name. examples: those that are means, one by one."""

    corruption: str
    severity: int
    metrics: Mapping[str, float]
    examples: Examples


@dataclass(frozen=True)
class Degraded:
    """A metric at one severity. drop: how much worse than clean, in its own units; interval: the drop's, of 95 %."""

    severity: int
    value: float
    drop: float
    interval: Interval | None


@dataclass(frozen=True)
class CorruptionScores:
    """One corruption: value, drop and interval as of `Degraded`, of the mean over its severities."""

    corruption: str
    inputs: tuple[str, ...]
    severities: tuple[Degraded, ...]
    value: float
    drop: float
    interval: Interval | None


@dataclass(frozen=True)
class RobustnessScores:
    """A metric clean and corrupted. value: the mean corruption score; relative: of the clean value. drop: how much
    worse that is; drop_interval: its 95 % one.
    """

    metric: str
    clean: float
    value: float
    relative: float
    drop: float
    drop_interval: Interval | None
    corruptions: tuple[CorruptionScores, ...]


@dataclass(frozen=True)
class Robustness:
    """outputs: of each one's main metric. untouched: inputs that no corruption changes. means: the mean corruption
    score of every metric, by flat name; intervals: of those that have one. passes: how often the data were judged.
    """

    outputs: tuple[RobustnessScores, ...]
    untouched: tuple[str, ...]
    means: dict[str, float]
    intervals: dict[str, Interval]
    passes: int
    seed: int


def robustness_of(
    metric: str,
    clean: Mapping[str, float],
    examples: Examples,
    passes: Sequence[Pass],
    inputs: Mapping[str, tuple[str, ...]],
    *,
    lower_is_better: bool,
) -> RobustnessScores:
    """clean, examples: of the pass without corruption. inputs: which ones each corruption changed."""
    before = by_example(metric, examples)

    def drop(value: float, some: Sequence[Pass]) -> tuple[float, Interval | None]:
        difference = value - clean[metric] if lower_is_better else clean[metric] - value
        after = mean_by_example(metric, some)
        if before is None or after is None:
            return difference, None
        interval = compare(before, after, lower_is_better=lower_is_better).interval
        return difference, interval if all(map(math.isfinite, interval)) else None

    rows = []
    for name, some in _by_corruption(passes).items():
        severities = (Degraded(e.severity, e.metrics[metric], *drop(e.metrics[metric], [e])) for e in some)
        value = _mean([each.metrics[metric] for each in some])
        rows.append(CorruptionScores(name, inputs[name], tuple(severities), value, *drop(value, some)))
    value, base = _mean([row.value for row in rows]), clean[metric]
    relative = value / base if base else math.nan
    return RobustnessScores(metric, base, value, relative, *drop(value, passes), tuple(rows))


def mean_scores(passes: Sequence[Pass]) -> tuple[dict[str, float], dict[str, Interval]]:
    """The mean corruption score of every metric, and the 95 % intervals of those that are means over examples."""
    groups = _by_corruption(passes).values()
    means = {name: _mean([_mean([e.metrics[name] for e in some]) for some in groups]) for name in passes[0].metrics}
    intervals = {}
    for name in means:
        values = mean_by_example(name, passes)
        if values is not None and np.isfinite(values).all():
            intervals[name] = _interval_of_mean(values)
    return means, intervals


def by_example(metric: str, examples: Examples) -> NDArray[np.float32] | None:
    """(N,), whose mean is the metric; None where there is no such thing."""
    if metric in examples:
        return examples[metric]
    squares = examples.get(f"{metric.removesuffix('rmse')}mse") if metric.endswith("rmse") else None
    if squares is None:
        return None
    root = math.sqrt(squares.mean(dtype=np.float64))
    linear: NDArray[np.float32] = (root + (squares - root * root) / (2 * root) if root else squares).astype(np.float32)
    return linear


def mean_by_example(metric: str, passes: Sequence[Pass]) -> NDArray[np.float32] | None:
    """What each example scores in the mean over corruptions of the mean over severities: float32 (N,)."""
    groups = _by_corruption(passes).values()
    total = np.zeros(())
    for some in groups:
        for each in some:
            values = by_example(metric, each.examples)
            if values is None:
                return None
            total = total + values / np.float64(len(some) * len(groups))
    return total.astype(np.float32)


def _interval_of_mean(values: NDArray[np.float32]) -> Interval:
    if set(np.unique(values)) <= {0.0, 1.0}:
        return wilson(float(values.sum(dtype=np.float64)), len(values))
    return compare(values, np.zeros_like(values), lower_is_better=False).interval


def _by_corruption(passes: Sequence[Pass]) -> dict[str, list[Pass]]:
    groups: dict[str, list[Pass]] = {}
    for each in passes:
        groups.setdefault(each.corruption, []).append(each)
    return groups


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.nan
