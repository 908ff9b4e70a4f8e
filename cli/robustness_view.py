"""What corruptions cost, on the terminal: drops by severity, their mean with its interval, the score in one line."""

from __future__ import annotations

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ft.core.metrics.robustness import Robustness
from ft.core.report.robustness import severities_of, summary
from ft.core.report.text import number


def view(found: Robustness | None) -> list[RenderableType]:
    """A table for each output. The drop's interval at every severity is in the report and in JSON."""
    lines: list[RenderableType] = []
    for scores in found.outputs if found else ():
        severities = severities_of(scores)
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=True, header_style="bold")
        table.add_column(f"drop of {scores.metric}", overflow="fold")
        for head in (*map(str, severities), "mean"):
            table.add_column(head, justify="right")
        table.add_column("95 % interval")
        for row in scores.corruptions:
            at = {each.severity: number(each.drop) for each in row.severities}
            ends = f"{number(row.interval[0])} to {number(row.interval[1])}" if row.interval else ""
            cells = [at.get(severity, "") for severity in severities]
            table.add_row(row.corruption, *cells, number(row.drop), ends)
        lines += [table, Text(f"  corrupted: {summary(scores)}", style="bold")]
    return lines
