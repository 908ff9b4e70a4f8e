"""Runs as people read them: the table of `ft runs`, and what `ft runs delete` would take away or did."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement, measure_renderables
from rich.table import Table
from rich.text import Text

from ft.cli.views import View, bold, shown, table
from ft.core.report.text import duration, number
from ft.core.stages.deleting import Deletion
from ft.core.stages.listing import TIME, Listing, RunRow
from ft.core.stages.run_fields import is_setting
from ft.core.stages.runs import Status

SHORTEST_RUN = 12  # letters of a run's path that a narrow terminal leaves
WIDEST_VALUE = 24  # letters of a setting's value that a terminal shows


def listing(found: Listing, runs_dir: Path) -> View:
    """A line per run; what was asked for and is not there in words."""
    view: View = [Runs(found)] if found.rows else [_nothing(found, runs_dir)]
    if len(found.rows) < found.total and found.rows:
        view.append(f"  {len(found.rows)} of {found.total} runs")
    if found.alike:
        view.append("  these runs differ in no setting")
    for path in found.unreadable:
        view.append(f"  {shown(path)} cannot be told: its status.json is damaged, and so are its checkpoints")
    return view


def deletion(plan: Deletion, runs_dir: Path) -> View:
    """What would go, or went, how large it is and why; what stays."""
    count = f"{len(plan.going)} {'run' if len(plan.going) == 1 else 'runs'}"
    view: View = [bold(f"{'deleted' if plan.done else 'would delete'} {count}, {size(plan.bytes)}")]
    if not plan.going and not plan.leftovers:
        view = [f"nothing to delete below {runs_dir}/"]
    if plan.going:
        rows = _table(["run", "state", "size", "why"], right=[2])
        for run in plan.going:
            rows.add_row(Shortened(shown(run.path)), run.state or "damaged", size(run.bytes), run.why)
        view.append(rows)
    if plan.leftovers:
        what = f"{len(plan.leftovers)} unfinished {'deletion' if len(plan.leftovers) == 1 else 'deletions'} of before"
        view.append(f"  {what}, {size(plan.leftover_bytes)}")
    view += [f"  kept      {run.path}: {run.why}" for run in plan.staying]
    if not plan.done and (plan.going or plan.leftovers):
        view.append(bold("nothing was deleted; the same with --yes deletes"))
    return view


def size(count: int) -> str:
    """Bytes in units of a thousand, as disks are sold: `12.4 MB`."""
    value, units = float(count), iter(("kB", "MB", "GB", "TB"))
    unit = "B"
    while value >= 999.95:
        value, unit = value / 1000, next(units)
    return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"


@dataclass(frozen=True)
class Column:
    """One column of the table. leave: the order in which columns give way on a narrow terminal; 0 stays."""

    name: str
    cell: Callable[[RunRow], RenderableType]
    leave: int = 0
    right: bool = False
    breaks: bool = False


class Runs:
    """The table, with as many columns as there is room for; what had none is named below it."""

    def __init__(self, found: Listing) -> None:
        self._found = found
        self._columns = _columns(found)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        anything = options.update(max_width=1_000_000)  # else what is measured is cut to what there is
        cells = {each.name: [Text(each.name), *map(each.cell, self._found.rows)] for each in self._columns}
        ranges = {name: measure_renderables(console, anything, own) for name, own in cells.items()}
        kept, left_out = list(self._columns), []
        leaving = sorted((each for each in kept if each.leave), key=lambda each: each.leave)
        while leaving and _room(kept, ranges, options) < 0:
            goes = leaving.pop(0)
            kept.remove(goes)
            left_out.append(goes.name)
        yield self._table(kept, ranges, _room(kept, ranges, options))
        if left_out:
            text = f"  no room for {', '.join(left_out)}: a wider terminal, a pipe or --json shows them"
            yield Text(text, style="dim")

    def _table(self, columns: Sequence[Column], ranges: Mapping[str, Measurement], room: int) -> Table:
        """room: letters beyond the least; below 0 Rich takes what is missing where it can."""
        made = _table([each.name for each in columns], [place for place, each in enumerate(columns) if each.right])
        for column, each in zip(made.columns, columns, strict=True):
            column.no_wrap = not each.breaks
            if each.breaks and room >= 0:
                least, most = ranges[each.name]
                column.width = min(most, least + room)
                room -= column.width - least
        for row in self._found.rows:
            made.add_row(*(column.cell(row) for column in columns))
        return made


def _room(columns: Sequence[Column], ranges: Mapping[str, Measurement], options: ConsoleOptions) -> int:
    """Letters that are left over where each column that breaks has its least and the others all they want."""
    widths = [ranges[each.name].minimum if each.breaks else ranges[each.name].maximum for each in columns]
    return options.max_width - sum(widths) - 2 * (len(widths) - 1)  # between them a space and the line of the box


def _stage(row: RunRow) -> str:
    trial = row.status.trial
    return row.status.stage if trial is None else f"{row.status.stage}, trial {trial}"


def _columns(found: Listing) -> list[Column]:
    """What is asked for gives way last, from the right."""
    columns = [
        Column("run", lambda row: Shortened(shown(row.path)), breaks=True),
        Column("stage", _stage, leave=3),
        Column("state", lambda row: row.status.state, leave=4),
        Column("started", lambda row: _moment(row.status.started), leave=2),
        Column("epochs", lambda row: str(row.status.epochs), leave=1, right=True),
    ]
    if found.sort == TIME:
        columns.append(Column("time", lambda row: "" if row.seconds is None else duration(row.seconds)))
    if any(row.bytes is not None for row in found.rows):
        columns.append(Column("size", lambda row: size(row.bytes or 0), right=True))
    columns.append(Column("scores", lambda row: Pieces(_scores(row.status)), breaks=True))
    last = 4 + len(found.columns)
    return [*columns, *(_asked(name, last - place) for place, name in enumerate(found.columns))]


def _asked(name: str, leave: int) -> Column:
    def cell(row: RunRow) -> RenderableType:
        return Value(_value(row.columns[name], name)) if name in row.columns else "-"

    return Column(name, cell, leave=leave, right=not is_setting(name))


def _value(value: Any, name: str) -> str:
    """A metric as everywhere, a setting as a file holds it, on one line."""
    if isinstance(value, float) and not is_setting(name):
        return number(value)
    return _inline(value)


def _inline(value: Any) -> str:
    """A setting as YAML would hold it on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_inline(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, str):
        return " ".join(value.split())
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


def _table(names: Sequence[str], right: Sequence[int]) -> Table:
    made = table(*names, right=right)
    made.padding, made.pad_edge = (0, 1, 0, 0), False  # narrow terminals need every letter
    return made


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _nothing(found: Listing, runs_dir: Path) -> str:
    if found.total == 0:
        return f"no runs below {runs_dir}/"
    return f"none of the {found.total} runs below {runs_dir}/ is asked for{found.hint}"


@dataclass(frozen=True)
class Value:
    """A setting's value on one line, whole off a terminal, cut on one."""

    text: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        wide = min(cell_len(self.text), WIDEST_VALUE) if console.is_terminal else cell_len(self.text)
        return Measurement(wide, wide)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = Text(self.text, no_wrap=True)
        text.truncate(options.max_width, overflow="ellipsis")
        yield text


@dataclass(frozen=True)
class Pieces:
    """Scores, broken only where a comma or semicolon parts them, if there is room for the longest."""

    text: str

    @property
    def _parts(self) -> list[str]:
        return re.split(r"(?<=[,;]) ", self.text)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        least = min(max(map(cell_len, self._parts)), WIDEST_VALUE)
        return Measurement(least, max(least, cell_len(self.text)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[str] = []
        for part in self._parts:
            if lines and cell_len(lines[-1]) + 1 + cell_len(part) <= options.max_width:
                lines[-1] += f" {part}"
            else:
                lines.append(part)
        yield Text("\n".join(lines), overflow="fold")


@dataclass(frozen=True)
class Shortened:
    """A run's path on one line: as much of its name as there is room for, and always its number."""

    path: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widest = cell_len(self.path)
        return Measurement(min(widest, SHORTEST_RUN), widest)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        name, slash, number = self.path.rpartition("/")
        text = Text(name, no_wrap=True)
        text.truncate(max(1, options.max_width - len(slash + number)), overflow="ellipsis")
        yield text.append(slash + number)


def _scores(status: Status) -> str:
    """`val accuracy 0.98, test 0.97`: the best validation and the evaluations; one metric is named once."""
    judged = ({"val": status.metrics} if status.metrics else {}) | status.evaluations
    shown = {split: _headline(metrics, status.main_metrics) for split, metrics in judged.items()}
    if any("," in headline for headline in shown.values()):
        return "; ".join(f"{split} {headline}" for split, headline in shown.items())
    named, told = "", []
    for split, headline in shown.items():
        metric, _, value = headline.rpartition(" ")
        told.append(f"{split} {value if metric == named else headline}")
        named = metric
    return ", ".join(told)


def _headline(metrics: Mapping[str, float], main: Sequence[str]) -> str:
    """What speaks for each output, the loss where a run did not say what that is."""
    names = [name for name in main if name in metrics] or [name for name in ("loss",) if name in metrics]
    return ", ".join(f"{name} {number(metrics[name])}" for name in names)
