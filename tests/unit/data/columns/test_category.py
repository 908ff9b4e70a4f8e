"""Promises of category columns: classes meet by name, and nothing unknown passes as a target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ft.core.config.schema import CategoryInput, CategoryOutput
from ft.core.data.columns import column_from_state, fit_column
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError


def values(array: Any, classes: tuple[str, ...] | None = None, split: str = "train", names: Any = None) -> Values:
    return Values(np.asarray(array), "pet", split, names, classes)


def fit(
    array: Any, classes: tuple[str, ...] | None = None, written: list[str] | None = None
) -> tuple[CategoryColumn, list[int]]:
    """classes: the source's own. written: those of the experiment."""
    column, stored = fit_column(CategoryOutput(type="category", classes=written), values(array, classes))
    assert isinstance(column, CategoryColumn)
    assert stored.dtype == torch.int64
    return column, stored.tolist()


def test_classes_are_the_sorted_training_values() -> None:
    column, stored = fit(["dog", "cat", "eel", "cat"])
    assert column.classes == ("cat", "dog", "eel")
    assert stored == [1, 0, 2, 0]


def test_integers_are_sorted_by_number() -> None:
    assert fit([10, 9, -1, 2])[0].classes == ("-1", "2", "9", "10")
    assert fit(["10", "9", "2"])[0].classes == ("2", "9", "10")


def test_the_sources_own_classes_come_before_the_sorted_values() -> None:
    column, stored = fit([1, 0, 1], classes=("zebra", "ant", "bee"))
    assert column.classes == ("zebra", "ant", "bee")
    assert stored == [1, 0, 1]


def test_written_classes_give_the_order_by_name() -> None:
    assert fit(["dog", "cat"], written=["dog", "cat"])[1] == [0, 1]
    assert fit([3, 9, 3], written=["9", "3"])[1] == [1, 0, 1], "integer classes are names too"


def test_integers_are_positions_in_written_classes_that_are_no_integers_and_later_files_read_alike() -> None:
    column, stored = fit([[0], [1], [1]], written=["normal", "pneumonia"])
    assert stored == [0, 1, 1]
    again = column_from_state(column.to_state())
    assert again.encode(values([1, 0], split="test")).tolist() == [1, 0]
    assert again.encode(values(["pneumonia", "normal"], split="test")).tolist() == [1, 0]
    with pytest.raises(DataError, match=r"'2' is none of the classes normal, pneumonia"):
        again.encode(values([0, 2], split="test"))


def test_another_source_meets_by_name_in_any_order_and_with_classes_missing() -> None:
    column, _ = fit(["ant", "bee", "cow"])
    assert column.encode(values([1, 0], classes=("cow", "bee"))).tolist() == [1, 2]


def test_integers_of_arrays_are_the_classes_called_by_those_digits() -> None:
    column, _ = fit([7, 3], classes=tuple("0123456789"))
    assert column.encode(values([9, 0])).tolist() == [9, 0]


def test_a_class_that_is_not_known_is_named_with_its_row_and_the_known_ones() -> None:
    column, _ = fit(["ant", "bee"])
    message = r"column pet, test, b\.png: 'beee' is none of the classes ant, bee; did you mean bee\?"
    with pytest.raises(DataError, match=message):
        column.encode(values(["ant", "beee"], split="test", names=["a.png", "b.png"]))


def test_a_label_outside_the_sources_classes_is_named_with_its_row() -> None:
    with pytest.raises(DataError, match=r"column pet, train row 2: label 10 is outside 0\.\.9"):
        fit([0, 1, 10], classes=tuple("0123456789"))


def test_one_class_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="every example is 'cat'"):
        fit(["cat", "cat"])


def test_a_class_written_twice_is_an_error_at_its_place() -> None:
    with pytest.raises(ConfigError) as error:
        fit(["a", "b"], written=["a", "b", "a"])
    assert error.value.problems[0].path == ("outputs", "pet", "classes", 2)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ([1.0, 0.5], r"row 1: 0\.5 is no name; categories are text or integers .*type: number"),
        (np.array(["a", 1], dtype=object), "Python objects"),
        (np.eye(2, dtype=int), "one-hot"),
    ],
)
def test_values_that_are_no_categories_are_refused(array: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(array)


def test_bytes_and_truth_values_have_names_too() -> None:
    assert fit(np.array([b"no", b"yes"]))[0].classes == ("no", "yes")
    assert fit(np.array([True, False]))[0].classes == ("false", "true")


def test_an_input_takes_names_it_has_never_seen_as_index_0() -> None:
    column, stored = fit_column(CategoryInput(type="category"), values(["b", "a", "b"]))
    assert isinstance(column, CategoryColumn)
    assert stored.tolist() == [2, 1, 2]
    assert column.cardinality == 3
    assert column.shape == ()
    assert column.encode(values(["a", "zebra"], split="test")).tolist() == [1, 0]
    assert column.count(stored) == {"a": 1, "b": 2}


def test_an_input_keeps_the_classes_of_earlier_weights() -> None:
    earlier, _ = fit_column(CategoryInput(type="category"), values(["x", "y"]))
    column, stored = fit_column(CategoryInput(type="category"), values(["y", "z"]), earlier)
    assert column == earlier
    assert stored.tolist() == [2, 0]


def test_counts_include_classes_that_do_not_occur() -> None:
    column, stored = fit([0, 2, 2], classes=("a", "b", "c"))
    assert column.count(torch.tensor(stored)) == {"a": 1, "b": 0, "c": 2}


def test_classes_that_are_most_likely_one_are_told_and_single_letters_are_not() -> None:
    told = values(["Adelie", "adelie ", "gentoo"])
    fit_column(CategoryOutput(type="category"), told)
    message = "classes 'Adelie', 'adelie ' differ only by case, spaces or Unicode form; one class misspelt?"
    assert told.notes == [f"column pet, train: {message}"]
    letters = values(["a", "A", "b"])
    fit_column(CategoryOutput(type="category"), letters)
    assert letters.notes == []
