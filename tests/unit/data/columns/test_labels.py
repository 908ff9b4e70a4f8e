"""Promises of labels: multi-hot targets that meet by name, as scikit-learn's MultiLabelBinarizer makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ft.core.config.schema import LabelsOutput
from ft.core.data.columns import column_from_state, fit_column
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError

TEXTS = ["fever|cough", "cough", "", "rash | fever", "cough|cough"]


def values(array: Any, split: str = "train") -> Values:
    return Values(np.asarray(array) if isinstance(array, list) else array, "signs", split)


def fit(array: Any, **settings: Any) -> tuple[Any, np.ndarray, list[str]]:
    given = values(array)
    column, stored = fit_column(LabelsOutput(type="labels", **settings), given)
    return column, np.asarray(stored), given.notes


def test_targets_are_those_of_scikit_learn() -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    column, stored, notes = fit(TEXTS)
    binarizer = preprocessing.MultiLabelBinarizer()
    expected = binarizer.fit_transform([{name.strip() for name in text.split("|")} - {""} for text in TEXTS])
    assert stored.dtype == np.uint8
    assert np.array_equal(stored, expected)
    assert list(column.classes) == list(binarizer.classes_)
    assert notes == ["column signs, train: 1 of 5 rows have no name"]


def test_the_state_has_classes_and_how_many_examples_have_each() -> None:
    column, _, _ = fit(TEXTS)
    state = column.to_state()
    assert (state["classes"], state["counts"], state["rows"]) == (["cough", "fever", "rash"], [3, 2, 1], 5)
    assert column_from_state(state) == column


def test_lists_of_a_table_are_labels_and_integers_are_sorted_by_number() -> None:
    pa = pytest.importorskip("pyarrow")
    column, stored, _ = fit(pa.array([[10, 9], None, [0]]))
    assert column.classes == ("0", "9", "10")
    assert stored.tolist() == [[0, 1, 1], [0, 0, 0], [1, 0, 0]]
    column, stored, _ = fit(pa.array([0, 1]))
    assert stored.tolist() == [[1, 0], [0, 1]]


def test_a_matrix_of_0_and_1_is_labels_by_position() -> None:
    matrix = np.array([[0, 1, 1], [1, 0, 0]], dtype=np.uint8)
    _, stored, _ = fit(matrix, classes=["a", "b", "c"])
    assert np.array_equal(stored, matrix)
    assert fit(matrix)[0].classes == ("0", "1", "2")
    with pytest.raises(DataError, match="each example has 3 values; expected one for each of 2 classes"):
        fit(matrix, classes=["a", "b"])
    with pytest.raises(DataError, match="row 1: 2 is neither 0 nor 1"):
        fit(np.array([[0, 1], [2, 0]]))


def test_written_classes_give_the_order_and_may_lack_examples() -> None:
    column, stored, _ = fit(["b", "a|b"], classes=["b", "z", "a"])
    assert stored.tolist() == [[1, 0, 0], [1, 0, 1]]
    assert column.counts == (2, 0, 1)
    with pytest.raises(ConfigError) as error:
        fit(["a"], classes=["a", "b", "a"])
    assert error.value.problems[0].path == ("outputs", "signs", "classes", 2)


def test_a_label_that_is_no_class_is_named_with_its_row_and_the_nearest_one() -> None:
    column, _, _ = fit(TEXTS)
    with pytest.raises(DataError, match=r"test row 1: 'fevr' is none of the classes .*; did you mean fever\?"):
        column.encode(values(["rash", "cough|fevr"], "test"))


def test_without_any_label_there_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="no example has a label"):
        fit(["", ""])
