"""An evaluation as people read it: the verdict, every metric with its interval, parts of the examples, the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ft.cli import robustness_view
from ft.cli.views import View, bold, reading, shown, table, with_interval
from ft.core.errors import visible
from ft.core.metrics.scores import ClassScores, Interval
from ft.core.report.text import duration, number

if TYPE_CHECKING:
    from ft.core.stages.results import EvalResult

WIDEST_CONFUSION = 12


def evaluation(result: EvalResult) -> View:
    """The verdict, every metric with its interval, the classes."""
    unit = next(iter(result.evaluation.scores.values())).unit
    examples = f"{result.evaluation.examples:,} {result.split} {unit}"
    head = f"{result.name}: {shown(result.checkpoint)}, {examples} in {duration(result.seconds)} ({result.precision})"
    view: View = [bold(head), _metrics(result.metrics, result.intervals)]
    view += reading(result)
    if result.slices:
        view.append(_slices(result))
    for name, scores in result.evaluation.scores.items():
        if scores.per_class:
            view.append(_classes(name, scores.per_class))
        if scores.confusion and scores.classes and len(scores.classes) <= WIDEST_CONFUSION:
            view.append(_confusion(scores.classes, scores.confusion))
    view += robustness_view.view(result.robustness)
    view += [Text(visible(f"  gate {gate}"), style="" if gate.passed else "bold red") for gate in result.gates]
    if result.run is not None:
        view.append(f"  report  {shown(result.run / f'report-{result.split}.html')}")
    return view


def _metrics(metrics: Mapping[str, float], intervals: Mapping[str, Interval]) -> Table:
    rows = table("metric", "value", "95 % interval", right=(1,))
    for name, value in metrics.items():
        ends = intervals.get(name)
        rows.add_row(name, number(value), f"{number(ends[0])} to {number(ends[1])}" if ends else "")
    return rows


def _classes(output: str, classes: Sequence[ClassScores]) -> Table:
    rows = table(output, "precision", "recall", "f1", "examples", right=(1, 2, 3, 4))
    for row in classes:
        rows.add_row(row.name, number(row.precision), number(row.recall), number(row.f1), f"{row.support:,}")
    return rows


def _confusion(classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> Table:
    rows = table("true \\ predicted", *classes, right=range(1, len(classes) + 1))
    for name, row in zip(classes, matrix, strict=True):
        rows.add_row(name, *(str(count) if count else "." for count in row))
    return rows


def _slices(result: EvalResult) -> Table:
    """The main metric of each output, part by part, each with its interval."""
    rows = table("slice", "examples", *result.main_metrics, right=(1,))
    for each in result.slices:
        cells = [
            with_interval(each.metrics[name], each.intervals.get(name)) if each.count else ""
            for name in result.main_metrics
        ]
        rows.add_row(each.name, f"{each.count:,}", *cells)
    return rows
