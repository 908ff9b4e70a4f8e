"""Parallel coordinates as SVG: an axis for each setting and one for the score, a line for each finished trial.

Self-contained: no script, no fonts or styles from elsewhere. Good trials are dark and drawn last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ft.core.report.tuning import TrialRow, ranked, shown

_HEIGHT, _TOP, _BOTTOM, _SIDE, _APART = 360, 50, 30, 70, 150
_BEST, _WORST = (178, 24, 43), (200, 205, 215)
_TICKS = 5
_HALO = 'paint-order="stroke" stroke="#fff" stroke-width="3"'  # legible across the lines


@dataclass(frozen=True)
class Axis:
    """log: whether by powers. choices: its values in their order, of choices; empty of numbers."""

    key: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[str, ...] = ()

    def place(self, value: Any) -> float:
        """From 0 at the lower end to 1."""
        if self.choices:
            return self.choices.index(shown(value)) / max(1, len(self.choices) - 1) if len(self.choices) > 1 else 0.5
        low, high, at = (math.log(each) if self.log else each for each in (self.low, self.high, value))
        return 0.5 if high == low else (at - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        """(place, text) of what is written beside the axis."""
        if self.choices:
            return [(self.place(choice), choice) for choice in self.choices]
        steps = [index / (_TICKS - 1) for index in range(_TICKS)]
        values = [
            self.low * (self.high / self.low) ** step if self.log else self.low + (self.high - self.low) * step
            for step in steps
        ]
        return [(step, f"{value:.3g}") for step, value in zip(steps, values, strict=True)]


def parallel(axes: Sequence[Axis], metric: str, trials: Sequence[TrialRow], *, higher_is_better: bool) -> str:
    """The picture; empty where no trial finished. axes: of the settings, in their order."""
    finished = [each for each in ranked(trials, higher_is_better=higher_is_better) if each.state == "finished"]
    scores = [each.score for each in finished if each.score is not None]
    if not scores:
        return ""
    whole = [*axes, Axis(metric, min(scores), max(scores))]
    width = 2 * _SIDE + _APART * (len(whole) - 1)
    lines = [
        _line(whole, each.settings, each.score or 0.0, place / max(1, len(finished) - 1), each.number)
        for place, each in reversed(list(enumerate(finished)))
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" '
        f'height="{_HEIGHT}" font-family="sans-serif" font-size="11" role="img">'
    )
    return "\n".join(
        [
            head,
            f"<title>{len(finished)} trials, the best in red</title>",
            *lines,
            *(_axis(axis, _SIDE + _APART * index) for index, axis in enumerate(whole)),
            "</svg>",
            "",
        ]
    )


def _line(axes: Sequence[Axis], settings: Mapping[str, Any], score: float, rank: float, number: int) -> str:
    values = [settings[axis.key] for axis in axes[:-1]] + [score]
    points = " ".join(
        f"{_SIDE + _APART * index},{_height(axis.place(value)):.1f}"
        for index, (axis, value) in enumerate(zip(axes, values, strict=True))
    )
    colour = ",".join(str(round(best + (worst - best) * rank)) for best, worst in zip(_BEST, _WORST, strict=True))
    thick = 2.5 if rank == 0 else 1.2
    told = escape(f"trial {number}: {score:.6g}")
    pen = f'fill="none" stroke="rgb({colour})" stroke-width="{thick}"'
    return f'<polyline points="{points}" {pen}><title>{told}</title></polyline>'


def _axis(axis: Axis, x: int) -> str:
    name = axis.key if len(axis.key) <= 24 else f"…{axis.key[-23:]}"
    marks = "".join(
        f'<text x="{x + 5}" y="{_height(place) + 4:.1f}" {_HALO}>{escape(text[:20])}</text>'
        for place, text in axis.ticks()
    )
    return (
        f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{_HEIGHT - _BOTTOM}" stroke="#333"/>'
        f'<text x="{x}" y="{_TOP - 20}" text-anchor="middle" font-weight="bold">{escape(name)}</text>{marks}'
    )


def _height(place: float) -> float:
    return _HEIGHT - _BOTTOM - place * (_HEIGHT - _TOP - _BOTTOM)
