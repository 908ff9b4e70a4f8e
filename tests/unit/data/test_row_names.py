"""Promises of row names: each row is called by its file and its place in it, whatever was taken away around it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ft.core.data.table import RowNames, Table, Values


@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), data=st.data())
def test_names_are_those_of_counting_through_the_files(sizes: list[int], data: st.DataObject) -> None:
    files = [f"{place}.csv" for place in range(len(sizes))]
    expected = [f"{file} row {row}" for file, size in zip(files, sizes, strict=True) for row in range(1, size + 1)]
    names = RowNames(files, np.cumsum([0, *sizes[:-1]]), np.arange(sum(sizes)))
    assert list(names) == expected
    rows = np.array(data.draw(st.lists(st.integers(0, sum(sizes) - 1), max_size=6)), dtype=np.int64)
    assert list(names.take(rows)) == [expected[row] for row in rows]
    assert list(names[1:]) == expected[1:]


def test_a_table_that_lost_rows_still_names_the_files_rows() -> None:
    names = RowNames([""], np.zeros(1, np.int64), np.arange(10))
    table = Table({"x": np.arange(10)}, names).take(np.array([3, 7])).take(np.array([1]))
    assert table.names is not None
    assert list(table.names) == ["row 8"]
    error = Values(table.columns["x"], "x", "val", table.names).error("is odd", 0)
    assert str(error) == "column x, val, row 8: is odd"
