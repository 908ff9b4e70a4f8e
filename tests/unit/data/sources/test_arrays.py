"""Promises of arrays: columns from files of any form, splits as written, lengths that must agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ft.core.data.sources import load
from ft.core.data.sources.arrays import split_member
from ft.core.errors import DataError

Section = Callable[..., Any]


def test_columns_come_from_files_of_any_form(tmp_path: Path, data_section: Section, write_idx: Any) -> None:
    write_idx(tmp_path / "x-idx", np.arange(6, dtype=np.uint8).reshape(3, 2))
    np.save(tmp_path / "y.npy", np.array(["a", "b", "a"]))
    np.savez(tmp_path / "z.npz", weight=np.array([1.0, 2.0, 3.0]))
    train = {"x": "x-idx", "y": "y.npy", "z": "z.npz:weight"}
    dataset = load(data_section(source="arrays", root=str(tmp_path), train=train, test=train))
    columns = dataset.splits["test"].columns
    assert columns["x"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert columns["y"].tolist() == ["a", "b", "a"]
    assert columns["z"].tolist() == [1.0, 2.0, 3.0]
    assert dataset.official == ("train", "test")


def test_only_the_wanted_splits_are_read(tmp_path: Path, data_section: Section) -> None:
    np.save(tmp_path / "test.npy", np.arange(3))
    section = data_section(source="arrays", root=str(tmp_path), train={"x": "no.npy"}, test={"x": "test.npy"})
    assert set(load(section, None, {"test"}).splits) == {"test"}
    with pytest.raises(DataError, match=r"no\.npy: no such file"):
        load(section, None, {"val"})


def test_columns_of_different_length_are_named(tmp_path: Path, data_section: Section) -> None:
    np.save(tmp_path / "x.npy", np.zeros(1200))
    np.save(tmp_path / "y.npy", np.zeros(1199))
    section = data_section(source="arrays", root=str(tmp_path), train={"x": "x.npy", "y": "y.npy"})
    with pytest.raises(DataError, match="train: columns differ in length: x has 1,200, y has 1,199"):
        load(section)


def test_nothing_at_all_and_a_single_value_are_refused(tmp_path: Path, data_section: Section) -> None:
    np.save(tmp_path / "empty.npy", np.zeros((0, 3)))
    np.save(tmp_path / "one.npy", np.array(5))
    for name, message in (("empty", "train: no examples"), ("one", "the first axis must count examples")):
        with pytest.raises(DataError, match=message):
            load(data_section(source="arrays", root=str(tmp_path), train={"x": f"{name}.npy"}))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a.npz:x", ("a.npz", "x")),
        ("a.npz", ("a.npz", None)),
        ("C:/data/a.npz:x", ("C:/data/a.npz", "x")),
        ("C:/data/a.npy", ("C:/data/a.npy", None)),
        ("b.npz/a.npz:x", ("b.npz/a.npz", "x")),
    ],
)
def test_a_member_is_told_from_a_drive(written: str, expected: tuple[str, str | None]) -> None:
    assert split_member(written) == expected
