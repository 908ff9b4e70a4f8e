"""What explanations look like on a terminal: tokens on the colour of their share, rows as tables of shares with bars.

Off a terminal, or without colours, a token is followed by its sign and amount: what is told does not need colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from ft.cli.views import shown
from ft.core.report.text import number
from ft.core.stages.explained import Explained, Explanations, InputShare, Piece
from ft.core.stages.importance import Importance, InputDrop

BAR = 12  # cells of the longest bar, on either side of zero
FOR, AGAINST = (200, 70, 40), (45, 105, 200)  # the ends of the colours that pictures have
LEAST = 0.05  # of the strongest share, below which a token has no colour


def explanations(result: Explanations) -> list[RenderableType]:
    """Example after example, then where files are."""
    view: list[RenderableType] = []
    for told in result.examples:
        view += [Text(f"{told.file}: {_headline(told)}", style="bold"), *_shares(told)]
    view += [f"{name}: not explained: {why}" for name, why in result.skipped.items()]
    return [*view, *(f"  page      {shown(page)}" for page in result.pages)]


def importance(result: Importance) -> list[RenderableType]:
    """A table for each output."""
    view: list[RenderableType] = []
    several = len(result.scores) > 1
    for output, metric in result.metrics.items():
        name = f"{output}/{metric}" if several else metric
        scored = f"{name} {number(result.scores[output])} on {result.examples:,} examples of {result.split}"
        view.append(Text(f"{result.name}: {scored}; how much worse with an input shuffled", style="bold"))
        view.append(_drops([row for row in result.inputs if row.output == output], result.repeats))
    return view


def _headline(told: Explained) -> str:
    from ft.core.stages.explain_files import title_of

    return title_of(told)


def _shares(told: Explained) -> list[RenderableType]:
    view: list[RenderableType] = []
    small = [share for share in told.inputs if share.kind not in ("text", "image", "audio")]
    for share in told.inputs:
        if share.map is not None:
            where = f"  {shown(share.file)}" if share.file else ""
            how = f"Grad-CAM at {share.layer}" if share.layer else f"from {share.baseline}, {share.total:+.4g}"
            view.append(f"  {share.input:<10}{how}{where}")
        elif share.kind == "text":
            view.append(Tokens(share.input, share.pieces or ()))
    if small:
        view.append(_table_of(small))
    done = told.completeness
    if done is not None:
        unit = f" {told.score}" if told.score != "value" else ""
        view.append(
            f"  all together {done.total:+.4g}{unit}; from the baseline to here it changes by {done.change:+.4g} "
            f"({done.gap:.1%} apart after {done.steps} steps)"
        )
    return view


def _table_of(shares: Sequence[InputShare]) -> Table:
    """A line for each input, and for each of its parts where it has several; the strongest first."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="bold")
    for name in ("input", "value", "compared with"):
        table.add_column(name, overflow="fold")
    table.add_column("share", justify="right")
    table.add_column("", no_wrap=True)
    most = max((abs(share.total or 0.0) for share in shares), default=0.0) or 1.0
    for share in sorted(shares, key=lambda each: -abs(each.total or 0.0)):
        pieces = share.pieces or ()
        total = share.total or 0.0
        value = pieces[0].text if len(pieces) == 1 else ""
        table.add_row(share.input, value, share.baseline, f"{total:+.4g}", _bar(total / most))
        if len(pieces) > 1:
            for piece in pieces:
                table.add_row("", piece.text, "", f"{piece.attribution:+.4g}", _bar(piece.attribution / most))
    return table


def _drops(rows: Sequence[InputDrop], repeats: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="bold")
    for name, side in (
        ("input", "left"),
        ("worse by", "right"),
        (f"95 % of the mean of {repeats} shuffles", "left"),
        ("", "left"),
    ):
        table.add_column(name, justify="right" if side == "right" else "left")
    most = max((abs(row.drop) for row in rows), default=0.0) or 1.0
    for row in rows:
        ends = f"{_fixed(row.interval[0], most)} to {_fixed(row.interval[1], most)}" if row.interval else ""
        table.add_row(row.input, _fixed(row.drop, most), ends, _bar(row.drop / most))
    return table


def _fixed(value: float, most: float) -> str:
    """With four digits of the largest, so that a column can be compared at a glance."""
    return f"{value:,.{max(0, min(9, 3 - math.floor(math.log10(most))))}f}"


def _bar(share: float) -> Text:
    """From the middle to the right for, to the left against."""
    cells = min(BAR, round(abs(share) * BAR))
    left = ("█" * cells if share < 0 else "").rjust(BAR)
    colour = FOR if share > 0 else AGAINST
    return Text(f"{left}│{'█' * cells if share > 0 else ''}", style=f"rgb({colour[0]},{colour[1]},{colour[2]})")


class Tokens:
    """A text's tokens: on a terminal with colours each on that of its share, elsewhere each with sign and amount."""

    def __init__(self, name: str, pieces: Sequence[Piece]) -> None:
        self._name, self._pieces = name, pieces

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        coloured = console.color_system is not None and not console.no_color
        most = max((abs(piece.attribution) for piece in self._pieces), default=0.0) or 1.0
        line = Text(f"  {self._name:<10} ")
        for place, piece in enumerate(self._pieces):
            if piece.run and not self._pieces[place - 1].run:
                yield line
                line = Text(f"  {'neighbours':<10} ")
            share = piece.attribution / most
            line.append(piece.text, style=_style(share) if coloured else "")
            line.append(" " if coloured else f" ({piece.attribution:+.3g})  ")
        if not self._pieces:
            line.append("(empty)")
        yield line


def _style(share: float) -> str:
    if abs(share) < LEAST:
        return ""
    red, green, blue = FOR if share > 0 else AGAINST
    return f"bold white on rgb({red},{green},{blue})" if abs(share) > 0.5 else f"rgb({red},{green},{blue})"
