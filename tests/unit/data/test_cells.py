"""Promises of cells: NumPy and Arrow give the same names, texts and lists for the same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.core.data import cells


def named(column: Any) -> list[str | None]:
    codes, names = cells.codes(column)
    assert codes.dtype == np.int64
    return [names[code] if code >= 0 else None for code in codes]


@given(st.lists(st.none() | st.text(max_size=4), min_size=1, max_size=30))
def test_codes_lead_back_to_the_values(values: list[str | None]) -> None:
    column = pyarrow.array(values, pyarrow.large_string())
    assert named(column) == values
    assert named(column.dictionary_encode()) == values
    assert cells.is_missing(column).tolist() == [value is None for value in values]
    assert list(cells.texts(column, "-")) == ["-" if value is None else value for value in values]


@pytest.mark.parametrize(
    ("values", "names"),
    [([3, 1, 3], ["3", "1", "3"]), ([True, False], ["true", "false"]), (["b", "a"], ["b", "a"]), ([0.5], ["0.5"])],
)
def test_numbers_and_truth_are_named_alike_in_numpy_and_arrow(values: list[Any], names: list[str]) -> None:
    for column in (np.array(values), pyarrow.array(values)):
        assert named(column) == names
        assert list(cells.texts(column)) == names


def test_texts_and_lists_of_many_rows_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "CHUNK", 3)
    values = [f"{row}|{row + 1}" for row in range(10)]
    for column in (np.array(values), pyarrow.array(values)):
        assert list(cells.texts(column)) == values
        assert list(cells.lists(column, "|")) == [[str(row), str(row + 1)] for row in range(10)]


def test_lists_are_lists_or_texts_that_are_cut() -> None:
    assert list(cells.lists(pyarrow.array([["a", " b "], [], None, ["c", None]]), "|")) == [["a", "b"], [], [], ["c"]]
    assert list(cells.lists(pyarrow.array(["a; b;", "", None, " ;c"]), ";")) == [["a", "b"], [], [], ["c"]]


def test_missing_are_nulls_and_nan_alone() -> None:
    assert cells.is_missing(np.array([[0.0, 1.0], [np.nan, 2.0]])).tolist() == [False, True]
    assert cells.is_missing(pyarrow.array([1.0, float("nan"), None])).tolist() == [False, True, True]
    assert cells.is_missing(np.array(["2024-05-31", "NaT"], dtype="datetime64[D]")).tolist() == [False, True]
    assert cells.is_missing(np.array(["", "a"])).tolist() == [False, False]


def test_rows_are_taken_in_the_order_asked_for() -> None:
    for column in (np.array([10, 11, 12]), pyarrow.array([10, 11, 12])):
        assert cells.take(column, np.array([2, 0, 2])).tolist() == [12, 10, 12]
