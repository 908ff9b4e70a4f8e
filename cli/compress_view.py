"""What `ft compress` made and measured, as people read it: what was done, both models in a table, the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from ft.cli.views import View, bold, shown, table, with_interval
from ft.core.stages.compress_result import Compressed, Row


def view(result: Compressed) -> View:
    """A headline, what was done, before beside after, what may be said of it."""
    where = f"{result.device} ({result.precision}, {result.threads} thread{'s' if result.threads > 1 else ''})"
    head = (
        f"{result.name}: {shown(result.checkpoint)} compressed, {result.examples:,} {result.split} examples on {where}"
    )
    return [
        bold(head),
        *(f"  {line}" for line in result.how),
        _rows(result),
        *(f"  {line}" for line in result.verdict),
        *(Text(f"  gate {gate}", style="" if gate.passed else "bold red") for gate in result.gates),
        f"  written  {shown(result.out)}",
    ]


def document(result: Compressed) -> dict[str, Any]:
    """Every figure, and the sentences that they allow."""
    return {**asdict(result), "verdict": result.verdict, "passed": result.passed}


def _rows(result: Compressed) -> Table:
    """A column for each model: there are more figures than models."""
    rows = table("", *(_called(row) for row in result.rows), right=range(1, len(result.rows) + 1))
    cells = {
        name: [_cells(row, result.main_metrics)[name] for row in result.rows]
        for name in _cells(result.rows[0], result.main_metrics)
    }
    for name, each in cells.items():
        rows.add_row(name, *each)
    return rows


def _called(row: Row) -> str:
    return row.model if row.runtime == "torch" else f"{row.model}, {row.runtime}"


def _cells(row: Row, metrics: tuple[str, ...]) -> Mapping[str, str]:
    speeds = {
        f"{name}, batch {size}, ms": f"{value:.3g}"
        for size, each in row.latency.items()
        for name, value in (("p50", each.p50_ms), ("p95", each.p95_ms))
    }
    return {
        "file, MB": f"{row.file_bytes / 1e6:.4g}",
        **({"zipped, MB": f"{row.zipped_bytes / 1e6:.4g}"} if row.zipped_bytes is not None else {}),
        "parameters": f"{row.parameters:,}",
        "not zero": f"{row.nonzero:,}",
        "memory, MB": "not measured" if row.memory_bytes is None else f"{row.memory_bytes / 1e6:.3g}",
        **speeds,
        **{name: with_interval(row.metrics[name], row.intervals.get(name)) for name in metrics},
    }
