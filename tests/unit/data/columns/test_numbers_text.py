"""Promises of reading numbers and vectors from tables: texts, Arrow's types, lists, and what is missing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from ft.core.config.schema import NumberInput, NumberOutput, VectorInput
from ft.core.data.columns import column_from_state, fit_column
from ft.core.data.columns.base import encode_numbers
from ft.core.data.table import Values
from ft.core.errors import DataError

pa = pytest.importorskip("pyarrow")
NAN = float("nan")


def values(array: Any, split: str = "train") -> Values:
    return Values(array if isinstance(array, (np.ndarray, pa.Array)) else np.asarray(array), "price", split)


WRITTEN = ["12.5", " -3 ", "1e3", "", "NA", "?", "null", "+7", ".5"]
READ = [12.5, -3.0, 1000.0, NAN, NAN, NAN, NAN, 7.0, 0.5]


@pytest.mark.parametrize("array", [np.array(WRITTEN), pa.array(WRITTEN), pa.array(WRITTEN, pa.large_string())])
def test_texts_are_read_as_people_write_numbers(array: Any) -> None:
    found = values(array)
    np.testing.assert_array_equal(encode_numbers(found, "flag").numpy(), np.float32(READ))
    assert found.notes == ["column price, train: 4 of 9 rows lack a number"]
    with pytest.raises(DataError, match=r"row 3: a number is missing \(and 3 rows more\)"):
        encode_numbers(values(array))


@pytest.mark.parametrize("make", [np.array, pa.array], ids=["numpy", "arrow"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [("1,234", "with a point and without commas"), ("12,5", "with a point"), ("1_000", "data.missing"), ("x", "12.5")],
)
def test_the_first_text_that_is_no_number_is_named_with_what_was_expected(make: Any, text: str, expected: str) -> None:
    with pytest.raises(DataError, match=rf"row 1: '{text}' is no number \(and 1 rows more\); .*{expected}"):
        encode_numbers(values(make(["1", text, "2", text])), "flag")


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([1, None, 3]), [1, NAN, 3]),
        (pa.array([1.5, None, NAN]), [1.5, NAN, NAN]),
        (pa.array([True, False, None]), [1, 0, NAN]),
        (pa.array(["1", "2", None]).dictionary_encode(), [1, 2, NAN]),
        (pa.array([2, 2, 5]).dictionary_encode(), [2, 2, 5]),
    ],
)
def test_arrows_own_types_are_numbers_too(array: Any, expected: list[float]) -> None:
    np.testing.assert_array_equal(encode_numbers(values(array), "flag").numpy(), np.float32(expected))


def test_infinity_is_refused_in_texts_too_and_dates_are_no_numbers() -> None:
    with pytest.raises(DataError, match="row 1: inf is not a finite number"):
        encode_numbers(values(pa.array(["1", "inf"])), "flag")
    with pytest.raises(DataError, match=r"timestamp.*numbers are expected"):
        encode_numbers(values(pa.array([0], pa.timestamp("s"))))


def test_missing_values_are_the_mean_and_a_flag_and_have_no_part_in_the_statistics() -> None:
    column, stored = fit_column(NumberInput(type="number", missing="flag"), values([1.0, NAN, 5.0]))
    assert column.shape == (2,)
    expected = torch.tensor([[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])  # mean 3, deviation 2
    assert torch.equal(column.prepare(stored), expected)
    assert torch.equal(column_from_state(column.to_state()).prepare(stored), expected)


def test_without_normalisation_a_missing_value_is_the_mean_in_its_own_units() -> None:
    column, stored = fit_column(NumberInput(type="number", missing="flag", normalize="none"), values([1.0, NAN, 5.0]))
    assert column.prepare(stored).tolist() == [[1.0, 0.0], [3.0, 1.0], [5.0, 0.0]]


def test_what_is_missing_everywhere_or_as_a_target_is_an_error() -> None:
    with pytest.raises(DataError, match="every number is missing"):
        fit_column(NumberInput(type="number", missing="flag"), values([NAN, NAN]))
    with pytest.raises(DataError, match="entry 1 of 2 is missing in every example"):
        fit_column(VectorInput(type="vector", missing="flag"), values([[1.0, NAN], [2.0, NAN]]))
    with pytest.raises(DataError, match="row 1: a number is missing"):
        fit_column(NumberOutput(type="number"), values(pa.array(["1", None])))


def test_a_vector_doubles_its_last_axis_for_flags() -> None:
    array = np.array([[1.0, 10.0], [3.0, NAN], [NAN, 30.0]])
    column, stored = fit_column(VectorInput(type="vector", missing="flag"), values(array))
    mean, std = np.nanmean(array, axis=0), np.nanstd(array, axis=0)
    expected = np.hstack([np.nan_to_num((array - mean) / std), np.isnan(array)])
    assert column.shape == (4,)
    np.testing.assert_allclose(column.prepare(stored).numpy(), expected, atol=1e-6)
    again = column_from_state(column.to_state())
    assert again == column


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[1.0, 2.0], [3.0, 4.0]]),
        pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2)),
        pa.array([[0, 0], [1, 2], [3, 4]])[1:],
        pa.array(["1 2", "3 4"]),
        np.array(["1,2", "3;4"]),
        pa.array(["[1.0, 2.0]", " 3\t4e0 "]),
    ],
)
def test_vectors_are_read_from_lists_and_texts(array: Any) -> None:
    column, stored = fit_column(VectorInput(type="vector", normalize="none"), values(array))
    assert stored.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert column.shape == (2,)


@pytest.mark.parametrize("array", [pa.array([[1, 2], None, [3]]), np.array(["1 2", "", "3"])])
def test_a_vector_of_another_length_is_named_with_its_row(array: Any) -> None:
    with pytest.raises(DataError, match="row 2: holds 1 numbers where the first example holds 2"):
        fit_column(VectorInput(type="vector", missing="flag"), values(array))


def test_a_whole_vector_may_be_missing() -> None:
    column, stored = fit_column(VectorInput(type="vector", missing="flag"), values(pa.array([[1, 2], None, [3, None]])))
    assert column.prepare(stored).tolist() == [[-1, 0, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1]]


def test_texts_that_are_no_vector_are_named_with_their_row() -> None:
    with pytest.raises(DataError, match="row 1: '3 x' are no numbers"):
        fit_column(VectorInput(type="vector"), values(np.array(["1 2", "3 x"])))
    with pytest.raises(DataError, match="the values are text; numbers are expected"):
        fit_column(VectorInput(type="vector"), values(pa.array([["a"], ["b"]])))


def test_earlier_statistics_stay_when_missing_values_begin_to_be_flagged() -> None:
    earlier, _ = fit_column(NumberInput(type="number"), values([0.0, 2.0]))
    column, stored = fit_column(NumberInput(type="number", missing="flag"), values([10.0, NAN]), earlier)
    prepared = column.prepare(stored)
    assert prepared.tolist() == [[9.0, 0.0], [0.0, 1.0]]
    assert math.isclose(column.to_state()["mean"], 1.0)
