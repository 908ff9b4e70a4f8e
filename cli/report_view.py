"""Runs side by side, as people read them in a terminal and as the JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ft.cli.views import bold, shown, table
from ft.core.report import comparison
from ft.core.report.comparison import Comparison, splits
from ft.core.report.page import Block, Bullets, Cell, Words
from ft.core.report.page import Table as Rows


def view(found: Comparison, written: Sequence[Path]) -> list[RenderableType]:
    """The runs, their main scores, whether they differ by more than chance, settings that differ; files written."""
    view: list[RenderableType] = [_rows(comparison.run_table(found.runs))]
    main = {metric for run in found.runs for metric in run.main or _all(run)} | {"loss"}
    for split in splits(found.runs):
        view += [bold(f"{split}"), _rows(_only(comparison.score_table(found.runs, split), main))]
    view += _blocks(comparison.differences(found))
    view += _blocks(comparison.setting_table(found))
    view += [Text(f"  {note}", style="bold red") for note in found.notes]
    return [*view, *(f"  report    {shown(path)}" for path in written)]


def document(found: Comparison, written: Sequence[Path]) -> dict[str, Any]:
    """What `--json` prints, without its head."""
    runs = [{**asdict(run), "scores": _scores(run)} for run in found.runs]
    differences = [
        {**asdict(each), "run": found.runs[each.other].path, "against": found.runs[0].path, "verdict": each.verdict}
        for each in found.differences
    ]
    return {
        "runs": runs,
        "settings": found.settings,
        "differences": differences,
        "notes": found.notes,
        "files": written,
    }


def _scores(run: comparison.Side) -> dict[str, Any]:
    return {
        split: {metric: {"value": value, "interval": ends} for metric, (value, ends) in metrics.items()}
        for split, metrics in run.scores.items()
    }


def _all(run: comparison.Side) -> list[str]:
    """Of a run that has not said yet what speaks for it."""
    return [metric for metrics in run.scores.values() for metric in metrics]


def _only(rows: Rows, metrics: set[str]) -> Rows:
    kept = [row for row in rows.rows if _text(row[0]) in metrics]
    return Rows(rows.caption, rows.head, kept, rows.right)


def _blocks(blocks: Sequence[Block]) -> list[RenderableType]:
    found: list[RenderableType] = []
    for block in blocks:
        match block:
            case Rows():
                found += [bold(block.caption), _rows(block)]
            case Words(text):
                found.append(f"  {text}")
            case Bullets(lines):
                found += [f"  {line}" for line in lines]
    return found


def _rows(rows: Rows) -> Table:
    printed = table(*rows.head, right=rows.right)
    for row in rows.rows:
        printed.add_row(*map(_text, row))
    return printed


def _text(cell: Cell | str) -> str:
    return cell if isinstance(cell, str) else cell.text
