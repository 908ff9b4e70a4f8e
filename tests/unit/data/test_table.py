"""Promises of tables and datasets: rows and names go together, and what cannot be examples is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow
import pytest

from ft.core.data.table import Dataset, Table, parts_to_read
from ft.core.errors import DataError


def test_taking_rows_keeps_names_folder_and_what_was_not_read() -> None:
    table = Table({"x": np.arange(4), "y": pyarrow.array(list("abcd"))}, list("pqrs"), Path("/data"), ("z",))
    some = table.take(np.array([3, 1]))
    assert {name: array.tolist() for name, array in some.columns.items()} == {"x": [3, 1], "y": ["d", "b"]}
    assert (some.names, some.folder, some.others) == (["s", "q"], Path("/data"), ("z",))


def test_tables_without_rows_or_with_columns_of_different_length_are_refused() -> None:
    with pytest.raises(DataError, match="train: no examples in here"):
        Dataset({"train": Table({"x": np.zeros(0)})}, ("train",), {}, "here")
    with pytest.raises(DataError, match="train: columns differ in length: x has 1, y has 2"):
        Dataset({"train": Table({"x": np.zeros(1), "y": np.zeros(2)})}, ("train",), {}, "here")


def test_what_a_column_notes_is_kept_by_its_dataset() -> None:
    dataset = Dataset({"val": Table({"x": np.zeros(1)})}, ("val",), {}, "here")
    dataset.values("val", "x").note("2 of 3 rows lack a number")
    assert dataset.notes == ["column x, val: 2 of 3 rows lack a number"]


def test_a_split_that_is_cut_needs_training() -> None:
    assert parts_to_read(("train", "test"), {"val"}) == ["train"]
    assert parts_to_read(("train", "test"), {"test"}) == ["test"]
    assert parts_to_read(("train", "test"), None) == ["train", "test"]
