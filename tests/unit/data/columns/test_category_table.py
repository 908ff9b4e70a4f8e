"""Promises of category columns over tables: Arrow's types, missing names, rare names, and what is told of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ft.core.config.schema import CategoryInput, CategoryOutput
from ft.core.data.columns import column_from_state, fit_column
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.table import Values
from ft.core.errors import DataError

pa = pytest.importorskip("pyarrow")


def values(array: Any, split: str = "train") -> Values:
    return Values(array, "pet", split)


def fit_input(array: Any, **settings: Any) -> tuple[CategoryColumn, list[int], list[str]]:
    given = values(array)
    column, stored = fit_column(CategoryInput(type="category", **settings), given)
    assert isinstance(column, CategoryColumn)
    return column, stored.tolist(), given.notes


@pytest.mark.parametrize("kind", ["string", "large_string", "dictionary"])
def test_arrow_texts_are_names_whatever_holds_them(kind: str) -> None:
    array = pa.array(["b", "a", "b"])
    array = array.dictionary_encode() if kind == "dictionary" else array.cast(kind)
    column, stored = fit_column(CategoryOutput(type="category"), values(array))
    assert column.to_state()["classes"] == ["a", "b"]
    assert stored.tolist() == [1, 0, 1]
    assert column.encode(values(array[1:], "test")).tolist() == [0, 1]


def test_numbers_of_a_table_are_named_as_integers_even_where_gaps_made_them_floats() -> None:
    for array in (pa.array([10, 9, 10]), pa.array([10.0, 9.0, 10.0]), np.array([10.0, 9.0, 10.0])):
        column, stored = fit_column(CategoryOutput(type="category"), values(array))
        assert column.to_state()["classes"] == ["9", "10"]
        assert stored.tolist() == [1, 0, 1]
    with pytest.raises(DataError, match=r"row 1: 1\.5 is no name; .*type: number"):
        fit_column(CategoryOutput(type="category"), values(pa.array([1.0, 1.5])))
    column, stored, _ = fit_input(pa.array([2.0, None, 1.0]))
    assert column.classes == ("", "1", "2")


def test_truth_values_are_true_and_false_in_every_source() -> None:
    for array in (np.array([True, False]), pa.array([True, False])):
        column, stored = fit_column(CategoryOutput(type="category"), values(array))
        assert column.to_state()["classes"] == ["false", "true"]
        assert stored.tolist() == [1, 0]


def test_digits_in_texts_are_positions_in_written_classes_that_are_no_integers() -> None:
    settings = CategoryOutput(type="category", classes=["normal", "pneumonia"])
    column, stored = fit_column(settings, values(pa.array(["1", "0"])))
    assert stored.tolist() == [1, 0]
    assert column_from_state(column.to_state()).encode(values(pa.array(["0", "1"]), "test")).tolist() == [0, 1]


def test_a_missing_input_is_a_name_of_its_own_if_training_has_it_and_unknown_otherwise() -> None:
    column, stored, notes = fit_input(pa.array(["x", None, "y"]))
    assert column.classes == ("", "x", "y")
    assert stored == [2, 1, 3]
    assert notes == ["column pet, train: 1 of 3 rows have no name; that counts as a name of its own"]
    full, _, _ = fit_input(pa.array(["x", "y"]))
    test = values(pa.array([None, "y"]), "test")
    assert full.encode(test).tolist() == [0, 2]
    assert test.notes[-1] == "column pet, test: 1 of 2 rows have names that are not known: a missing one"


def test_a_missing_target_is_named_with_its_row() -> None:
    with pytest.raises(DataError, match=r"train row 1: the class is missing \(and 1 rows more\)"):
        fit_column(CategoryOutput(type="category"), values(pa.array(["a", None, "b", None])))


def test_rare_names_are_unknown_and_told() -> None:
    column, stored, notes = fit_input(np.array(["a", "a", "b", "c", "c"]), min_count=2)
    assert column.classes == ("a", "c")
    assert stored == [1, 1, 0, 2, 2]
    assert notes == ["column pet, train: 1 of 5 rows have names that are not known: 'b'"]


def test_unseen_names_are_counted_and_the_first_five_listed() -> None:
    column, _, _ = fit_input(np.array(["a"]))
    test = values(np.array(["a", *"zyxwvuz"]), "test")
    assert column.encode(test).tolist() == [1, *[0] * 7]
    expected = "7 of 8 rows have names that are not known: 'u', 'v', 'w', 'x', 'y', … (6 in all)"
    assert test.notes == [f"column pet, test: {expected}"]
