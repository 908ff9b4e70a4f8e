"""Medians and means, their intervals, and the lines that show them. No clock here."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median, stdev

from scipy import stats

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


def percent(shares: Sequence[float]) -> str:
    """The mean of shares and half of its 95 % interval (Student's t), in percent; one share alone has none."""
    if len(shares) < 2:
        return f"{100 * shares[0]:.2f} %"
    half = stats.t.ppf(0.975, len(shares) - 1) * stdev(shares) / math.sqrt(len(shares))
    return f"{100 * mean(shares):.2f} ± {100 * half:.2f} %"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the last one is ragged."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(f"  {line}" for line in lines)
