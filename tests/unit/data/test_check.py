"""What a check of the data finds, each fault alone in data that are otherwise sound."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from ft.core.config.schema import InputColumn, OutputColumn
from ft.core.data.checks.check import repeated_rows
from ft.core.data.checks.findings import DataReport, Finding
from ft.core.data.checks.looks import check_dataset
from ft.core.data.table import Dataset, Table

INPUTS = TypeAdapter(dict[str, InputColumn])
OUTPUTS = TypeAdapter(dict[str, OutputColumn])
NUMBER, CATEGORY = {"type": "number"}, {"type": "category"}


def sound_columns(rows: int, seed: int) -> dict[str, Any]:
    """A number and two balanced classes, without repetition."""
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=rows), "y": np.where(np.arange(rows) % 2, "cat", "dog")}


def look(
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
) -> DataReport:
    """The report on sound data with some columns of some splits replaced."""
    tables = {"train": sound_columns(60, 1), "val": sound_columns(20, 2), "test": sound_columns(20, 3)}
    for split, columns in (changes or {}).items():
        tables[split] = {**tables[split], **columns}
    dataset = Dataset({split: Table(columns) for split, columns in tables.items()}, ("train",), {}, "made here")
    given = INPUTS.validate_python(inputs or {"x": NUMBER})
    return check_dataset(dataset, given, OUTPUTS.validate_python(outputs or {"y": CATEGORY}))


def found(report: DataReport, kind: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.kind == kind]


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


# ---------------------------------------------------------------- files


def picture(kind: str = "PNG", *, size: int = 24, seed: int | None = 0, color: int = 0) -> bytes:
    """Noise, or one colour without a seed."""
    pixels = np.full((size, size, 3), color, dtype=np.uint8)
    if seed is not None:
        pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def sound(samples: np.ndarray, rate: int = 8_000) -> bytes:
    """16-bit wav. samples: -1..1."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def look_at_files(folder: Path, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> DataReport:
    for name, contents in files.items():
        (folder / name).write_bytes(contents)
    labels = np.where(np.arange(len(files)) % 2, "cat", "dog")
    table = Table({"x": np.array(list(files)), "y": labels}, list(files), folder)
    dataset = Dataset({"train": table}, ("train",), {}, "made here")
    return check_dataset(dataset, INPUTS.validate_python({"x": settings}), OUTPUTS.validate_python({"y": CATEGORY}))


def test_pictures_that_show_nothing_or_cannot_be_read_are_named(tmp_path: Path) -> None:
    files = {f"{row}.png": picture(seed=row) for row in range(60)}
    files |= {
        "broken.png": picture(seed=99)[:200],
        "empty.png": b"",
        "blank.png": picture(seed=None),
        "small.png": picture(size=3, seed=98),
        "twin.png": picture(seed=0),
    }
    report = look_at_files(tmp_path, files, {"type": "image", "size": 8})
    [unreadable] = found(report, "unreadable")
    assert (unreadable.level, unreadable.count) == ("error", 2)
    assert "broken.png" in unreadable.message
    assert unreadable.rows == ("empty.png",)
    assert [finding.rows for finding in found(report, "blank")] == [("blank.png",)]
    assert [finding.rows for finding in found(report, "small")] == [("small.png",)]
    assert "0.png and twin.png" in found(report, "same-file")[0].message


def test_a_drawing_of_another_format_among_photographs_may_be_a_placeholder(tmp_path: Path) -> None:
    drawing = np.zeros((24, 24, 3), dtype=np.uint8)
    drawing[8:16] = 255
    file = io.BytesIO()
    Image.fromarray(drawing).save(file, "GIF")
    files = {f"{row}.png": picture(seed=row) for row in range(60)} | {"none.gif": file.getvalue()}
    report = look_at_files(tmp_path, files, {"type": "image", "size": 8})
    assert [(finding.level, finding.rows) for finding in found(report, "placeholder")] == [("warning", ("none.gif",))]


def test_a_missing_file_is_an_error_and_with_skip_a_warning(tmp_path: Path) -> None:
    files = {f"{row}.png": picture(seed=row) for row in range(30)}
    levels = []
    for rule in ("fail", "skip"):
        look_at_files(tmp_path, files, {"type": "image", "size": 8})
        table = Table({"x": np.array([*files, "gone.png"]), "y": np.array(["a", "b"] * 15 + ["a"])}, None, tmp_path)
        dataset = Dataset({"train": table}, ("train",), {}, "made here")
        given = INPUTS.validate_python({"x": {"type": "image", "size": 8, "on_error": rule}})
        [finding] = found(check_dataset(dataset, given, OUTPUTS.validate_python({"y": CATEGORY})), "unreadable")
        assert "gone.png in row 30 is not there" in finding.message
        levels.append(finding.level)
    assert levels == ["error", "warning"]


def test_sounds_that_are_silent_clipped_cut_or_of_another_rate_are_named(tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    rng = np.random.default_rng(0)
    files = {f"{row}.wav": sound(rng.uniform(-0.5, 0.5, 4_000)) for row in range(30)}
    files |= {
        "silent.wav": sound(np.zeros(4_000)),
        "clipped.wav": sound(np.clip(rng.normal(size=4_000) * 3, -1, 1)),
        "long.wav": sound(rng.uniform(-0.5, 0.5, 20_000)),
        "fast.wav": sound(rng.uniform(-0.5, 0.5, 4_000), 16_000),
        "none.wav": sound(np.zeros(0)),
        "text.wav": b"this is no sound",
    }
    report = look_at_files(tmp_path, files, {"type": "audio", "seconds": 1.0, "rate": 8_000})
    assert [finding.rows for finding in found(report, "silent")] == [("silent.wav",)]
    assert [finding.rows for finding in found(report, "clipped")] == [("clipped.wav",)]
    assert "longest has 2.50 s" in found(report, "cut-sound")[0].message
    assert "8,000 Hz (33), 16,000 Hz (1)" in found(report, "rate")[0].message
    [unreadable] = found(report, "unreadable")
    assert (unreadable.level, unreadable.count) == ("error", 2)
    assert "none.wav holds no samples" in unreadable.message


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
