"""What a check says of rows that come twice, of leaks, and of columns that are the answer."""

from __future__ import annotations

import numpy as np
import pytest
from data_checks import CATEGORY, NUMBER, found, look, sound_columns

from ft.core.data.checks.check import repeated_rows
from ft.core.data.table import Dataset, Table


def test_rows_of_the_test_that_training_holds_are_an_error() -> None:
    train, test = sound_columns(60, 1), sound_columns(20, 3)
    test = {"x": test["x"].copy(), "y": test["y"].copy()}
    test["x"][[2, 5, 7]], test["y"][[2, 5, 7]] = train["x"][[10, 11, 13]], train["y"][[10, 11, 13]]
    [finding] = found(look({"test": test}), "leak")
    assert (finding.level, finding.split, finding.count) == ("error", "test", 3)
    assert finding.rows == ("row 2", "row 5", "row 7")
    assert finding.message == "3 of 20 (15 %) rows have the inputs of a training row, 3 with its answer: a leak"


@pytest.mark.parametrize(("rows", "level"), [(300, "error"), (301, "warning")])
def test_a_leak_is_an_error_from_three_rows_and_one_in_a_hundred(rows: int, level: str) -> None:
    train, test = sound_columns(60, 1), sound_columns(rows, 3)
    test["x"][[2, 5, 7]], test["y"][[2, 5, 7]] = train["x"][[10, 11, 13]], train["y"][[10, 11, 13]]
    assert [finding.level for finding in found(look({"test": test}), "leak")] == [level]


@pytest.mark.parametrize(
    ("rows", "of_training", "told"),
    [
        ([0, 1], [0, 1], "2 of 20 (10 %) rows have the inputs of a training row, 2 with its answer"),
        ([1], [0], "1 of 20 (5 %) rows have the inputs of a training row, none with its answer"),
    ],
)
def test_two_rows_may_be_chance_and_one_with_another_answer_is_no_leak(
    rows: list[int], of_training: list[int], told: str
) -> None:
    test = sound_columns(20, 3)
    test["x"][rows] = sound_columns(60, 1)["x"][of_training]
    [finding] = found(look({"test": test}), "leak")
    assert (finding.level, finding.message) == ("warning", told)


def test_rows_alike_with_different_answers_are_a_warning_and_no_leak() -> None:
    """Persons in a table of few coarse columns are alike; nobody was copied."""
    rng = np.random.default_rng(0)
    coarse = {
        split: {"x": rng.integers(0, 5, rows).astype(float), "y": np.where(rng.random(rows) < 0.5, "cat", "dog")}
        for split, rows in (("train", 60), ("val", 20), ("test", 20))
    }
    report = look(coarse)
    assert {finding.level for finding in found(report, "leak")} == {"warning"}
    remark = ". Equal inputs often have different answers here, so such rows need not be copies"
    assert all(finding.message.endswith(remark) for finding in found(report, "leak"))
    assert found(report, "contradiction")


@pytest.mark.parametrize(
    ("copies", "odd", "level"),
    [
        (4, 1, "error"),  # one contradiction among few copies was enough to call a leak harmless
        (10, 1, "error"),
        (100, 4, "error"),
        (10, 4, "warning"),
        (100, 15, "warning"),
    ],
)
def test_a_few_contradictions_do_not_make_copies_harmless(copies: int, odd: int, level: str) -> None:
    """copies: rows of training with their answers in the test. odd: two rows of training with different answers."""
    train, test = sound_columns(500, 1), sound_columns(150, 3)
    train["x"][1 : 2 * odd : 2] = train["x"][0 : 2 * odd : 2]  # neighbours are of different classes
    test["x"][-copies:], test["y"][-copies:] = train["x"][-copies:], train["y"][-copies:]
    report = look({"train": train, "test": test})
    assert found(report, "contradiction")[0].count == 2 * odd
    assert [finding.level for finding in found(report, "leak")] == [level]


def test_one_odd_answer_in_a_group_of_copies_is_one_wherever_it_stands() -> None:
    for place in (0, 5, 10):
        train, test = sound_columns(60, 1), sound_columns(20, 3)
        train["x"][:11], train["y"][:11] = 7.0, "cat"
        train["y"][place] = "dog"
        test["x"][:3], test["y"][:3] = train["x"][20:23], train["y"][20:23]
        assert [finding.level for finding in found(look({"train": train, "test": test}), "leak")] == ["error"]


def test_duplicates_are_those_beyond_the_first_of_each() -> None:
    x = sound_columns(60, 1)["x"].copy()
    x[[20, 21, 40]] = x[[2, 2, 4]]
    [finding] = found(look({"train": {"x": x}}), "duplicate")
    assert (finding.count, finding.rows) == (3, ("row 20", "row 21", "row 40"))


def test_whole_rows_that_repeat_are_counted_over_all_splits() -> None:
    table = Table({"a": np.array(["1", "1", "2", "1"]), "b": np.array(["x", "x", "x", "y"])})
    dataset = Dataset({"train": table, "test": table.take(np.array([2]))}, ("train", "test"), {}, "made here")
    assert repeated_rows(dataset) == 2


@pytest.mark.parametrize(
    ("values", "tells"),
    [
        (["yes", "no"], True),  # the answer under another name
        (["yes", "yes"], False),
    ],
)
def test_an_input_that_is_the_answer_is_an_error(values: list[str], tells: bool) -> None:
    also = {
        split: {"alive": np.where(sound_columns(rows, 1)["y"] == "cat", *values)}
        for split, rows in (("train", 60), ("val", 20), ("test", 20))
    }
    report = look(also, {"x": NUMBER, "alive": CATEGORY})
    assert [finding.column for finding in found(report, "tells")] == (["alive"] if tells else [])


def test_a_price_in_another_currency_is_the_answer() -> None:
    also = {
        split: {"y": sound_columns(rows, seed)["x"] * 0.92 + 3}
        for split, rows, seed in (("train", 60, 1), ("val", 20, 2), ("test", 20, 3))
    }
    assert found(look(also, None, {"y": NUMBER}), "tells")


def test_a_name_for_every_row_does_not_tell_the_answer() -> None:
    names = {
        split: {"x": np.array([f"{split}{row}" for row in range(rows)])}
        for split, rows in (("train", 60), ("val", 20), ("test", 20))
    }
    report = look(names, {"x": CATEGORY})
    assert found(report, "tells") == []
    assert found(report, "many-names")
    assert [(finding.split, finding.count) for finding in found(report, "unseen-name")] == [("val", 20), ("test", 20)]
