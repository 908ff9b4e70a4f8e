"""What `ft export` wrote and how far its answers are from the checkpoint's: as people read it, and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from ft.cli.views import bold, shown, table
from ft.core.report.text import duration, number

if TYPE_CHECKING:  # torch's exporter is loaded by the one command that needs it
    from ft.core.stages.export import Exported, ExportedFile
    from ft.core.stages.parity import Parity


def view(result: Exported) -> list[RenderableType]:
    """The files, each with its differences; the card."""
    checked = "not checked" if result.split is None else f"checked on the {result.split} split"
    head = f"{result.name}: {shown(result.checkpoint)} exported in {duration(result.seconds)}, {checked}"
    rows = table("file", "bytes", "of", "largest difference", "held against", right=(1, 3, 4))
    for file in result.files:
        differences = (*file.parity.raw, *file.parity.metrics) if file.parity else ()
        rows.add_row(shown(file.path), f"{file.size:,}", *_cells(differences[0] if differences else None))
        for each in differences[1:]:
            rows.add_row("", "", *_cells(each))
    lines: list[RenderableType] = [bold(head), rows]
    if parity := next((file.parity for file in result.files if file.parity), None):
        sizes = ", ".join(map(str, parity.batch_sizes))
        lines.append(f"  {parity.examples:,} examples, batches of {sizes}; tolerance {parity.tolerance:g}")
    lines += [Text(f"  {each}", style="bold red") for each in result.failures]
    return [*lines, f"  card      {shown(result.card)}"]


def _cells(each: Any) -> tuple[str, str, str]:
    return ("", "", "") if each is None else (each.name, f"{each.largest:.2g}", number(each.scale))


def document(result: Exported) -> dict[str, Any]:
    """Plain values, without schema_version and kind."""
    evaluation = result.evaluation
    return {
        "name": result.name,
        "checkpoint": result.checkpoint,
        "split": result.split,
        "passed": not result.failures,
        "failures": result.failures,
        "files": [_file(file) for file in result.files],
        "card": result.card,
        "metrics": None if evaluation is None else evaluation.metrics,
        "intervals": None if evaluation is None else evaluation.intervals,
        "seconds": result.seconds,
    }


def _file(file: ExportedFile) -> dict[str, Any]:
    parity = None if file.parity is None else _parity(file.parity)
    return {"format": file.format, "path": file.path, "bytes": file.size, "parity": parity}


def _parity(parity: Parity) -> dict[str, Any]:
    return {
        "examples": parity.examples,
        "batch_sizes": parity.batch_sizes,
        "tolerance": parity.tolerance,
        "raw": {each.name: {"largest": each.largest, "scale": each.scale} for each in parity.raw},
        "metrics": {
            each.name: {
                "before": parity.before[each.name],
                "after": parity.after[each.name],
                "largest": each.largest,
                "scale": each.scale,
            }
            for each in parity.metrics
        },
    }
