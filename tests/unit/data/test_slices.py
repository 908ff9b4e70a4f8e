"""Parts of the examples: every row once, by values or ranges, and the rows without a value on their own."""

from __future__ import annotations

import numpy as np
import pytest

from ft.core.data.slices import MOST, cut_slices
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError


def cut(array: np.ndarray, asked: object, **more: object) -> dict[str, list[int]]:
    values = Values(array, "c", "test", **more)  # type: ignore[arg-type]
    return {name: rows.tolist() for name, rows in cut_slices(values, asked, "c").items()}  # type: ignore[arg-type]


def test_all_values_are_slices_in_their_natural_order() -> None:
    assert cut(np.array([10, 2, 10, 1]), "all") == {"c=1": [3], "c=2": [1], "c=10": [0, 2]}
    assert cut(np.array(["b", "a", "b"]), "all") == {"c=a": [1], "c=b": [0, 2]}
    assert cut(np.array([1, 0]), "all", classes=("cat", "dog")) == {"c=cat": [1], "c=dog": [0]}


def test_words_choose_values_and_one_that_no_row_has_is_empty() -> None:
    assert cut(np.array(["b", "a", "b"]), ["b", "x"]) == {"c=b": [0, 2], "c=x": []}


def test_a_bound_belongs_to_the_range_above_it_and_rows_without_a_number_are_apart() -> None:
    found = cut(np.array([17.9, 18.0, np.nan, 64.0, 65.0]), [18.0, 65.0])
    assert found == {"c<18": [0], "18<=c<65": [1, 3], "c>=65": [4], "c=missing": [2]}


def test_texts_of_numbers_have_ranges_and_other_texts_do_not() -> None:
    assert cut(np.array(["1", "3"]), [2.0]) == {"c<2": [0], "c>=2": [1]}
    with pytest.raises(DataError, match="'x'"):
        cut(np.array(["1", "x"]), [2.0])


def test_missing_values_of_a_table_are_a_slice_of_all() -> None:
    pa = pytest.importorskip("pyarrow")
    assert cut(pa.array(["a", None]), "all") == {"c=a": [0], "c=missing": [1]}
    assert cut(pa.array(["a", None]), ["a"]) == {"c=a": [0]}


def test_more_values_than_anyone_reads_are_refused() -> None:
    with pytest.raises(ConfigError, match="101 values"):
        cut(np.arange(MOST + 1), "all")
