"""Cells read as numbers or dates without stopping: which are missing and which cannot be read.

The columns read the same values and stop at the first that cannot be read; this counts all. Where a column's own way
of reading succeeds, that is the answer; only then it is looked at one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ft.core.data import cells
from ft.core.data.columns import reading
from ft.core.data.columns.date import EARLIEST, LATEST, read_seconds, seconds_of
from ft.core.data.table import Values
from ft.core.errors import DataError


@dataclass(frozen=True)
class Read:
    """numbers: float64 (N,), NaN where there is none. missing, bad: bool (N,)."""

    numbers: np.ndarray
    missing: np.ndarray
    bad: np.ndarray


def read_numbers(values: Values) -> Read:
    """Every cell as a number. Infinity cannot be read."""
    try:
        numbers = reading.read_numbers(values).astype(np.float64)
        faults = np.zeros(len(numbers), dtype=bool)
    except DataError:
        numbers, faults = _one_by_one(values)
    bad = faults | np.isinf(numbers)
    return Read(np.where(bad, np.nan, numbers), np.isnan(numbers) & ~bad, bad)


def read_dates(values: Values, form: str | None) -> Read:
    """Every cell as a moment, in seconds since 1970. form: as for strptime, `unix`, or None for ISO."""
    try:
        seconds = read_seconds(values, form)
        return Read(seconds, np.isnan(seconds), np.zeros(len(seconds), dtype=bool))
    except DataError:
        if form == "unix":
            read = read_numbers(values)
            outside = (read.numbers < EARLIEST) | (read.numbers >= LATEST)
            return Read(np.where(outside, np.nan, read.numbers), read.missing, read.bad | outside)
    codes, names = cells.codes(values.array)
    moments = np.array([_moment(name, form) for name in names] + [np.nan])  # the last stands for code -1
    absent = np.array([name.strip() in reading.MISSING for name in names] + [True])
    missing = absent[codes]
    return Read(moments[codes], missing, ~missing & np.isnan(moments[codes]))


def _one_by_one(values: Values) -> tuple[np.ndarray, np.ndarray]:
    """float64 (N,) and bool (N,): which are no numbers."""
    numbers = np.full(len(values.array), np.nan)
    bad = ~cells.is_missing(values.array)
    if reading.is_text(values.array):
        for row, text in enumerate(cells.texts(values.array)):
            try:
                numbers[row] = reading.number_of(text)
                bad[row] = False
            except ValueError:
                continue
    return numbers, bad


def _moment(name: str, form: str | None) -> float:
    try:
        return seconds_of(name.strip(), form)
    except ValueError:
        return float("nan")
