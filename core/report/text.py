"""Markdown's small parts: escaped words, aligned tables, fences, numbers as people read them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ft.core.errors import visible
from ft.core.metrics.scores import Interval


def escape(text: str) -> str:
    """`text` as one line of words: nothing in it is taken for Markdown or HTML."""
    line = visible(" ".join(text.split()))
    line = re.sub(r"([\\`*|<\[\]~])", r"\\\1", line)
    line = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)  # an underscore inside a word is just that
    return re.sub(r"&(?=#?\w+;)", r"\\&", line)  # else `&lt;` would show as <


def code(text: str) -> str:
    """`text` as it is typed, on one line; also inside a table."""
    line = " ".join(text.split()).replace("|", "\\|")
    return line and f"{_ticks(line, 1)}{_inner(line)}{_ticks(line, 1)}"


def block(text: str, language: str = "") -> str:
    """`text` in a fence that nothing inside can close."""
    ticks = _ticks(text, 3)
    return f"{ticks}{language}\n{text.rstrip()}\n{ticks}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """A table of cells that are Markdown already, padded so that the source reads well; right: columns of numbers."""
    widths = [max(3, *map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * (width - 1) + (":" if column in right else "-") for column, width in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    return "\n".join(map(line, [head, rule, *rows]))


def number(value: float) -> str:
    """Four decimals near 1, four significant digits where that would lose the value or drown it."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else str(value)
    size = abs(value)
    if size >= 1e6 or 0 < size < 1e-3:
        return f"{value:.3e}"
    return f"{value:.4f}" if size < 100 else f"{value:,.2f}"


def interval(ends: Interval) -> str:
    """Both ends, as words."""
    return f"{number(ends[0])} to {number(ends[1])}"


def duration(seconds: float) -> str:
    """The two largest units: `1 h 12 min`, `3 min 20 s`, `4.2 s`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"


def _ticks(text: str, least: int) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(least, longest + 1)


def _inner(line: str) -> str:
    return f" {line} " if line.startswith("`") or line.endswith("`") else line
