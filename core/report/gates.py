"""Gates: what a model must reach. A score that is missing, NaN or infinite never passes.

A gate looks at the score itself, or (`lower_bound`) at that end of its 95 % interval which speaks against the model:
then the data must show that it is good enough, not merely fail to show that it is not. The caller decides what a failed
gate means (exit 3); names are checked before anything runs, results after.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ft.core.config.suggest import nearest
from ft.core.errors import Problem, TreePath
from ft.core.metrics.intervals import wilson
from ft.core.metrics.resampling import Drop
from ft.core.metrics.scores import Interval, Scores, SliceScores

Basis = Literal["estimate", "lower_bound"]
LEVEL = 0.05  # of the test whether a drop is chance


@dataclass(frozen=True)
class Gates:
    """What is asked. minimum, maximum: by metric. per_class: least precision, recall or F1 of every class. max_drop:
    how much worse than a baseline, by metric. per_slice: least value in every slice, or largest of what is better when
    smaller.
    """

    minimum: Mapping[str, float] = field(default_factory=dict)
    maximum: Mapping[str, float] = field(default_factory=dict)
    per_class: Mapping[str, float] = field(default_factory=dict)
    max_drop: Mapping[str, float] = field(default_factory=dict)
    per_slice: Mapping[str, float] = field(default_factory=dict)
    on: Basis = "estimate"


@dataclass(frozen=True)
class GateResult:
    """One gate. metric: or `recall of CLASS`, or `drop of METRIC`. value: what was reached, None when it was not
    measured. interval: its 95 % one, if it has one. bound: whether the threshold is a least or a largest value. p: of a
    drop, the probability of such a one between equal models.
    """

    metric: str
    threshold: float
    value: float | None
    passed: bool
    interval: Interval | None = None
    bound: Literal["min", "max"] = "min"
    on: Basis = "estimate"
    p: float | None = None

    @property
    def asked(self) -> str:
        """As `accuracy >= 0.98`."""
        return f"{self.metric} {'>=' if self.bound == 'min' else '<='} {self.threshold:.6g}"

    @property
    def reached(self) -> str:
        """The value, and the end of its interval where that decides."""
        if self.value is None:
            return "not measured"
        if self.on == "estimate":
            chance = "" if self.p is None else f", by chance with p = {self.p:.3g}"
            return f"{self.value:.6g}{chance}"
        if self.interval is None:
            return f"{self.value:.6g}, which has no interval to hold against it"
        way, end = ("down", self.interval[0]) if self.bound == "min" else ("up", self.interval[1])
        return f"{self.value:.6g}, by its 95 % interval {way} to {end:.6g}"

    def __str__(self) -> str:
        """One line: what was asked, what was reached."""
        return f"{self.asked}: {self.reached}, {'passed' if self.passed else 'FAILED'}"


def check_gates(
    gates: Gates, metrics: Mapping[str, float], intervals: Mapping[str, Interval], scores: Mapping[str, Scores]
) -> list[GateResult]:
    """Every gate, in the order given: least values, largest values, then class by class. scores: by output."""
    results = [
        _least(name, least, metrics.get(name), intervals.get(name), gates) for name, least in gates.minimum.items()
    ]
    results += [
        _most(name, most, metrics.get(name), intervals.get(name), gates) for name, most in gates.maximum.items()
    ]
    for asked, least in gates.per_class.items():
        output, _, metric = asked.rpartition("/")
        for name, value, interval in _of_classes(metric, scores, output):
            results.append(_least(name, least, value, interval, gates))
    return results


def check_slices(gates: Gates, slices: Sequence[SliceScores], lower_is_better: Collection[str]) -> list[GateResult]:
    """Every gate of every slice. One without examples never passes: nothing was measured."""
    return [
        (_most if metric in lower_is_better else _least)(
            f"{metric} of {each.name}", threshold, each.metrics.get(metric), each.intervals.get(metric), gates
        )
        for metric, threshold in gates.per_slice.items()
        for each in slices
    ]


def check_drops(gates: Gates, drops: Mapping[str, Drop]) -> list[GateResult]:
    """Every gate against a baseline. By the estimate one fails where the drop exceeds the margin and is not chance; by
    the lower bound it passes only where the drop's interval lies within the margin. drops: by metric.
    """
    results = []
    for metric, margin in gates.max_drop.items():
        drop = drops[metric]
        shown_small, shown_large = drop.interval[1] <= margin, drop.value > margin and drop.p < LEVEL
        passed = not shown_large if gates.on == "estimate" else shown_small
        measured = math.isfinite(drop.value)
        value, interval = (drop.value, drop.interval) if measured else (None, None)
        name = f"drop of {metric}"
        results.append(GateResult(name, margin, value, measured and passed, interval, "max", gates.on, drop.p))
    return results


def _least(name: str, least: float, value: float | None, interval: Interval | None, gates: Gates) -> GateResult:
    decides = value if gates.on == "estimate" else interval and interval[0]
    passed = _is_number(value) and decides is not None and decides >= least
    return GateResult(name, least, value, passed, interval, "min", gates.on)


def _most(name: str, most: float, value: float | None, interval: Interval | None, gates: Gates) -> GateResult:
    decides = value if gates.on == "estimate" else interval and interval[1]
    passed = _is_number(value) and decides is not None and decides <= most
    return GateResult(name, most, value, passed, interval, "max", gates.on)


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _of_classes(
    metric: str, scores: Mapping[str, Scores], only: str
) -> Iterator[tuple[str, float | None, Interval | None]]:
    """Of every class of every output what the metric is called, its value and interval. None where nothing was
    measured: the recall of a class without examples, the precision of one that was never answered. only: the output's
    name, "" for all.
    """
    for output, each in scores.items():
        if only not in ("", output):
            continue
        place = "" if len(scores) == 1 else f"{output}/"
        answered = [sum(column) for column in zip(*each.confusion, strict=True)] if each.confusion else None
        for index, row in enumerate(each.per_class or ()):
            hits, value = round(row.recall * row.support), getattr(row, metric)
            of = {"recall": row.support, "precision": None if answered is None else answered[index], "f1": row.support}
            count = of[metric]
            interval = wilson(hits, count) if count and metric != "f1" else None
            yield f"{place}{metric} of {row.name}", value if count != 0 else None, interval


def unknown_metrics(
    names: Mapping[str, float] | Sequence[str], known: Collection[str], at: TreePath = (), more: Collection[str] = ()
) -> list[Problem]:
    """A problem for every name that no output reports. more: names that would be reported if they were asked for.

    at: the setting that holds the names, e.g. `("eval", "min")`; each problem's path goes on with the key or index.
    """
    keys: Sequence[str | int] = list(names) if isinstance(names, Mapping) else range(len(names))
    return [
        Problem(f"{name} is not a metric of this experiment; {_hint(name, [*known, *more])}", (*at, key))
        for key, name in zip(keys, names, strict=True)
        if name not in known
    ]


def upside_down(gates: Gates, lower_is_better: Collection[str], known: Collection[str]) -> list[Problem]:
    """A problem for every gate that would let only bad models in: a least value of what is better when smaller, or the
    reverse.
    """
    least = [
        Problem(f"{name} is better when smaller, so a least value cannot be its gate; max can", ("eval", "min", name))
        for name in gates.minimum
        if name in lower_is_better
    ]
    most = [
        Problem(f"{name} is better when larger, so a largest value cannot be its gate; min can", ("eval", "max", name))
        for name in gates.maximum
        if name in known and name not in lower_is_better
    ]
    return [*least, *most]


def _hint(name: str, known: Collection[str]) -> str:
    near = next((each for each in known if name and each.startswith(name)), None) or nearest(name, known)
    return f"did you mean {near}?" if near else f"there are {', '.join(known)}"
