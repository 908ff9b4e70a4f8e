"""What a check of the data finds in columns, answers and texts, each fault alone in data that are otherwise sound."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from data_checks import CATEGORY, INPUTS, NUMBER, OUTPUTS, found, look, sound_columns

from ft.core.data.checks.findings import DataReport
from ft.core.data.checks.looks import check_dataset
from ft.core.data.table import Dataset, Table


def test_sound_data_have_no_findings() -> None:
    assert look().findings == []


def test_facts_are_those_of_all_splits_together() -> None:
    report = look()
    x = np.concatenate([sound_columns(60, 1)["x"], sound_columns(20, 2)["x"], sound_columns(20, 3)["x"]])
    facts = report.columns[0]
    assert (facts.rows, facts.missing, facts.distinct) == (100, 0, 100)
    assert facts.extent is not None
    assert (facts.extent.minimum, facts.extent.maximum) == (x.min(), x.max())
    assert facts.extent.mean == pytest.approx(x.mean())
    assert report.classes["y"]["train"] == {"dog": 30, "cat": 30}


def test_every_value_that_cannot_be_read_is_counted_and_the_first_are_named() -> None:
    texts = [f"{number}" for number in range(60)]
    for row in (7, 9, 30, 31):
        texts[row] = "12,5"
    [finding] = found(look({"train": {"x": np.array(texts)}, **_texts("val", "test")}), "unreadable")
    assert (finding.level, finding.count, finding.split) == ("error", 4, "train")
    assert finding.rows == ("row 7", "row 9", "row 30")
    assert "'12,5'" in finding.message
    assert "separators" in finding.message


def _texts(*splits: str) -> dict[str, dict[str, np.ndarray]]:
    """Other numbers in each split, as texts."""
    return {split: {"x": np.array([f"{place}{row:04}" for row in range(20)])} for place, split in enumerate(splits, 7)}


@pytest.mark.parametrize(("missing", "level"), [("fail", "error"), ("flag", None)])
def test_missing_numbers_are_an_error_unless_they_are_flagged(missing: str, level: str | None) -> None:
    x = sound_columns(60, 1)["x"].copy()
    x[[3, 4]] = np.nan
    report = look({"train": {"x": x}}, {"x": {**NUMBER, "missing": missing}})
    assert report.columns[0].missing == 2
    assert [finding.level for finding in found(report, "missing")] == ([level] if level else [])


def test_a_missing_answer_is_an_error() -> None:
    y = sound_columns(60, 1)["y"].astype(object)
    y[5] = ""
    [finding] = found(look({"train": {"y": y.astype(str)}}), "missing")
    assert (finding.level, finding.column, finding.rows) == ("error", "y", ("row 5",))


def test_a_constant_input_is_a_warning() -> None:
    same = {split: {"x": np.ones(rows)} for split, rows in (("train", 60), ("val", 20), ("test", 20))}
    assert [finding.level for finding in found(look(same), "constant")] == ["warning"]


@pytest.mark.parametrize("other", ["Cat", " cat", "cat ", "ｃat", "CAT"])
def test_one_class_in_two_spellings_is_an_error(other: str) -> None:
    y = sound_columns(60, 1)["y"].astype("U8")
    y[1] = other
    [finding] = found(look({"train": {"y": y}}), "spelling")
    assert finding.level == "error"
    assert repr(other) in finding.message


def test_letters_of_both_cases_are_classes_of_their_own() -> None:
    sizes = {"train": 60, "val": 20, "test": 20}
    letters = {split: {"y": np.where(np.arange(rows) % 2, "a", "A")} for split, rows in sizes.items()}
    assert found(look(letters), "spelling") == []


def test_a_class_that_only_the_test_has_is_an_error() -> None:
    y = sound_columns(20, 3)["y"].astype("U8")
    y[[0, 4]] = "bird"
    [finding] = found(look({"test": {"y": y}}), "unknown-class")
    assert (finding.level, finding.split, finding.count) == ("error", "test", 2)
    assert "bird" in finding.message


def test_a_class_with_few_examples_is_a_warning() -> None:
    y = sound_columns(60, 1)["y"].astype("U8")
    y[:9] = "bird"
    [finding] = found(look({"train": {"y": y}}), "rare-class")
    assert (finding.level, "bird (9)" in finding.message) == ("warning", True)


def test_one_class_alone_is_an_error() -> None:
    [finding] = found(look({"train": {"y": np.full(60, "cat")}}), "one-class")
    assert finding.level == "error"


def test_empty_and_cut_texts_are_told() -> None:
    texts = {
        split: {"x": np.array([f"{split} number {row}" for row in range(rows)], dtype="U99")}
        for split, rows in (("train", 60), ("val", 20), ("test", 20))
    }
    texts["train"]["x"][4] = "  "
    texts["train"]["x"][6] = "one two three four five, six"  # seven tokens with the comma
    report = look(texts, {"x": {"type": "text", "max_length": 6}})
    assert [finding.rows for finding in found(report, "empty-text")] == [("row 4",)]
    [cut] = found(report, "cut-text")
    assert (cut.count, cut.message.endswith("the longest has 7")) == (1, True)


def alone(columns: Mapping[str, Any], inputs: Any, outputs: Any = None) -> DataReport:
    """A look at a training split and nothing else."""
    dataset = Dataset({"train": Table(columns)}, ("train",), {}, "made here")
    given = INPUTS.validate_python({"x": inputs})
    return check_dataset(dataset, given, OUTPUTS.validate_python({"y": outputs or CATEGORY}))


def test_labels_as_a_matrix_are_counted_by_its_columns() -> None:
    """They were taken for lists of the names 0 and 1."""
    labels = {"type": "labels", "classes": ["red", "blue"]}
    columns = {"x": np.arange(30.0), "y": np.array([[1, 0], [1, 1], [0, 0]] * 10)}
    report = alone(columns, NUMBER, labels)
    assert report.classes["y"] == {"train": {"red": 20, "blue": 10}}
    assert not found(report, "unknown-class")


def test_dates_are_read_as_their_column_reads_them() -> None:
    """In UTC where a zone is written, and without a form where a table has dates of its own."""
    times = np.array(["2024-05-31T12:00:00+02:00"] * 30)
    assert _latest(times, {"type": "date"}) == datetime(2024, 5, 31, 10, tzinfo=UTC).timestamp()
    days = np.array(["2024-05-31"] * 30, dtype="datetime64[D]")
    assert _latest(days, {"type": "date", "format": "%d.%m.%Y"}) == datetime(2024, 5, 31, tzinfo=UTC).timestamp()


def test_seconds_far_outside_the_calendar_are_found_before_training_is() -> None:
    seconds = np.array([1.7e9] * 29 + [1.7e12])  # milliseconds
    columns = {"x": seconds, "y": np.arange(30) % 2}
    [finding] = found(alone(columns, {"type": "date", "format": "unix"}), "unreadable")
    assert finding.count == 1


def _latest(moments: np.ndarray, settings: dict[str, Any]) -> float:
    report = alone({"x": moments, "y": np.arange(30) % 2}, settings)
    assert not found(report, "unreadable")
    [facts] = [column for column in report.columns if column.name == "x"]
    assert facts.extent is not None
    return facts.extent.maximum


def test_chinese_words_are_counted_as_the_model_cuts_them() -> None:
    """One character is one word there; a run of ten was counted as one, and nobody was told that it is cut."""
    columns = {"x": np.array(["\u597d" * 10, "\u597d"] * 15), "y": np.arange(30) % 2}
    report = alone(columns, {"type": "text", "tokens": "words", "max_length": 8})
    [finding] = found(report, "cut-text")
    assert finding.count == 15
