"""How parts of the examples fared, as a table: the metrics that speak for each output, part by part."""

from __future__ import annotations

from collections.abc import Sequence

from ft.core.metrics.scores import SliceScores
from ft.core.report.page import Block, Table
from ft.core.report.text import interval, number


def slice_table(slices: Sequence[SliceScores], metrics: Sequence[str]) -> list[Block]:
    """metrics: by flat name. Empty without slices; a part without examples says so."""
    if not slices:
        return []
    rows = [[each.name, f"{each.count:,}", *(_cell(each, metric) for metric in metrics)] for each in slices]
    return [Table("Parts of the examples on their own", ["slice", "examples", *metrics], rows, right=(1,))]


def _cell(part: SliceScores, metric: str) -> str:
    if not part.count:
        return "no examples"
    ends = part.intervals.get(metric)
    return number(part.metrics[metric]) + (f" ({interval(ends)})" if ends else "")
