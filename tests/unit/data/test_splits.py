"""Promises of splits: disjoint, complete, stratified, and the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.core.config.schema import Split
from ft.core.data.splits import apportion, split_dataset, split_names, split_rows
from ft.core.data.table import Dataset, Table
from ft.core.errors import ConfigError


def dataset(n: int = 100, official: tuple[str, ...] = ("train",)) -> Dataset:
    return Dataset({split: Table({"id": np.arange(n)}) for split in official}, official, {}, "made by hand")


groups_of = st.lists(st.integers(0, 4), min_size=12, max_size=120).map(np.array)


@given(groups=groups_of, test=st.integers(1, 4), val=st.integers(1, 4), seed=st.integers(0, 5))
def test_parts_are_disjoint_complete_and_as_large_as_asked(groups: np.ndarray, test: int, val: int, seed: int) -> None:
    parts = split_rows(groups, {"test": test, "val": val}, seed)
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(len(groups)))
    assert (len(parts["test"]), len(parts["val"])) == (test, val)


@given(groups=groups_of, share=st.floats(0.05, 0.5))
def test_every_class_gives_its_exact_share_within_one_example(groups: np.ndarray, share: float) -> None:
    size = max(1, round(share * len(groups)))
    counts = np.unique(groups, return_counts=True)[1]
    exact = counts * size / len(groups)
    taken = apportion(counts, size)
    assert taken.sum() == size
    if (counts - exact >= 1).all():
        assert (np.abs(taken - exact) < 1).all()


@given(counts=st.lists(st.integers(1, 6), min_size=2, max_size=6).map(np.array), data=st.data())
def test_training_keeps_an_example_of_each_class_while_that_is_possible(
    counts: np.ndarray, data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, int(counts.sum()) - 1))
    left = counts - apportion(counts, size)
    assert (left >= 0).all()
    assert (left > 0).all() or left.sum() < len(counts)


def test_largest_remainders_get_what_rounding_down_leaves() -> None:
    assert apportion(np.array([10, 20, 31]), 6).tolist() == [1, 2, 3]  # exact: 0.98, 1.97, 3.05


def test_the_same_seed_cuts_the_same_rows_and_another_seed_others() -> None:
    groups = np.arange(200) % 4
    first = split_rows(groups, {"val": 40}, 0)["val"]
    assert np.array_equal(first, split_rows(groups, {"val": 40}, 0)["val"])
    assert not np.array_equal(first, split_rows(groups, {"val": 40}, 1)["val"])


def test_another_val_never_moves_an_example_into_or_out_of_the_test() -> None:
    small = split_dataset(dataset(), Split(test=0.2, val=5))
    large = split_dataset(dataset(), Split(test=0.2, val=30))
    assert np.array_equal(small["test"].columns["id"], large["test"].columns["id"])
    assert set(small["val"].columns["id"]) <= set(large["val"].columns["id"])


def test_counts_and_fractions_are_of_the_whole_training_part_and_rows_keep_their_order() -> None:
    tables = split_dataset(dataset(), Split(test=0.25, val=10))
    assert {split: len(table) for split, table in tables.items()} == {"test": 25, "val": 10, "train": 65}
    assert all((np.diff(table.columns["id"]) > 0).all() for table in tables.values())


def test_without_stratification_classes_are_left_to_chance() -> None:
    groups = np.repeat([0, 1], 50)
    even = split_dataset(dataset(), Split(val=50), groups)["val"].columns["id"]
    chance = [
        split_dataset(dataset(), Split(val=50, stratify=False, seed=s), groups)["val"].columns["id"] for s in range(8)
    ]
    assert (even < 50).sum() == 25
    assert {int((rows < 50).sum()) for rows in chance} != {25}


def test_official_parts_stay_and_cutting_one_again_is_an_error_at_its_setting() -> None:
    official = dataset(official=("train", "test"))
    tables = split_dataset(official, Split(val=10))
    assert np.array_equal(tables["test"].columns["id"], np.arange(100))
    assert split_names(official, Split(val=10)) == ("train", "val", "test")
    with pytest.raises(ConfigError, match="own test split") as error:
        split_dataset(official, Split(test=10))
    assert error.value.problems[0].path == ("data", "split", "test")


@pytest.mark.parametrize(
    ("split", "message"), [(Split(val=100), "training has 100"), (Split(val=60, test=40), "none is left")]
)
def test_more_than_there_is_is_an_error_at_the_split(split: Split, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        split_dataset(dataset(), split)
    assert error.value.problems[0].path[:2] == ("data", "split")


def sides(names: list[str]) -> dict[str, str]:
    """The split of each named example; the class is the folder."""
    table = Table({"id": np.arange(len(names))}, names)
    groups = np.array([name.split("/")[0] for name in names])
    parts = split_dataset(Dataset({"train": table}, ("train",), {}, "x"), Split(val=0.2, test=0.2), groups)
    return {name: split for split, part in parts.items() for name in part.names or ()}


COMING = [f"{label}/new {number}.png" for label in ("ant", "bee", "cow", "dog") for number in range(9)]
FOLDERS = [f"{label}/{number:03}.png" for label in ("ant", "bee", "cow") for number in range(40)]


@given(
    come=st.lists(st.sampled_from(COMING), max_size=4, unique=True),
    go=st.lists(st.sampled_from(FOLDERS), max_size=4, unique=True),
)
def test_an_example_keeps_its_side_when_others_come_or_go(come: list[str], go: list[str]) -> None:
    before, after = sides(FOLDERS), sides(sorted({*FOLDERS, *come} - {*go}))
    stayed = set(before) & set(after)
    moved = [(before[name], after[name]) for name in stayed if before[name] != after[name]]
    changes, borders, classes = len(come) + len(go), 2, 4
    assert len(moved) <= borders * (changes + classes * bool(changes))
    assert not {("train", "test"), ("test", "train")} & set(moved), "validation lies between the two"


def test_one_more_picture_at_the_front_moves_at_most_a_border_example_of_its_class() -> None:
    before, after = sides(FOLDERS), sides(["ant/!.png", *FOLDERS])
    assert sum(before[name] != after[name] for name in FOLDERS) <= 2


def test_the_order_of_the_files_and_names_that_are_no_utf8_do_not_matter() -> None:
    names = [*FOLDERS, "ant/caf\udce9.png"]  # as Python reads a Latin-1 file name
    assert sides(names) == sides(names[::-1])


def test_names_go_with_their_rows() -> None:
    table = Table({"id": np.arange(4)}, ["a", "b", "c", "d"])
    parts = split_dataset(Dataset({"train": table}, ("train",), {}, "x"), Split(val=2))
    for part in parts.values():
        assert part.names == ["abcd"[row] for row in part.columns["id"]]
