"""Promises of splits that follow a column: groups stay whole, the future is the test, everyone keeps a row."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft.core.config.schema import Split
from ft.core.data.splits import split_columns, split_dataset
from ft.core.data.table import Dataset, RowNames, Table
from ft.core.errors import ConfigError, DataError


def cut(settings: dict[str, Any], **columns: Any) -> dict[str, list[int]]:
    """The row numbers of each part."""
    count = len(next(iter(columns.values())))
    names = RowNames(["a.csv"], np.zeros(1, np.int64), np.arange(count))
    table = Table({"id": np.arange(count), **columns}, names)
    tables = split_dataset(Dataset({"train": table}, ("train",), {}, "by hand"), Split.model_validate(settings))
    assert sorted(row for part in tables.values() for row in part.columns["id"].tolist()) == list(range(count))
    return {split: part.columns["id"].tolist() for split, part in tables.items()}


def text(values: list[Any]) -> pyarrow.Array:
    return pyarrow.array([str(value) for value in values], pyarrow.large_string())


# ---------------------------------------------------------------- by values


def test_classes_that_a_source_keeps_as_numbers_are_named_by_their_names() -> None:
    table = Table({"id": np.arange(6), "label": np.array([0, 1, 2, 0, 1, 2])})
    dataset = Dataset({"train": table}, ("train",), {"label": ("cat", "dog", "owl")}, "by hand")
    tables = split_dataset(dataset, Split.model_validate({"test": {"label": ["owl"]}}))
    assert tables["test"].columns["id"].tolist() == [2, 5]
    with pytest.raises(ConfigError, match="did you mean owl"):
        split_dataset(dataset, Split.model_validate({"test": {"label": ["owll"]}}))


def test_named_values_are_the_part_and_fractions_are_of_the_rest() -> None:
    speakers = ["theo", "nick", "lucas", "yves"] * 25
    parts = cut({"test": {"speaker": ["theo"]}, "val": 0.2}, speaker=text(speakers))
    assert parts["test"] == [row for row, name in enumerate(speakers) if name == "theo"]
    assert len(parts["val"]) == 15
    both = cut({"test": {"speaker": ["theo"]}, "val": {"day": [3, 4]}}, speaker=text(speakers), day=np.arange(100) % 7)
    assert both["test"] == parts["test"]
    assert both["val"] == [row for row in range(100) if row % 7 in (3, 4) and speakers[row] != "theo"]


def test_a_value_that_does_not_occur_is_an_error_at_its_place() -> None:
    with pytest.raises(
        ConfigError, match="column who has no value teho, it has theo, nick; did you mean theo"
    ) as error:
        cut({"test": {"who": ["nick", "teho"]}}, who=text(["theo", "nick", "theo"]))
    assert error.value.problems[0].path == ("data", "split", "test", "who", 1)


def test_taking_everything_by_values_leaves_nothing_to_train_on() -> None:
    with pytest.raises(ConfigError, match="leaves no example of 2 in train"):
        cut({"test": {"who": ["a"]}, "val": {"who": ["b"]}}, who=text(["a", "b"]))
    with pytest.raises(ConfigError, match="leaves no example of 2 in val"):
        cut({"test": {"who": ["a"]}, "val": {"where": ["x"]}}, who=text(["a", "b"]), where=text(["x", "y"]))


# ---------------------------------------------------------------- groups

groups_of = st.lists(st.sampled_from("abcdefghijkl"), min_size=10, max_size=80).filter(lambda rows: len(set(rows)) >= 3)


@given(groups=groups_of, val=st.floats(0.05, 0.4), test=st.floats(0.05, 0.4), seed=st.integers(0, 3))
def test_no_group_is_on_two_sides(groups: list[str], val: float, test: float, seed: int) -> None:
    parts = cut({"val": val, "test": test, "group": "patient", "seed": seed}, patient=text(groups))
    sides = {split: {groups[row] for row in rows} for split, rows in parts.items()}
    assert all(sides.values())
    assert sum(map(len, sides.values())) == len(set(groups))


@given(groups=groups_of, test=st.floats(0.05, 0.6))
def test_no_prefix_of_the_groups_comes_nearer_to_the_size(groups: list[str], test: float) -> None:
    """The groups' order is read off: larger parts hold the groups of smaller ones."""
    sizes = Counter(groups)
    wished = max(1, round(test * len(groups)))
    taken = len(cut({"test": test, "group": "g"}, g=text(groups))["test"])
    others = {len(cut({"test": size, "group": "g"}, g=text(groups))["test"]) for size in range(1, len(groups))}
    assert abs(taken - wished) == min(abs(other - wished) for other in others)
    assert taken <= len(groups) - min(sizes.values())


def test_a_group_keeps_its_side_when_rows_and_seeds_of_order_change() -> None:
    groups = [name for name in "abcdefghij" for _ in range(10)]
    first = cut({"test": 0.3, "group": "g"}, g=text(groups))
    turned = cut({"test": 0.3, "group": "g"}, g=text(groups[::-1]))
    assert {groups[row] for row in first["test"]} == {groups[::-1][row] for row in turned["test"]}
    another = cut({"test": 0.3, "group": "g", "seed": 1}, g=text(groups))
    assert first["test"] != another["test"]


def test_groups_that_are_too_few_or_missing_are_errors() -> None:
    with pytest.raises(ConfigError, match="column g has 2 groups; test and val and train need one each"):
        cut({"test": 1, "val": 1, "group": "g"}, g=text(list("abab")))
    with pytest.raises(DataError, match=r"column g, train, a\.csv row 2: is missing"):
        cut({"test": 1, "group": "g"}, g=pyarrow.array(["a", None, "b"]))


# ---------------------------------------------------------------- time


@given(times=st.lists(st.integers(-5, 5), min_size=4, max_size=40))
def test_the_latest_are_the_test_and_the_later_row_of_a_tie_is_later(times: list[int]) -> None:
    parts = cut({"val": 1, "test": 2, "time": "t"}, t=np.array(times))
    ordered = sorted(range(len(times)), key=lambda row: (times[row], row))
    assert parts["test"] == sorted(ordered[-2:])
    assert parts["val"] == [ordered[-3]]


def test_numbers_dates_and_times_of_every_form_are_put_in_one_order() -> None:
    start = datetime(1969, 12, 30, 23, 30)
    moments = [start + timedelta(hours=13 * ((row * 7) % 20)) for row in range(20)]
    expected = sorted(sorted(range(20), key=lambda row: moments[row])[-5:])
    seconds = [int((moment - start).total_seconds()) - 99_999 for moment in moments]
    forms = [
        text([moment.isoformat() for moment in moments]),
        text([f"{moment:%Y-%m-%d %H:%M:%S.250}" for moment in moments]),
        text(
            [f"{moment + timedelta(hours=row % 3):%Y-%m-%dT%H:%M}+0{row % 3}:00" for row, moment in enumerate(moments)]
        ),
        pyarrow.array(moments),
        np.array(moments, dtype="datetime64[s]"),
        text(seconds),
        text([f" {second}.5" for second in seconds]),
        np.array(seconds),
        pyarrow.array(seconds),
    ]
    for form in forms:
        assert cut({"test": 5, "time": "t"}, t=form)["test"] == expected


def test_times_beyond_the_digits_of_a_float_keep_their_order() -> None:
    nanoseconds = [1_700_000_000_000_000_000 + row for row in (2, 0, 1)]
    assert cut({"test": 1, "time": "t"}, t=text(nanoseconds))["test"] == [0]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (["2024-01-01", "soon"], r"column t, train, a\.csv row 2: 'soon' is neither a number nor a date"),
        (["2024-01-01", "7.5"], "has both numbers and dates"),
        (["1", "nan"], r"column t, train, a\.csv row 2: 'nan' is neither"),
        (["1", None], r"column t, train, a\.csv row 2: has no time"),
    ],
)
def test_what_is_no_time_is_named_with_its_row(times: list[str | None], message: str) -> None:
    with pytest.raises(DataError, match=message):
        cut({"test": 1, "time": "t"}, t=pyarrow.array(times))


# ---------------------------------------------------------------- within each value

users_of = st.lists(st.sampled_from("abcde"), min_size=6, max_size=60).filter(
    lambda rows: max(Counter(rows).values()) > 2
)


@given(users=users_of, data=st.data())
def test_leave_last_out_takes_the_last_row_of_each_and_the_one_before(users: list[str], data: st.DataObject) -> None:
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(users), max_size=len(users)))
    parts = cut({"val": 1, "test": 1, "per": "user", "time": "t"}, user=text(users), t=np.array(times))
    expected: dict[str, list[int]] = {"train": [], "val": [], "test": []}
    for user in set(users):
        rows = sorted((row for row in range(len(users)) if users[row] == user), key=lambda row: (times[row], row))
        expected["test"] += rows[-1:] if len(rows) > 1 else []
        expected["val"] += rows[-2:-1] if len(rows) > 2 else []
        expected["train"] += rows[:-2] if len(rows) > 2 else rows[:1]
    assert parts == {split: sorted(rows) for split, rows in expected.items()}


@given(users=st.lists(st.sampled_from("abc"), min_size=30, max_size=60).filter(lambda r: min(Counter(r).values()) > 3))
def test_a_fraction_is_of_each_values_rows_and_the_seed_chooses_which(users: list[str]) -> None:
    parts = cut({"test": 0.5, "per": "user"}, user=text(users))
    counts = Counter(users)
    assert Counter(users[row] for row in parts["test"]) == {user: (n + 1) // 2 for user, n in counts.items()}
    others = [cut({"test": 0.5, "per": "user", "seed": seed}, user=text(users))["test"] for seed in range(1, 6)]
    assert any(other != parts["test"] for other in others)


def test_nobody_loses_the_last_row() -> None:
    parts = cut({"test": 3, "val": 2, "per": "user"}, user=text(list("aabcccccccc")))
    users = "aabcccccccc"
    assert {users[row] for row in parts["train"]} == {"a", "b", "c"}
    assert Counter(users[row] for row in parts["test"]) == {"a": 1, "c": 3}
    assert Counter(users[row] for row in parts["val"]) == {"c": 2}


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize("rule", ["group", "time", "per"])
def test_a_column_that_is_not_there_is_told_at_its_setting(rule: str) -> None:
    with pytest.raises(ConfigError, match="have no column usr, they have id, user; did you mean user") as error:
        cut({"test": 1, rule: "usr"}, user=text(list("abc")))
    assert error.value.problems[0].path == ("data", "split", rule)


def test_a_rule_that_would_decide_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="decides nothing") as error:
        cut({"test": {"user": ["a"]}, "group": "user"}, user=text(list("abc")))
    assert error.value.problems[0].path == ("data", "split", "group")


def test_all_columns_that_decide_are_known_before_reading() -> None:
    settings = Split.model_validate({"val": 1, "test": {"a": ["x"]}, "per": "b", "time": "c"})
    assert split_columns(settings) == {"a", "b", "c"}
    assert split_columns(Split(val=1)) == set()


def test_rows_of_files_keep_their_side_when_the_ends_of_the_table_are_cut_off() -> None:
    """Identity is the row's own number: what an earlier step left out moves nothing but a border."""
    names = RowNames(["a.csv"], np.zeros(1, np.int64), np.arange(100))
    whole = Table({"id": np.arange(100)}, names)
    fewer = whole.take(np.setdiff1d(np.arange(100), [3, 50]))
    sides = [
        {int(row): split for split, part in tables.items() for row in part.columns["id"]}
        for tables in (split_dataset(Dataset({"train": t}, ("train",), {}, ""), Split(val=20)) for t in (whole, fewer))
    ]
    assert sum(sides[0][row] != sides[1][row] for row in sides[1]) <= 2
