"""Runs side by side: every fact stands under the letter of its run, whatever its state."""

from __future__ import annotations

import math

import pytest

from ft.core.report import html, markdown
from ft.core.report.comparison import EXACT, Comparison, Difference, Side, letter, page


def side(path: str, **changes: object) -> Side:
    scores = {"val": {"accuracy": (0.75, (0.5, 1.0)), "f1": (math.nan, None)}}
    curve = {"accuracy": [(1.0, 0.5), (2.0, 0.75)]}
    values = {"seconds": 61.0, "parameters": 1234, "main": ["accuracy"], "scores": scores, "curves": curve}
    return Side(path, "pets", "train", "finished", 1e9, 3, 30, **{**values, **changes})  # type: ignore[arg-type]


def told(found: Comparison) -> str:
    text = markdown.write(page(found))
    assert html.write(page(found)).count("<h2") == text.count("\n## ")
    return text


def test_letters_go_on_after_z() -> None:
    assert [letter(index) for index in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]


@pytest.mark.parametrize("path", ["runs/caf\udce9/1", "runs/\x1b[31m/1", "runs/\u202e/1"])
def test_paths_that_cannot_be_shown_are_replaced_also_in_pictures(path: str) -> None:
    text = html.write(page(Comparison([side("a"), side(path)])))
    assert text.encode()
    assert not set("\udce9\x1b\u202e") & set(text)


def test_each_run_has_a_row_and_a_column_and_each_setting_that_differs_its_values() -> None:
    text = told(Comparison([side("runs/pets/1"), side("runs/pets/2")], {"train.lr": ["0.001", "0.01"]}))
    assert "| A   | runs/pets/1 | train | finished |" in text
    assert "| train.lr | 0.001 | 0.01 |" in text
    assert "| **accuracy** | 0.7500 (0.5000 to 1.0000) | 0.7500 (0.5000 to 1.0000) |" in text
    assert "1,234" in text


def test_runs_under_way_killed_or_never_judged_leave_empty_cells() -> None:
    bare = side("runs/pets/2", seconds=None, parameters=None, scores={}, curves={})
    killed = Side("runs/pets/3", "pets", "train", "killed", 1e9, 0, 0)
    text = told(Comparison([side("runs/pets/1"), bare, killed]))
    row = next(line for line in text.splitlines() if line.startswith("| **accuracy**"))
    assert [cell.strip() for cell in row.split("|")[3:5]] == ["", ""]
    assert "| killed" in text


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (Difference("test", "accuracy", 1, 0.01, (0.002, 0.018), 0.012, EXACT), "better, beyond chance"),
        (Difference("test", "accuracy", 1, -0.01, (-0.018, -0.002), 0.012, EXACT), "worse, beyond chance"),
        (Difference("test", "accuracy", 1, 0.01, (-0.002, 0.018), 0.2, EXACT), "within chance"),
        (Difference("test", "accuracy", 1, 0.0, (0.0, 0.0), 1.0, EXACT), "within chance"),
        (Difference("test", "accuracy", 1), "not a number"),
        (Difference("test", "accuracy", 1, why="judged on other examples"), "judged on other examples"),
    ],
)
def test_a_difference_is_told_in_words(difference: Difference, words: str) -> None:
    assert difference.verdict == words
    assert words in told(Comparison([side("a"), side("b")], differences=[difference]))


def test_the_test_is_named_and_many_tests_carry_their_caution() -> None:
    one = Difference("test", "accuracy", 1, 0.01, (0.0, 0.02), 0.04, EXACT)
    single = told(Comparison([side("a"), side("b")], differences=[one]))
    assert "exact McNemar test, two-sided" in single
    assert "Of twenty tests" not in single
    assert "Of twenty tests" in told(Comparison([side("a"), side("b"), side("c")], differences=[one, one]))


def test_equal_settings_are_said_to_be_equal() -> None:
    assert "None: all runs have the same settings." in told(Comparison([side("a"), side("b")]))


def test_more_runs_than_colours_are_said_not_to_be_drawn() -> None:
    assert "The first 6 runs are drawn; 3 more are not." in told(Comparison([side(f"r{index}") for index in range(9)]))


def test_each_run_has_a_line_of_its_own_colour() -> None:
    text = html.write(page(Comparison([side("a"), side("<b>")])))
    assert 'class="line series-1"' in text
    assert 'class="line series-2"' in text
    assert "B &lt;b&gt;" in text
