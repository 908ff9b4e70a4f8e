"""Histories against a plain loop over rows; above all, nothing in them was chosen later or is to be found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from ft.core.config.schema import DataSection, InputColumn, OutputColumn
from ft.core.data.catalog import Catalog
from ft.core.data.checks.check import check_data
from ft.core.data.columns import column_from_state
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.history import latest, up_to, users_side
from ft.core.data.prepare import Data, prepare_data, prepare_with
from ft.core.data.stored import Ragged, Windows
from ft.core.data.table import RowNames
from ft.core.errors import ConfigError, DataError

Rows = list[tuple[int, int, int]]  # user, item, time


def by_hand(rows: Rows, last: int, before: dict[int, list[int]]) -> list[list[int]]:
    """What each row's user chose before it, as indices; of equal times the row further up came first."""
    found: list[list[int]] = [[] for _ in rows]
    chosen = {user: list(items) for user, items in before.items()}
    for row in sorted(range(len(rows)), key=lambda row: (rows[row][2], row)):
        user, item, _ = rows[row]
        own = chosen.setdefault(user, [])
        found[row] = [item + 1 for item in own[-last:]] if user else []
        own += [item] if item else []
    return found


def lists(windows: Any) -> list[list[int]]:
    padded = windows.take(torch.arange(len(windows)))
    return [row[:length].tolist() for row, length in zip(padded, windows.lengths.tolist(), strict=True)]


some_rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 4)), min_size=1, max_size=30)
some_earlier = st.lists(st.lists(st.integers(1, 5), max_size=4), min_size=3, max_size=3)


@given(some_rows, st.integers(1, 6), some_earlier)
def test_a_training_row_sees_its_users_earlier_rows_only(rows: Rows, last: int, earlier: list[list[int]]) -> None:
    users, items, times = torch.tensor(rows).T
    before = Ragged.of(
        np.array([0, *map(len, earlier)]), np.array([item for own in earlier for item in own], dtype=np.int64)
    )
    windows = up_to(users, items, times.argsort(stable=True), last, before)
    assert lists(windows) == by_hand(rows, last, dict(enumerate(earlier, start=1)))


def test_without_anything_known_every_history_is_empty() -> None:
    windows = up_to(torch.tensor([1, 0]), torch.tensor([0, 2]), torch.arange(2), 3)
    assert windows.take(torch.arange(2)).tolist() == [[0], [0]]


def test_the_latest_choices_come_last() -> None:
    chosen = Ragged.of(np.array([0, 4, 1]), np.array([3, 1, 2, 3, 5]))
    assert lists(latest(chosen, torch.tensor([1, 2, 0, 1]), 3)) == [[2, 3, 4], [6], [], [2, 3, 4]]


def test_windows_lie_over_each_other_without_a_copy() -> None:
    windows = Windows(torch.arange(10, 20).int(), torch.tensor([0, 1, 3]), torch.tensor([3, 4, 3]))
    assert windows.take(torch.tensor([1, 2, 0])).tolist() == [[11, 12, 13], [0, 0, 0], [10, 11, 12]]
    assert windows.digest() != Windows(windows.values, windows.starts, windows.ends + 1).digest()


# ---------------------------------------------------------------- from files


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Any]:
    """`made(rows, split, recent)` -> the arguments of prepare_data, over a table of who, what and when."""

    def make(rows: Rows, split: dict[str, Any], recent: dict[str, Any] | None = None, name: str = "a.csv") -> Any:
        written = "".join(f"u{user},i{item},{time}\n" for user, item, time in rows)
        (tmp_path / name).write_text("who,what,when\n" + written)
        section = {"source": "table", "root": str(tmp_path), "train": name, "split": split}
        recent = {"type": "history", "last": 4, **(recent or {})}
        inputs = {"who": {"type": "category"}, "recent": recent, "what": {"type": "category"}}
        outputs = {"next": {"type": "ranking", "user": "who", "item": "what"}}
        return (
            TypeAdapter(DataSection).validate_python(section),
            {each: TypeAdapter(InputColumn).validate_python(settings) for each, settings in inputs.items()},
            {each: TypeAdapter(OutputColumn).validate_python(settings) for each, settings in outputs.items()},
        )

    return make


def random_rows(count: int = 200, seed: int = 0) -> Rows:
    """Users 1 to 6, items 1 to 30, at times some of which are the same; many choices are repeated."""
    drawn = np.random.default_rng(seed).integers([1, 1, 0], [7, 31, 60], (count, 3))
    return [tuple(row) for row in drawn.tolist()]


def rows_of(data: Data, split: str) -> list[int]:
    """Which rows of the file a split has."""
    names = data.examples[split].names
    assert isinstance(names, RowNames)
    return names.numbers.tolist()


def told(data: Data, stored: Any) -> list[list[int]]:
    """Histories as the numbers that the file gives the items."""
    what = data.inputs["what"]
    assert isinstance(what, CategoryColumn)
    return [[int(what.classes[index - 2][1:]) for index in row] for row in lists(stored)]


def expected(data: Data, rows: Rows, last: int = 4) -> dict[str, list[list[int]]]:
    """By split: training sees what came before, validation all of training, the test both."""
    train, val = ([rows[row] for row in rows_of(data, split)] for split in ("train", "val"))
    val = [row for row in val if row[1] in {item for _, item, _ in train}]  # others are not known
    wanted = {"train": [[item - 1 for item in own] for own in by_hand(train, last, {})]}
    for split, parts in (("val", [train]), ("test", [train, val])):
        wanted[split] = [so_far(parts, rows[row][0])[-last:] for row in rows_of(data, split)]
    return wanted


def so_far(parts: list[Rows], user: int) -> list[int]:
    """What a user chose in these parts, one after the other, each in the order of time."""
    return [item for part in parts for who, item, _ in sorted(part, key=lambda row: row[2]) if who == user]


SPLITS = [
    {"val": 2, "test": 1, "per": "who", "time": "when"},
    {"val": 0.1, "test": 0.2, "time": "when"},
    {"val": 0.2, "test": 0.2, "seed": 3},
]


@pytest.mark.parametrize("split", SPLITS)
def test_every_split_sees_what_was_chosen_before_it_and_no_more(made: Any, split: dict[str, Any]) -> None:
    rows = random_rows()
    data = prepare_data(*made(rows, split, {"time": "when"}))
    for part, wanted in expected(data, rows).items():
        assert told(data, data.examples[part].inputs["recent"]) == wanted


@pytest.mark.parametrize("split", SPLITS)
def test_no_choice_that_is_to_be_found_stands_in_a_history(made: Any, split: dict[str, Any]) -> None:
    """Every row has an item of its own user and place, so that one that leaks would be known by its name."""
    rows = [(1 + row % 5, 1 + row // 5, time) for row, (_, _, time) in enumerate(random_rows(150))]
    data = prepare_data(*made(rows, split, {"time": "when", "last": 99}))
    places = {part: rows_of(data, part) for part in ("train", "val", "test")}
    pairs = {part: {rows[row][:2] for row in places[part]} for part in places}
    moment = {rows[row][:2]: (rows[row][2], row) for row in range(len(rows))}
    for part, own in places.items():
        for row, history in zip(own, told(data, data.examples[part].inputs["recent"]), strict=True):
            seen = {(rows[row][0], item) for item in history}
            later = {"train": ("val", "test"), "val": ("val", "test"), "test": ("test",)}[part]
            assert not any(seen & pairs[other] for other in later)
            if part == "train":
                assert all(moment[pair] < (rows[row][2], row) for pair in seen)


def test_the_order_is_the_splits_own_time_or_else_the_files(made: Any) -> None:
    rows = [(1, 1, 30), (1, 2, 10), (1, 3, 20), (2, 4, 1), (1, 4, 40)]
    by_time = prepare_data(*made(rows, {"val": 1, "time": "when"}))
    assert told(by_time, by_time.examples["val"].inputs["recent"]) == [[2, 3, 1]]
    rows = [(1, 1, 30), (1, 2, 10), (1, 3, 20), (2, 4, 1), (1, 4, 77)]
    in_file = prepare_data(*made(rows, {"val": {"when": ["77"]}}))
    assert told(in_file, in_file.examples["val"].inputs["recent"]) == [[1, 2, 3]]


@pytest.mark.parametrize("only", ["train", "val", "test"])
def test_a_checkpoint_alone_gives_the_same_histories(made: Any, only: str) -> None:
    section, inputs, outputs = made(random_rows(), SPLITS[0])
    data = prepare_data(section, inputs, outputs)
    columns = [{n: column_from_state(c.to_state()) for n, c in side.items()} for side in (data.inputs, data.outputs)]
    again = prepare_with(section, columns[0], columns[1], {**inputs, **outputs}, only={only})
    stored, before = again.examples[only].inputs["recent"], data.examples[only].inputs["recent"]
    assert told(again, stored) == told(data, before)
    assert list(again.examples[only].inputs) == list(inputs)


def test_what_a_user_is_recommended_by_is_all_of_training_and_validation(made: Any) -> None:
    rows = random_rows()
    data = prepare_data(*made(rows, SPLITS[0]))
    who, catalog = data.inputs["who"], data.outputs["next"]
    assert isinstance(who, CategoryColumn)
    assert isinstance(catalog, Catalog)
    parts = [[rows[row] for row in rows_of(data, part)] for part in ("train", "val")]
    wanted = [[], *(so_far(parts, int(user[1:]))[-4:] for user in who.classes)]
    assert told(data, users_side(catalog, data.inputs)["recent"]) == wanted


def test_a_fine_tuning_puts_what_was_seen_before_in_front(made: Any) -> None:
    first, rows = random_rows(), [(1, 1, 5), (2, 3, 1), (1, 2, 3), (1, 4, 9), (2, 5, 9)]
    before = prepare_data(*made(first, SPLITS[0], {"last": 99}))
    keep = {name: column.to_state() for name, column in {**before.inputs, **before.outputs}.items()}
    data = prepare_data(*made(rows, {"val": 1, "per": "who", "time": "when"}, {"last": 99}, "b.csv"), keep=keep)
    parts = [[first[row] for row in rows_of(before, part)] for part in ("train", "val")]
    old = {
        user: [item for item in so_far(parts, user) if (user, item) not in {row[:2] for row in rows}] for user in (1, 2)
    }
    assert told(data, data.examples["train"].inputs["recent"]) == [[*old[1], 2], old[2], old[1]]
    assert told(data, data.examples["val"].inputs["recent"]) == [[*old[1], 2, 1], [*old[2], 3]]


def test_a_fine_tuning_on_the_same_data_shows_no_row_its_own_choice(made: Any) -> None:
    arguments = made(random_rows(), SPLITS[0])
    data = prepare_data(*arguments)
    keep = {name: column.to_state() for name, column in {**data.inputs, **data.outputs}.items()}
    again = prepare_data(*arguments, keep=keep)
    for part in ("train", "val", "test"):
        assert told(again, again.examples[part].inputs["recent"]) == told(data, data.examples[part].inputs["recent"])


def test_a_row_without_a_time_is_told(made: Any, tmp_path: Path) -> None:
    section, inputs, outputs = made(random_rows(20), {"val": 0.2}, {"time": "when"})
    with (tmp_path / "a.csv").open("a") as file:
        file.write("u1,i1,\n")
    with pytest.raises(DataError, match=r"column when, train, .*row 21: has no time"):
        prepare_data(section, inputs, outputs)


@pytest.mark.parametrize(
    ("recent", "path", "said"),
    [
        ({"time": "wen"}, ("inputs", "recent", "time"), "has no column wen.*did you mean when"),
        ({"column": "what"}, ("inputs", "recent", "column"), "reads no column of its own"),
    ],
)
def test_a_history_that_is_set_wrongly_is_refused_at_its_place(
    made: Any, recent: dict[str, Any], path: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        prepare_data(*made(random_rows(20), {"val": 0.2}, recent))
    assert error.value.problems[0].path == path


def test_a_history_needs_a_ranking_and_stands_on_the_users_side(made: Any) -> None:
    section, inputs, outputs = made(random_rows(20), {"val": 0.2})
    with pytest.raises(ConfigError, match="describes the user; take it out"):
        prepare_data(section, inputs, {"next": outputs["next"].model_copy(update={"item_inputs": ["recent"]})})
    number = TypeAdapter(OutputColumn).validate_python({"type": "number"})
    with pytest.raises(ConfigError, match="no output is a ranking") as error:
        prepare_data(section, inputs, {"when": number})
    assert error.value.problems[0].path == ("inputs", "recent")
    other = inputs["recent"].model_copy(update={"time": "when"})
    with pytest.raises(ConfigError, match="choices have one order"):
        prepare_data(section, {**inputs, "more": other}, outputs)


def test_the_check_counts_the_time_of_choices_among_the_columns_that_are_used(made: Any) -> None:
    assert check_data(*made(random_rows(40), {"val": 0.2}, {"time": "when"})).unused == ()
    assert check_data(*made(random_rows(40), {"val": 0.2})).unused == ("when",)
