"""What `ft data check` says: tables for people, a document for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ft.cli.border import SCHEMA_VERSION
from ft.core.data.checks.columns import MOMENTS
from ft.core.data.checks.findings import LEVELS, DataReport, Extent

MOST_CLASSES = 12  # of an output that are listed
STYLES = {"error": "bold red", "warning": "yellow", "info": ""}


def view(report: DataReport) -> list[RenderableType]:
    """Rows, columns, classes, then the findings, worst first."""
    sizes = ", ".join(f"{split} {rows:,}" for split, rows in report.splits.items())
    parts: list[RenderableType] = [Text(f"{report.found}: {sizes}", style="bold"), _columns(report)]
    if report.unused:
        parts.append(f"  not used: {', '.join(report.unused)}")
    parts += [_classes(name, counts) for name, counts in report.classes.items()]
    parts += [Text(f"  {each.level:<8} {each}", style=STYLES[each.level]) for each in report.findings]
    counts = [f"{report.count(level)} {level}{'s' if report.count(level) != 1 else ''}" for level in LEVELS[:2]]
    return [*parts, Text(", ".join(counts), style="bold")]


def document(report: DataReport) -> dict[str, Any]:
    """The same as JSON: plain names, every number in full. Unknown numbers are null."""
    columns = [{**asdict(column), "missing_share": column.missing_share} for column in report.columns]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "data_check",
        "found": report.found,
        "passed": report.count("error") == 0,
        "counts": {level: report.count(level) for level in LEVELS},
        "splits": dict(report.splits),
        "repeated_rows": report.repeated,
        "columns": columns,
        "unused": list(report.unused),
        "classes": {
            name: {split: dict(each) for split, each in counts.items()} for name, counts in report.classes.items()
        },
        "findings": [{**asdict(each), "rows": list(each.rows)} for each in report.findings],
    }


def _columns(report: DataReport) -> Table:
    table = _table("column", "", "type", "missing", "distinct", "from", "to", "mean", "of", right=(3, 4, 5, 6, 7))
    for column in report.columns:
        missing = f"{column.missing:,} ({100 * column.missing_share:.1f} %)" if column.missing else "-"
        table.add_row(column.name, column.role, column.type, missing, f"{column.distinct:,}", *_extent(column.extent))
    return table


def _classes(name: str, counts: Mapping[str, Mapping[str, int]]) -> Table:
    """The rows of each class by split, largest class of training first."""
    table = _table(name, *counts, right=range(1, len(counts) + 1))
    names = list(dict.fromkeys(each for there in counts.values() for each in there))
    for each in names[:MOST_CLASSES]:
        table.add_row(each, *(f"{there.get(each, 0):,}" for there in counts.values()))
    if len(names) > MOST_CLASSES:
        rest = (sum(there.get(each, 0) for each in names[MOST_CLASSES:]) for there in counts.values())
        table.add_row(f"{len(names) - MOST_CLASSES:,} more", *(f"{number:,}" for number in rest))
    return table


def _extent(extent: Extent | None) -> list[str]:
    """From, to, mean and unit; moments as days."""
    if extent is None:
        return [""] * 4
    numbers = (extent.minimum, extent.maximum, extent.mean)
    if extent.unit == MOMENTS:
        return [*(_day(each) for each in numbers), ""]
    return [*(_number(each) for each in numbers), extent.unit]


def _day(moment: float) -> str:
    return (datetime(1970, 1, 1) + timedelta(seconds=moment)).strftime("%Y-%m-%d")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:,.4g}"


def _table(*columns: str, right: Any = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=True, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index in right else "left", overflow="fold")
    return table
