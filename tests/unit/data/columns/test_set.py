"""Promises of set columns: names without order or number, found by name, padded only in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from ft.core.config.schema import SetInput
from ft.core.data.columns import column_from_state, fit_column
from ft.core.data.stored import Ragged
from ft.core.data.table import Values
from ft.core.errors import DataError


def values(array: Any, split: str = "train") -> Values:
    return Values(np.asarray(array) if isinstance(array, list) else array, "genres", split)


def fit(array: Any, **settings: Any) -> tuple[Any, Ragged, list[str]]:
    given = values(array)
    column, stored = fit_column(SetInput(type="set", **settings), given)
    assert isinstance(stored, Ragged)
    return column, stored, given.notes


def test_names_are_cut_at_the_separator_and_numbered_from_2_in_sorted_order() -> None:
    column, stored, notes = fit(["war|action", " drama ", "", "war|war"])
    assert column.names == ("action", "drama", "war")
    assert column.cardinality == 5
    assert stored.take(torch.arange(4)).tolist() == [[4, 2], [3, 0], [0, 0], [4, 0]]
    assert notes == ["column genres, train: 1 of 4 rows have no name"]


def test_lists_of_a_table_are_sets_too_and_missing_ones_are_empty() -> None:
    pa = pytest.importorskip("pyarrow")
    column, stored, _ = fit(pa.array([["b", "a"], None, [], ["b", None]]))
    assert column.names == ("a", "b")
    assert stored.lengths.tolist() == [2, 0, 0, 1]
    assert fit(pa.array(["a;b", None]), separator=";")[1].take(torch.arange(2)).tolist() == [[2, 3], [0, 0]]


def test_names_that_training_does_not_have_are_1_and_told() -> None:
    column, _, _ = fit(["a|b"])
    test = values(["a|x", "y", "b"], "test")
    again = column_from_state(column.to_state())
    assert again.encode(test).take(torch.arange(3)).tolist() == [[2, 1], [1, 0], [3, 0]]
    assert test.notes == ["column genres, test: 2 of 3 rows have names that are not known: 'x', 'y'"]


def test_rare_names_are_unknown() -> None:
    column, stored, _ = fit(["a|b", "a"], min_count=2)
    assert column.names == ("a",)
    assert stored.row(0).tolist() == [2, 1]


def test_earlier_names_stay() -> None:
    earlier, _, _ = fit(["a|b"])
    column, stored = fit_column(SetInput(type="set", separator=","), values(["b,c"]), earlier)
    assert column.to_state()["names"] == ["a", "b"]
    assert stored.take(torch.tensor([0])).tolist() == [[3, 1]]


def test_a_column_without_any_name_is_an_error() -> None:
    with pytest.raises(DataError, match="no example has a name"):
        fit(["", ""])
