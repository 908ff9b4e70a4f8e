"""Integers of another file's data are positions in its own list of classes; all else is left to the column."""

from __future__ import annotations

import numpy as np
import pytest

from ft.core.data.cells import Cells, texts
from ft.core.data.positions import with_names
from ft.core.data.table import Dataset, Table


def renamed(array: Cells, classes: list[str]) -> list[str]:
    dataset = Dataset({"test": Table({"kind": array, "x": np.arange(len(array))})}, ("test",), {}, "here")
    return list(texts(with_names(dataset, {"kind": classes}).splits["test"].columns["kind"]))


def test_integers_become_names_however_they_are_kept() -> None:
    pa = pytest.importorskip("pyarrow")
    for array in (
        np.array([2, 0, 1, 0]),
        np.array([2.0, 0, 1, 0]),
        pa.array([2, 0, 1, 0]),
        pa.array(["2", "0", "1", "0"]),
    ):
        assert renamed(array, ["c", "a", "b"]) == ["b", "c", "a", "c"]


def test_names_integers_outside_and_missing_ones_stay() -> None:
    pa = pytest.importorskip("pyarrow")
    assert renamed(np.array(["a", "b"]), ["b", "a"]) == ["a", "b"]
    assert renamed(np.array([0, 5, -1]), ["b", "a"]) == ["b", "5", "-1"]
    assert renamed(np.array([1, 0]), ["1", "0"]) == ["1", "0"], "listed integers are names, as in training"
    assert renamed(pa.array([1, None]), ["b", "a"]) == ["1", ""], "the column says that one is missing"
    assert renamed(np.array(["1", "a"]), ["b", "a"]) == ["1", "a"], "not all are integers"
