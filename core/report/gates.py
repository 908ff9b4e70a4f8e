"""Gates: the least values a model must reach. A score that is missing, NaN or infinite never passes.

The caller decides what a failed gate means (exit 3); names are checked before anything runs, results after.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ft.core.config.suggest import nearest
from ft.core.errors import Problem, TreePath
from ft.core.metrics.scores import Interval


@dataclass(frozen=True)
class GateResult:
    """One gate. value: what was reached, None when the metric is missing. interval: its 95 % one, if it has one."""

    metric: str
    threshold: float
    value: float | None
    passed: bool
    interval: Interval | None = None

    def __str__(self) -> str:
        """One line: what was asked, what was reached."""
        reached = "not measured" if self.value is None else f"{self.value:.6g}"
        return f"{self.metric} >= {self.threshold:.6g}: {reached}, {'passed' if self.passed else 'FAILED'}"


def check_gates(
    minimum: Mapping[str, float], metrics: Mapping[str, float], intervals: Mapping[str, Interval]
) -> list[GateResult]:
    """Every gate against the value itself, not its interval's lower end; in the order given."""
    return [
        GateResult(metric, threshold, value, _reaches(value, threshold), intervals.get(metric))
        for metric, threshold in minimum.items()
        for value in [metrics.get(metric)]
    ]


def unknown_metrics(
    names: Mapping[str, float] | Sequence[str], known: Collection[str], at: TreePath = ()
) -> list[Problem]:
    """A problem for every name that no output reports.

    at: the setting that holds the names, e.g. `("eval", "min")`; each problem's path goes on with the key or index.
    """
    keys: Sequence[str | int] = list(names) if isinstance(names, Mapping) else range(len(names))
    return [
        Problem(f"{name} is not a metric of this experiment; {_hint(name, known)}", (*at, key))
        for key, name in zip(keys, names, strict=True)
        if name not in known
    ]


def upside_down(minimum: Mapping[str, float], lower_is_better: Collection[str], at: TreePath = ()) -> list[Problem]:
    """A problem for every gate on a metric that is better when smaller: a least value would let only bad models in."""
    return [
        Problem(f"{name} is better when smaller, so a least value cannot be its gate", (*at, name))
        for name in minimum
        if name in lower_is_better
    ]


def _reaches(value: float | None, threshold: float) -> bool:
    return value is not None and math.isfinite(value) and value >= threshold


def _hint(name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    return f"did you mean {near}?" if near else f"there are {', '.join(known)}"
