"""What is wrong with people's tables and files: one message with file, row, column and value; counts; no silence."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import Answer, changed, ft, write_config
from PIL import Image
from small_tables import guests, write_rows, write_sound
from table_runs import GUESTS, document, predictions, train

pytest.importorskip("pyarrow", reason="tables need pyarrow")

Rows = list[dict[str, Any]]


def refused(answer: Answer, code: int, *said: str) -> None:
    """One message, with all that it has to name, and no traceback."""
    assert answer.code == code, answer.err
    assert len(answer.errors) == 1, answer.err
    assert "Traceback" not in answer.err
    for each in said:
        assert each in answer.errors[0]


def with_value(column: str, row: int, value: str) -> Callable[[Rows], Rows]:
    """Rows of which one, counted from 1 as messages do, says something else."""
    return lambda rows: [*rows[: row - 1], {**rows[row - 1], column: value}, *rows[row:]]


# ---------------------------------------------------------------- training


VALUES = [
    ("a word for a number", with_value("price", 7, "cheap"), {}, ("column price", "guests.csv row 7", "'cheap'")),
    ("a comma in a number", with_value("price", 9, "1,234"), {}, ("column price", "guests.csv row 9", "1,234")),
    ("no number where one must be", with_value("price", 4, ""), {}, ("column price", "guests.csv row 4", "missing")),
    ("an endless number", with_value("price", 3, "inf"), {}, ("column price", "guests.csv row 3", "inf")),
    ("a day that is none", with_value("day", 11, "2024-02-30"), {}, ("column day", "guests.csv row 11", "2024-02-30")),
    ("no day", with_value("day", 2, ""), {}, ("column day", "guests.csv row 2")),
    ("no answer", with_value("happy", 5, ""), {}, ("column happy", "guests.csv row 5", "missing")),
    ("a class that is none", with_value("happy", 6, "Yes"), {"happy": {"type": "category", "classes": ["no", "yes"]}},
     ("column happy", "guests.csv row 6", "'Yes'")),
    ("no number to learn", with_value("stars", 8, "many"), {"stars": {"type": "number"}},
     ("column stars", "guests.csv row 8", "'many'")),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "outputs", "said"), [case[1:] for case in VALUES], ids=[c[0] for c in VALUES])
def test_a_value_that_cannot_be_used_is_named_with_column_file_and_row(
    tmp_path: Path, edit: Callable[[Rows], Rows], outputs: dict[str, Any], said: tuple[str, ...]
) -> None:
    write_rows(tmp_path / "guests.csv", edit(guests(60)))
    write_config(tmp_path / "c.yaml", {"data": {"split": ...}, **({"outputs": outputs} if outputs else {})}, GUESTS)
    refused(ft("train", "c.yaml", cwd=tmp_path), 4, *said)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"inputs": {"nigths": {"type": "number"}}}, "nigths", "did you mean nights"),
        ({"inputs": {"nights": {"column": "night"}}}, "night", "did you mean nights"),
        ({"outputs": {"hapy": {"type": "category"}}}, "hapy", "did you mean happy"),
        ({"inputs": {"both": {"type": "vector", "columns": ["price", "rat"]}}}, "rat", "did you mean rate"),
        ({"data": {"split": {"group": "gest"}}}, "gest", "did you mean guest"),
        ({"data": {"split": {"time": "dya"}}}, "dya", "did you mean day"),
    ],
)
def test_a_column_that_is_not_there_is_named_at_its_setting_with_the_nearest(
    tmp_path: Path, changes: dict[str, Any], key: str, said: str
) -> None:
    write_rows(tmp_path / "guests.csv", guests(60))
    config = write_config(tmp_path / "c.yaml", changes, GUESTS)
    answer = ft("train", "c.yaml", cwd=tmp_path)
    refused(answer, 2, said)
    line = int(answer.errors[0].split(":")[1])
    lines = config.read_text().splitlines()
    assert key in " ".join(lines[line - 1 : line + 4])  # the setting, or the mapping it stands in
    assert not (tmp_path / "runs").exists()


def test_every_value_that_spoils_a_number_is_counted(tmp_path: Path) -> None:
    rows = guests(60)
    for number in (10, 20, 30):
        rows[number]["price"] = "none of that"
    write_rows(tmp_path / "guests.csv", rows)
    write_config(tmp_path / "c.yaml", {"data": {"split": ...}}, GUESTS)
    refused(ft("train", "c.yaml", cwd=tmp_path), 4, "guests.csv row 11", "2 rows more")


# ---------------------------------------------------------------- files


def test_files_in_two_encodings_are_both_named(tmp_path: Path) -> None:
    rows = [{**row, "city": "北京大学" if n % 2 else "上海"} for n, row in enumerate(guests(60))]
    for name, encoding in (("part-1.csv", "utf-8"), ("part-2.csv", "gb18030")):
        path = write_rows(tmp_path / name, rows)
        path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    write_config(tmp_path / "c.yaml", {"data": {"train": "part-*.csv"}}, GUESTS)
    refused(ft("train", "c.yaml", cwd=tmp_path), 4, "mixed encodings", "part-1.csv", "part-2.csv", "gb18030")


def test_lines_in_two_encodings_are_both_named(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "guests.csv", [{**row, "city": "北京大学"} for row in guests(60)])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[20] = lines[20].decode().encode("gb18030")
    path.write_bytes(b"".join(lines))
    write_config(tmp_path / "c.yaml", base=GUESTS)
    refused(ft("train", "c.yaml", cwd=tmp_path), 4, "guests.csv", "mixed encodings", "line 2 ", "line 21 ")


def test_a_file_that_is_not_utf8_is_told_to_be_read_as_chinese(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "guests.csv", [{**row, "city": "北京大学"} for row in guests(120)])
    path.write_bytes(path.read_text(encoding="utf-8").encode("gb18030"))
    write_config(tmp_path / "c.yaml", base=GUESTS)
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "guests.csv: is not UTF-8, read as GB18030" in answer.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ("guests.csv",)),
        ("nights,price,city,tags,day,review,happy\n", ("guests.csv",)),
        ("nights,price,price,city,tags,day,review,happy\n1,2,3,a,b,2024-01-01,c,no\n", ("guests.csv", "price")),
        ("nights,price,city,tags,day,review,happy\n1,2,a,b,2024-01-01,c,no\n1,2,a\n", ("guests.csv", "3")),
    ],
    ids=["nothing", "no rows", "two columns of one name", "a row that is too short"],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, text: str, said: tuple[str, ...]) -> None:
    (tmp_path / "guests.csv").write_text(text)
    write_config(tmp_path / "c.yaml", {"data": {"split": ...}}, GUESTS)
    refused(ft("train", "c.yaml", cwd=tmp_path), 4, *said)


def test_files_read_together_need_the_same_columns(tmp_path: Path) -> None:
    rows = guests(60)
    write_rows(tmp_path / "part-1.csv", rows)
    write_rows(tmp_path / "part-2.csv", [{("cost" if k == "price" else k): v for k, v in r.items()} for r in rows])
    write_config(tmp_path / "c.yaml", {"data": {"train": "part-*.csv"}}, GUESTS)
    refused(ft("train", "c.yaml", cwd=tmp_path), 4, "part-2.csv", "cost", "price")


# ---------------------------------------------------------------- at prediction time


@pytest.fixture(scope="module")
def judged_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of the guests, best.pt. Files may be added."""
    folder = tmp_path_factory.mktemp("guests")
    write_rows(folder / "guests.csv", guests(120))
    train(folder).rename(folder / "best.pt")
    return folder


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [("price", "cheap", "'cheap'"), ("day", "soon", "'soon'"), ("price", "", "missing"), ("nights", "two", "'two'")],
)
def test_a_value_of_new_rows_that_cannot_be_read_is_named(
    judged_folder: Path, column: str, value: str, said: str
) -> None:
    write_rows(judged_folder / "new.csv", with_value(column, 13, value)(guests(20)))
    answer = ft("predict", "best.pt", "new.csv", cwd=judged_folder)
    refused(answer, 4, f"column {column}", "new.csv row 13", said)


def test_a_column_that_new_rows_lack_is_named_with_the_nearest(judged_folder: Path) -> None:
    rows = [{("prise" if k == "price" else k): v for k, v in row.items()} for row in guests(20)]
    write_rows(judged_folder / "new.csv", rows)
    refused(ft("predict", "best.pt", "new.csv", cwd=judged_folder), 4, "new.csv", "price", "did you mean prise")


def test_names_that_training_did_not_have_are_one_defined_unknown_and_counted(judged_folder: Path) -> None:
    """Any two unseen names are the same unknown, so they cannot be answered differently."""
    (row,) = guests(1)
    write_rows(judged_folder / "new.csv", [row, {**row, "city": "Bonn"}, {**row, "city": "Kyiv"}])
    found = document("predict", "best.pt", "new.csv", cwd=judged_folder)
    known, *unknown = (answer["probabilities"]["yes"] for answer in found["predictions"])
    assert unknown[0] == unknown[1] != known
    (note,) = (note for note in found["notes"] if "column city" in note)
    assert "2 of 3" in note
    assert "Bonn" in note
    assert "Kyiv" in note


def test_unseen_names_and_empty_texts_of_a_judged_split_are_counted(tmp_path: Path) -> None:
    write_rows(tmp_path / "guests.csv", guests(120))
    strange = [{**row, "city": "Bonn", "review": "" if n < 4 else row["review"]} for n, row in enumerate(guests(30, 3))]
    write_rows(tmp_path / "test.csv", strange)
    best = train(tmp_path, {"data": {"test": "test.csv", "split": {"test": ...}}})
    notes = document("eval", best, cwd=tmp_path)["data_notes"]
    assert any("column city, test" in note and "30 of 30" in note for note in notes)
    assert any("column review, test" in note and "4 empty texts" in note for note in notes)


def test_texts_that_are_empty_are_trained_on_and_counted(tmp_path: Path) -> None:
    """A whole batch of them among others."""
    rows = [{**row, "review": "" if number < 40 else row["review"]} for number, row in enumerate(guests(120))]
    write_rows(tmp_path / "guests.csv", rows)
    for kind in ("mean", "conv", "gru", "transformer"):
        text = {"dim": 8, "kind": kind} | ({"heads": 2} if kind == "transformer" else {})
        best = train(tmp_path, {"data": {"split": ...}, "model": {"encoders": {"review": {"text": text}}}})
        found = document("eval", best, "--split", "train", cwd=tmp_path)
        assert np.isfinite(found["loss"])
        assert any("40 empty texts" in note for note in found["data_notes"])


# ---------------------------------------------------------------- pictures and sounds

MEDIA = changed(GUESTS, {"inputs": ..., "outputs": ..., "data": ..., "model": ...})
KINDS: dict[str, dict[str, Any]] = {
    "picture": {"type": "image", "size": 8},
    "sound": {"type": "audio", "seconds": 0.1, "rate": 8000, "mels": 8},
}
SKIP = {"on_error": "skip", "max_skipped": 3}


def write_media(folder: Path, kind: str, count: int = 30) -> None:
    """A table of pictures or sounds, in a folder beside it."""
    (folder / "files").mkdir()
    rows = []
    for number in range(count):
        label, name = number % 2, f"files/{number}.{'png' if kind == 'picture' else 'wav'}"
        if kind == "picture":
            Image.new("RGB", (8, 8), (200 * label, 5 * number, 0)).save(folder / name)
        else:
            write_sound(folder / name, 400 + 800 * label, seconds=0.1, seed=number)
        rows.append({kind: name, "label": f"l{label}"})
    write_rows(folder / "media.csv", rows)


def media(kind: str, **settings: Any) -> Mapping[str, Any]:
    tree = {
        "data": {"source": "table", "train": "media.csv", "split": {"val": 0.2}},
        "inputs": {kind: {**KINDS[kind], **settings}},
        "outputs": {"label": {"type": "category"}},
        "model": {"layers": ["Flatten", "Linear"]},
    }
    return {**MEDIA, **tree}


def file_of(kind: str, number: int) -> str:
    return f"files/{number}.{'png' if kind == 'picture' else 'wav'}"


def spoil(folder: Path, kind: str) -> None:
    """One file is gone, one is cut short in its head."""
    (folder / file_of(kind, 11)).unlink()
    (folder / file_of(kind, 4)).write_bytes((folder / file_of(kind, 4)).read_bytes()[:20])


@pytest.mark.parametrize("keep", ["memory", "files"])
@pytest.mark.parametrize("kind", KINDS)
def test_files_that_are_gone_or_broken_are_named_before_anything_begins(tmp_path: Path, kind: str, keep: str) -> None:
    write_media(tmp_path, kind)
    spoil(tmp_path, kind)
    write_config(tmp_path / "c.yaml", base=media(kind, keep=keep))
    refused(ft("train", "c.yaml", cwd=tmp_path), 4, f"column {kind}", "media.csv row 5", file_of(kind, 4))
    assert not (tmp_path / "runs").exists()


@pytest.mark.fault(18)
@pytest.mark.parametrize("kind", KINDS)
def test_skipped_files_are_counted_and_the_rest_is_trained_on(tmp_path: Path, kind: str) -> None:
    write_media(tmp_path, kind)
    spoil(tmp_path, kind)
    write_config(tmp_path / "c.yaml", base=media(kind, **SKIP))
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "train 22, val 6" in answer.err
    (told,) = (line for line in answer.err.splitlines() if "2 of 30" in line)
    assert kind in told
    best = tmp_path / "runs/tiny/1/checkpoints/best.pt"
    found = document("eval", best, "--split", "val", cwd=tmp_path)
    assert found["examples"] == 6
    assert any("2 of 30" in note for note in found["data_notes"])


@pytest.mark.fault(18)
@pytest.mark.parametrize("kind", KINDS)
def test_more_than_the_cap_are_not_skipped(tmp_path: Path, kind: str) -> None:
    write_media(tmp_path, kind)
    spoil(tmp_path, kind)
    write_config(tmp_path / "c.yaml", base=media(kind, on_error="skip", max_skipped=1))
    refused(ft("train", "c.yaml", cwd=tmp_path), 4, f"column {kind}", "2 of 30", "max_skipped", file_of(kind, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_new_rows_name_and_that_is_gone_is_named(tmp_path: Path, kind: str) -> None:
    write_media(tmp_path, kind)
    best = train(tmp_path, base=media(kind))
    write_rows(tmp_path / "new.csv", [{kind: file_of(kind, 1)}, {kind: "files/none.png"}])
    refused(ft("predict", best, "new.csv", cwd=tmp_path), 4, "new.csv row 2", "files/none.png")
    write_rows(tmp_path / "new.csv", [{kind: file_of(kind, 1)}])
    assert len(predictions(best, "new.csv", cwd=tmp_path)) == 1


# ---------------------------------------------------------------- leaks


def test_the_same_example_in_training_and_test_fails_the_data_check(tmp_path: Path) -> None:
    write_rows(tmp_path / "guests.csv", guests(60))
    write_rows(tmp_path / "test.csv", [*guests(20, seed=8), *guests(60)[10:13]])
    write_config(tmp_path / "c.yaml", {"data": {"test": "test.csv", "split": ...}}, GUESTS)
    answer = ft("data", "check", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code == 4
    assert len(answer.errors) == 1
    (leak,) = (
        each for each in json.loads(answer.out)["findings"] if each["kind"] == "leak" and each["split"] == "test"
    )
    assert (leak["level"], leak["count"]) == ("error", 3)
    assert leak["rows"][0] == "test.csv row 21"


def test_the_same_picture_under_another_name_is_a_leak(tmp_path: Path) -> None:
    write_media(tmp_path, "picture")
    copies = []
    for number in (3, 5, 7):
        (tmp_path / f"files/copy{number}.png").write_bytes((tmp_path / file_of("picture", number)).read_bytes())
        copies.append({"picture": f"files/copy{number}.png", "label": "l1"})
    with (tmp_path / "media.csv").open() as file:
        rows = list(csv.DictReader(file))
    write_rows(tmp_path / "media.csv", rows[:20])
    write_rows(tmp_path / "test.csv", [*rows[20:], *copies])
    tree = changed(media("picture"), {"data": {"test": "test.csv", "split": ...}})
    write_config(tmp_path / "c.yaml", base=tree)
    answer = ft("data", "check", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code == 4
    (leak,) = (each for each in json.loads(answer.out)["findings"] if each["kind"] == "leak")
    assert leak["rows"] == [f"test.csv row {row}" for row in (11, 12, 13)]
