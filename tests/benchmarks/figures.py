"""Medians, their bootstrap intervals, and the lines that show them. No clock here."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

RESAMPLES = 10_000


@dataclass(frozen=True)
class Summary:
    """Of a list of figures: the median with its 95 % bootstrap interval, and the extremes."""

    median: float
    interval: tuple[float, float]
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        first, last = self.interval
        return (
            f"{self.median:.3f}  (95 %: {first:.3f} to {last:.3f}; all {self.count}: {self.low:.3f} to {self.high:.3f})"
        )


def summarise(values: Sequence[float]) -> Summary:
    """The interval is the percentile bootstrap of the median, with resamples that are the same every time."""
    draw = random.Random(0)
    medians = sorted(median(draw.choices(values, k=len(values))) for _ in range(RESAMPLES))
    interval = medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1]
    return Summary(median(values), interval, min(values), max(values), len(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Summary:
    """Pair by pair, because what disturbs a machine disturbs both runs of a pair alike. Below 1: ours is faster."""
    return summarise([a / b for a, b in zip(ours, theirs, strict=True)])


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the last one is ragged."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(f"  {line}" for line in lines)
