"""Promises of date columns: every way of writing a moment, and where it lies in the year, the week and the day."""

from __future__ import annotations

from datetime import UTC, datetime
from math import cos, pi, sin
from typing import Any

import numpy as np
import pyarrow
import pytest
import torch

from ft.core.config.schema import DateInput
from ft.core.data.columns import column_from_state, fit_column
from ft.core.data.columns.date import read_seconds
from ft.core.data.table import Values
from ft.core.errors import DataError


def values(array: Any, split: str = "train") -> Values:
    return Values(np.asarray(array) if isinstance(array, list) else array, "day", split)


def test_features_are_deviations_and_circles() -> None:
    texts = ["2024-03-31T18:30:00", "2023-12-31", "2020-01-06T06:00"]
    column, stored = fit_column(DateInput(type="date"), values(texts))
    moments = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in texts]
    days = np.array([moment.timestamp() / 86400 for moment in moments])
    expected = []
    for moment, deviation in zip(moments, (days - days.mean()) / days.std(), strict=True):
        leap = 366 if moment.year % 4 == 0 else 365
        turns = [
            (moment.timetuple().tm_yday - 1) / leap,
            moment.weekday() / 7,
            (moment.hour * 60 + moment.minute) / 1440,
        ]
        expected.append([deviation, *(f(2 * pi * turn) for turn in turns for f in (sin, cos))])
    assert column.shape == (7,)
    np.testing.assert_allclose(column.prepare(stored).numpy(), expected, atol=1e-6)
    again = column_from_state(column.to_state())
    assert again == column
    assert torch.equal(again.encode(values(texts)), stored)


NOON = datetime(2024, 2, 29, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("array", "form"),
    [
        (["2024-02-29T12:00:00Z"], None),
        (["2024-02-29 14:00:00+02:00"], None),
        ([" 2024-02-29T12:00 "], None),
        (["29.02.2024 12h"], "%d.%m.%Y %Hh"),
        (["29.02.2024 13 +0100"], "%d.%m.%Y %H %z"),
        ([str(int(NOON))], "unix"),
        ([NOON], "unix"),
        ([2024022912], "%Y%m%d%H"),
        (np.array(["2024-02-29T12"], dtype="datetime64[h]"), None),
    ],
)
def test_moments_are_read_however_they_are_written(array: Any, form: str | None) -> None:
    assert read_seconds(values(array), form).tolist() == [NOON]


def test_arrows_moments_need_no_form() -> None:
    pa = pytest.importorskip("pyarrow")
    for kind in (pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("us", tz="Asia/Tokyo")):
        array = pa.array([datetime.fromtimestamp(NOON, UTC if kind.tz else None).replace(tzinfo=UTC), None], kind)
        found = read_seconds(values(array), None)
        np.testing.assert_array_equal(found, [NOON, np.nan])
    midnight = read_seconds(values(pa.array([datetime(2024, 2, 29).date()])), None)
    assert midnight.tolist() == [NOON - 12 * 3600]


def test_missing_dates_are_zeros_and_a_flag_and_are_told() -> None:
    given = values(["2024-01-01", "", "2024-01-03"])
    column, stored = fit_column(DateInput(type="date", missing="flag"), given)
    assert column.shape == (8,)
    prepared = column.prepare(stored)
    assert prepared[1].tolist() == [0.0] * 7 + [1.0]
    assert prepared[[0, 2], 0].tolist() == [-1.0, 1.0]
    assert prepared[[0, 2], 7].tolist() == [0.0, 0.0]
    assert given.notes == ["column day, train: 1 of 3 rows lack a date"]
    with pytest.raises(DataError, match=r"row 1: the date is missing; .*missing: flag"):
        fit_column(DateInput(type="date"), values(["2024-01-01", ""]))
    with pytest.raises(DataError, match="every date is missing"):
        fit_column(DateInput(type="date", missing="flag"), values(["", "NA"]))


@pytest.mark.parametrize(
    ("array", "form", "message"),
    [
        (["2024-01-01", "31.12.2024", "x"], None, r"row 1: '31\.12\.2024' is no date \(and 1 rows more\); .*%d"),
        (["31.12.2024", "31/12/2024"], "%d.%m.%Y", r"row 1: '31/12/2024' is no date; expected one of the form %d\.%m"),
        (["2023-02-29"], None, "row 0: '2023-02-29' is no date"),
        (["1", "soon"], "unix", "row 1: 'soon' is no number"),
        ([1.0, 1e15], "unix", "row 1: .* outside the years 1 to 9999"),
        ([1.5], None, "float64; dates are texts, or numbers with format: unix"),
    ],
)
def test_what_is_no_date_is_named_with_its_row_and_what_was_expected(
    array: Any, form: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        fit_column(DateInput(type="date", format=form), values(array))


def test_earlier_statistics_stay() -> None:
    earlier, _ = fit_column(DateInput(type="date"), values(["1970-01-01", "1970-01-03"]))
    _, stored = fit_column(DateInput(type="date"), values(["1970-01-11"]), earlier)
    assert stored[0, 0] == 9.0


def test_nanoseconds_of_a_table_lose_only_what_a_microsecond_does_not_hold() -> None:
    cells = pyarrow.array([1_717_156_800_000_000_123], pyarrow.timestamp("ns"))
    assert read_seconds(Values(cells, "x", "train"), None).tolist() == [1_717_156_800.0]
