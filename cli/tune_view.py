"""What `ft tune` found, as people read it and as documents."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ft.cli import documents
from ft.core.errors import ResourceError
from ft.core.report.lr_curve import chart, curve
from ft.core.report.text import duration, number
from ft.core.report.tuning import counts, ranked, shown
from ft.core.stages.tuning.lr_find import LrFound
from ft.core.stages.tuning.results import TuneResult

_SHOWN = 5  # trials


def view(result: TuneResult) -> list[RenderableType]:
    """The best settings, the best trials, what random search would give, and what to type next."""
    assert result.best is not None
    assert result.best.score is not None
    head = f"{result.name}: {result.metric} {number(result.best.score)} on validation, trial {result.best.number} of "
    told = f"{head}{len(result.trials)} ({counts(result.trials)}, {duration(result.seconds)})"
    lines: list[RenderableType] = [Text(told, "bold")]
    lines += [f"  {key}: {shown(value)}" for key, value in result.best.settings.items()]
    lines.append(_table(result))
    if result.importance:
        shares = ", ".join(f"{key} {share:.0%}" for key, share in result.importance.items())
        lines.append(f"  what mattered: {shares}")
    if result.baseline:
        lines.append(f"  {result.baseline}")
    if result.test is not None:
        lines.append(_test(result))
    lines.append(
        "  the best score of a search is too good by chance; a test split that chose nothing says what it is worth"
    )
    if result.smoke:
        return [*lines, "  nothing was kept"]
    return [*lines, f"  report {result.report}", f"  next: ft {result.stage} {result.best_config}"]


def _test(result: TuneResult) -> str:
    assert result.test is not None
    value = number(result.test.evaluation.metrics()[result.metric])
    times = "looked at once" if result.looks == 1 else f"looked at for {result.looks} trials of this study by now"
    return f"  on the test split, {times}: {result.metric} {value}"


def _table(result: TuneResult) -> Table:
    table = Table("trial", box=None, padding=(0, 2, 0, 2), header_style="dim")
    table.add_column(result.metric, justify="right")
    assert result.best is not None
    for key in result.best.settings:
        table.add_column(key.removeprefix(f"{result.stage}."), justify="right")
    for trial in ranked(result.trials, higher_is_better=result.direction == "max")[:_SHOWN]:
        score = trial.state if trial.score is None else number(trial.score)
        table.add_row(str(trial.number), score, *(shown(value) for value in trial.settings.values()))
    return table


def document(result: TuneResult) -> dict[str, Any]:
    """Of `--json`. A smoke test keeps nothing, so the paths of what it made are null."""
    values = asdict(replace(result, test=None))
    values["test"] = None if result.test is None else documents.evaluation(result.test)
    if result.smoke:
        values |= {"study": None, "best_config": None, "report": None}
    return documents.tuned(values)


def lr_view(found: LrFound, svg: Path | None) -> list[RenderableType]:
    """The curve and the suggestion."""
    near = f"{found.stage}.lr={found.suggestion:g}"
    head = f"{found.name}: the loss falls fastest near {near} (the file says {found.current:g})"
    lines: list[RenderableType] = [Text(head, "bold"), *chart(found.points, found.suggestion)]
    lines.append(f"  lowest at {found.lowest:g}; {len(found.points)} steps, ended as {found.reason}; nothing was kept")
    return [*lines, f"  drawn in {svg}"] if svg else lines


def lr_document(found: LrFound) -> dict[str, Any]:
    """Of `--lr-find --json`."""
    return documents.lr_found(asdict(found))


def write_svg(path: Path, found: LrFound) -> None:
    """The curve as a picture. Raises ResourceError when it cannot be written."""
    try:
        path.write_text(curve(found.points, found.suggestion), encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror or error}") from error
