"""A day or moment for each example: how long ago, and the time of year, of the week and of the day as circles.

On a circle midnight lies beside 23:59 and December beside January; each is a sine and a cosine. Moments without a zone
are taken as UTC. Distinct texts are read once, however many rows say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ft.core.config.schema import DateInput
from ft.core.data import cells
from ft.core.data.augment import Draws
from ft.core.data.columns.base import nonzero
from ft.core.data.columns.reading import MISSING, and_more, describe_dtype, is_text, read_numbers
from ft.core.data.table import Values

DAY = 86_400.0  # seconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST, LATEST = -62_135_596_800.0, 253_402_300_800.0  # years 1 to 9999, in seconds since 1970
MONDAY = 3  # days from the first Monday before 1970-01-01, a Thursday


@dataclass(frozen=True)
class DateColumn:
    """mean, std: of the training dates, in days since 1970. format: as for strptime, `unix`, or None for ISO 8601.

    flag: missing dates are let through; the model gets zeros and a 1 behind them.
    """

    mean: float = 0.0
    std: float = 1.0
    format: str | None = None
    flag: bool = False

    kind: ClassVar[str] = "date"
    fixed: ClassVar[bool] = True
    cardinality: ClassVar[int | None] = None

    @property
    def shape(self) -> tuple[int, ...]:
        return (8,) if self.flag else (7,)

    @classmethod
    def fit(cls, settings: DateInput, values: Values, earlier: DateColumn | None = None) -> tuple[DateColumn, Tensor]:
        column = cls(format=settings.format, flag=settings.missing == "flag")
        seconds = column._seconds(values)
        if np.isnan(seconds).all():
            raise values.error("every date is missing; leave this column out")
        if earlier is not None:
            mean, std = earlier.mean, earlier.std
        else:
            days = seconds / DAY
            mean, (std,) = float(np.nanmean(days)), nonzero([float(np.nanstd(days))])
        column = replace(column, mean=mean, std=std)
        return column, column._features(seconds)

    def encode(self, values: Values) -> Tensor:
        """float32 (N, 7): deviations from the mean, then sine and cosine of year, week and day; NaN where missing."""
        return self._features(self._seconds(values))

    def _seconds(self, values: Values) -> np.ndarray:
        """float64 (N,), since 1970, NaN where missing, counted. Raises DataError where that must not be."""
        seconds = read_seconds(values, self.format)
        missing = np.isnan(seconds)
        if count := int(missing.sum()):
            if not self.flag:
                fault = f"the date is missing{and_more(count)}; fill in or remove such rows, or set missing: flag"
                raise values.error(fault, int(missing.argmax()))
            values.note(f"{count:,} of {len(seconds):,} rows lack a date")
        return seconds

    def _features(self, seconds: np.ndarray) -> Tensor:
        known = np.where(np.isnan(seconds), 0.0, seconds)
        days = np.floor(known / DAY)
        dates = days.astype("datetime64[D]")
        new_year = dates.astype("datetime64[Y]")
        year_days = ((new_year + 1).astype("datetime64[D]") - new_year.astype("datetime64[D]")).astype(float)
        of_year = (dates - new_year.astype("datetime64[D]")).astype(float) / year_days
        turns = np.stack([of_year, (days + MONDAY) % 7 / 7, known / DAY - days], axis=1) * 2 * np.pi  # (N, 3)
        circles = np.stack([np.sin(turns), np.cos(turns)], axis=2).reshape(-1, 6)
        features = np.column_stack([(known / DAY - self.mean) / self.std, circles])  # (N, 7)
        features[np.isnan(seconds)] = np.nan
        return torch.from_numpy(features.astype(np.float32))

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        """float32 (B, 7) -> the same, or with flag (B, 8)."""
        if not self.flag:
            return stored
        return torch.cat([stored.nan_to_num(0.0), stored[:, :1].isnan().to(stored.dtype)], dim=1)

    def to_state(self) -> dict[str, Any]:
        return {"type": "date", "mean": self.mean, "std": self.std, "format": self.format, "flag": self.flag}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> DateColumn:
        return cls(float(state["mean"]), float(state["std"]), state["format"], bool(state["flag"]))


def read_seconds(values: Values, form: str | None) -> np.ndarray:
    """Dates of any kind -> float64 (N,), seconds since 1970 in UTC, NaN where missing.

    form: as DateColumn.format; dates that NumPy or Arrow know as such do not need it. Raises DataError naming the
    first value that cannot be read.
    """
    array = values.array
    kind = array.dtype.kind if isinstance(array, np.ndarray) else str(array.type)
    if kind == "M" or kind.startswith(("timestamp", "date")):
        return _moments(array)
    if form == "unix":
        seconds = read_numbers(values).astype(np.float64).reshape(-1)
        outside = (seconds < EARLIEST) | (seconds >= LATEST)
        if outside.any():
            row = int(outside.argmax())
            raise values.error(f"{seconds[row]:g} is outside the years 1 to 9999; unix: seconds since 1970", row)
        return seconds
    if not (is_text(array) or kind in ("i", "u") or kind.startswith(("int", "uint", "dictionary", "null"))):
        raise values.error(f"the values are {describe_dtype(array)}; dates are texts, or numbers with format: unix")
    return _read_texts(values, form)


def _moments(array: cells.Cells) -> np.ndarray:
    """NumPy's or Arrow's own dates. Arrow's moments with a zone are kept in UTC already."""
    if not isinstance(array, np.ndarray):
        import pyarrow as pa

        whole_us = pa.timestamp("us", tz=getattr(array.type, "tz", None))
        array = array.cast(whole_us, safe=False).to_numpy(zero_copy_only=False)  # of nanoseconds the rest is dropped
    whole = array.reshape(-1).astype("datetime64[us]")
    return np.asarray(np.where(np.isnat(whole), np.nan, whole.astype(np.int64) / 1e6))


def _read_texts(values: Values, form: str | None) -> np.ndarray:
    codes, texts = cells.codes(values.array)
    seconds = np.full(len(texts) + 1, np.nan)  # the last one is for code -1: missing
    faults = np.zeros(len(texts) + 1, dtype=bool)
    for place, text in enumerate(texts):
        try:
            seconds[place] = seconds_of(text.strip(), form)
        except ValueError:
            faults[place] = True
    if (unreadable := faults[codes]).any():
        row = int(unreadable.argmax())
        raise values.error(
            f"{texts[codes[row]]!r} is no date{and_more(int(unreadable.sum()))}; expected {_expected(form)}", row
        )
    return np.take(seconds, codes)


def seconds_of(text: str, form: str | None) -> float:
    """Since 1970 in UTC, NaN where the text stands for a missing date. form: for strptime, None for ISO 8601.

    Raises ValueError for a text that is no date of this form.
    """
    if text in MISSING:
        return float("nan")
    moment = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH).total_seconds()


def _expected(form: str | None) -> str:
    if form is not None:
        return f"one of the form {form}"
    return "one such as 2024-03-31 or 2024-03-31T18:30:00Z; say how dates are written with format: e.g. %d.%m.%Y"
