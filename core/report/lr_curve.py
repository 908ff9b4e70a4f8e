"""The curve of a learning-rate range test: as lines of text for a terminal, and as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_ROWS, _WIDTH = 12, 64
_SVG = (640, 360, 60, 30)  # width, height, margin left and below, margin right and above


@dataclass(frozen=True)
class LrPoint:
    """One step. smoothed: the mean of the losses so far, recent ones weighing more."""

    rate: float
    loss: float
    smoothed: float


def chart(points: Sequence[LrPoint], suggestion: float) -> list[str]:
    """The smoothed loss over the logarithm of the rate, a column of `|` at the suggestion."""
    low, high = _limits(points)
    columns: dict[int, float] = {}
    for point in points:
        columns[round(_across(points, point.rate) * (_WIDTH - 1))] = min(point.smoothed, high)
    marked = round(_across(points, suggestion) * (_WIDTH - 1))
    rows = [[" "] * _WIDTH for _ in range(_ROWS)]
    for row in rows:
        row[marked] = "|"
    for column, value in columns.items():
        rows[round((high - value) / (high - low or 1.0) * (_ROWS - 1))][column] = "*"
    labels = {0: f"{high:.3g}", _ROWS - 1: f"{low:.3g}"}
    lines = [f"{labels.get(index, ''):>9} {''.join(row).rstrip()}" for index, row in enumerate(rows)]
    first, last = f"{points[0].rate:.0e}", f"{points[-1].rate:.0e}"
    return [*lines, f"{'':>9} {first}{last:>{_WIDTH - len(first)}}"]


def curve(points: Sequence[LrPoint], suggestion: float) -> str:
    """The same as SVG: losses as dots, the smoothed loss as a line, the suggestion as a line down. No script."""
    width, height, margin, other = _SVG
    low, high = _limits(points)
    low = min(low, *(point.loss for point in points))

    def place(rate: float, loss: float) -> tuple[float, float]:
        up = (min(max(loss, low), high) - low) / (high - low or 1.0)
        x = margin + _across(points, rate) * (width - margin - other)
        return x, height - margin - up * (height - margin - other)

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(point.rate, point.smoothed) for point in points))
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.5"/>' for x, y in (place(point.rate, point.loss) for point in points)
    )
    at, _ = place(suggestion, low)
    first, last = math.ceil(math.log10(points[0].rate)), math.floor(math.log10(points[-1].rate))
    ticks = "".join(
        f'<text x="{place(10.0**power, low)[0]:.1f}" y="{height - margin + 16}" text-anchor="middle">1e{power}</text>'
        for power in range(first, last + 1)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" font-family="sans-serif" font-size="11" role="img">
<title>loss by learning rate; suggested: {suggestion:g}</title>
<g fill="#b8c0cc">{dots}</g>
<polyline points="{line}" fill="none" stroke="#b2182b" stroke-width="2"/>
<line x1="{at:.1f}" y1="{other}" x2="{at:.1f}" y2="{height - margin}" stroke="#333" stroke-dasharray="4 3"/>
<text x="{at + 4:.1f}" y="{other + 10}">{suggestion:g}</text>
<line x1="{margin}" y1="{height - margin}" x2="{width - other}" y2="{height - margin}" stroke="#333"/>
<line x1="{margin}" y1="{other}" x2="{margin}" y2="{height - margin}" stroke="#333"/>
<text x="{margin - 6}" y="{other + 4}" text-anchor="end">{high:.3g}</text>
<text x="{margin - 6}" y="{height - margin}" text-anchor="end">{low:.3g}</text>
<text x="{(width + margin - other) / 2}" y="{height - 16}" text-anchor="middle">learning rate</text>{ticks}
</svg>
"""


def _limits(points: Sequence[LrPoint]) -> tuple[float, float]:
    """From the lowest smoothed loss to a little above where it began: what rises beyond is cut."""
    lowest, first = min(point.smoothed for point in points), points[0].smoothed
    return lowest, first + 0.25 * (first - lowest)


def _across(points: Sequence[LrPoint], rate: float) -> float:
    first, last = math.log(points[0].rate), math.log(points[-1].rate)
    return (math.log(rate) - first) / (last - first or 1.0)
