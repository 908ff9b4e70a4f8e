"""`ft data check` tells what would spoil a run, all at once, with exit code 4, to people and to programs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import changed, ft, write_config
from PIL import Image

pytest.importorskip("pyarrow")

BASE: dict[str, Any] = {
    "name": "table",
    "data": {"source": "table", "train": "train.csv", "test": "test.csv", "split": {"val": 0.2}},
    "inputs": {"x": {"type": "number"}, "kind": {"type": "category"}},
    "outputs": {"y": {"type": "category"}},
    "model": {"fusion": "concat"},
    "train": {"epochs": 1, "batch_size": 16},
}


def write_tables(folder: Path) -> None:
    """Sound tables, with a column that is not used."""
    rng = np.random.default_rng(0)
    for name, rows in (("train.csv", 100), ("test.csv", 40)):
        lines = [f"{rng.normal():.6f},{'rst'[n % 3]},{'no' if n % 2 else 'yes'},z\n" for n in range(rows)]
        (folder / name).write_text("x,kind,y,extra\n" + "".join(lines), encoding="utf-8")


def edit(path: Path, row: int, line: str) -> None:
    lines = path.read_text().splitlines()
    lines[row] = line  # row 0 is the header, so row n is the n-th example counted from 1
    path.write_text("\n".join(lines) + "\n")


def test_sound_data_pass(tmp_path: Path) -> None:
    write_tables(tmp_path)
    write_config(tmp_path / "c.yaml", base=BASE)
    answer = ft("data", "check", "c.yaml", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "train 80, val 20, test 40" in answer.out
    assert "not used: extra" in answer.out
    assert "0 errors, 0 warnings" in answer.out


def test_everything_that_would_spoil_a_run_is_told_at_once(tmp_path: Path) -> None:
    write_tables(tmp_path)
    train = tmp_path / "train.csv"
    edit(train, 3, "1,5,r,yes,z".replace("1,5", '"1,5"'))
    edit(train, 8, ",s,no,z")
    edit(train, 9, "0.123,t,Yes,z")
    edit(train, 10, "0.124,t,,z")
    for row in (1, 2, 3):
        edit(tmp_path / "test.csv", row, train.read_text().splitlines()[50 + row])
    write_config(tmp_path / "c.yaml", {"data": {"split": ...}}, BASE)
    answer = ft("data", "check", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code == 4
    document = json.loads(answer.out)
    assert (document["schema_version"], document["kind"], document["passed"]) == (1, "data_check", False)
    errors = {(each["kind"], each["column"]): each["rows"] for each in document["findings"] if each["level"] == "error"}
    assert errors[("unreadable", "x")] == ["train.csv row 3"]
    assert errors[("missing", "x")] == ["train.csv row 8"]
    assert errors[("missing", "y")] == ["train.csv row 10"]
    assert errors[("leak", None)] == ["test.csv row 1", "test.csv row 2", "test.csv row 3"]
    assert ("spelling", "y") in errors
    assert len(answer.errors) == 1


def test_training_refuses_what_the_check_calls_an_error(tmp_path: Path) -> None:
    write_tables(tmp_path)
    edit(tmp_path / "train.csv", 3, "much,r,yes,z")
    write_config(tmp_path / "c.yaml", base=BASE)
    assert ft("data", "check", "c.yaml", cwd=tmp_path).code == 4
    assert ft("train", "c.yaml", cwd=tmp_path).code == 4


def test_classes_that_validation_or_test_lacks_are_told_by_the_check_and_by_training(tmp_path: Path) -> None:
    write_tables(tmp_path)
    rows = [f"{n / 100},r,{'abcdef'[n % 6]},z" for n in range(100)]
    (tmp_path / "train.csv").write_text("\n".join(["x,kind,y,extra", *rows]) + "\n")
    for name, classes in (("val.csv", "abcde"), ("test.csv", "ab")):
        rows = [f"{n / 20 + 2},r,{classes[n % len(classes)]},z" for n in range(20)]
        (tmp_path / name).write_text("\n".join(["x,kind,y,extra", *rows]) + "\n")
    data = {"source": "table", "train": "train.csv", "val": "val.csv", "test": "test.csv", "split": ...}
    write_config(tmp_path / "c.yaml", {"data": data, "eval": {}}, BASE)
    told = [
        "column y, val: no example of f; val cannot tell how well they are learned",
        "column y, test: no example of c, d, e, and 1 more; test cannot tell how well they are learned",
    ]
    checked = ft("data", "check", "c.yaml", "--json", cwd=tmp_path)
    assert checked.code == 0, checked.err
    found = [each for each in json.loads(checked.out)["findings"] if each["kind"] == "absent-class"]
    assert [(each["level"], each["split"], each["count"]) for each in found] == [
        ("warning", "val", 1),
        ("warning", "test", 4),
    ]
    assert all(line in ft("data", "check", "c.yaml", cwd=tmp_path).out for line in told)
    trained = ft("train", "c.yaml", cwd=tmp_path)
    assert trained.code == 0, trained.err
    assert trained.err.count(told[0]) == 1
    assert "test: no example" not in trained.err  # training never sees it
    assert told[1] in ft("eval", "runs/table/1", cwd=tmp_path).err


@pytest.mark.parametrize("stages", [{}, {"finetune": {}}])
def test_a_batch_larger_than_the_training_split_is_an_error_before_anything_is_decoded(
    tmp_path: Path, stages: dict[str, Any]
) -> None:
    for number in range(20):
        file = tmp_path / f"p/{'ab'[number % 2]}/{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("this is no picture")
    changes = {
        "data": {"source": "image_folder", "root": "p", "split": {"val": 4, "test": ...}},
        "inputs": {"image": {"type": "image", "size": 8, "channels": 1}},
        "outputs": {"label": {"type": "category"}},
    }
    write_config(tmp_path / "c.yaml", changed(changes, stages))
    said = "train.batch_size is 64, more than the 16 training examples; make it smaller"
    answer = ft("data", "check", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code == 4
    (found,) = [each for each in json.loads(answer.out)["findings"] if each["kind"] == "batch-size"]
    assert found["level"] == "error"
    assert re.fullmatch(rf"c\.yaml:\d+:3 {said}", found["message"])
    for command in ("train", "run"):
        refused = ft(command, "c.yaml", cwd=tmp_path)
        assert refused.code == 2
        assert refused.errors == [found["message"]]


def test_where_the_settings_alone_are_at_fault_the_check_ends_as_training_would(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"batch_size": 5000}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 2
    answer = ft("data", "check", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code == 2
    document = json.loads(answer.out)  # one document, that of the check
    assert (document["kind"], document["passed"]) == ("data_check", False)
    assert answer.errors == ["1 error in the settings would spoil a run"]


@pytest.mark.parametrize(
    ("content", "said"),
    [("this is no picture", "cannot be read as a picture: it is none, or of a format that"), ("", "is empty")],
)
def test_a_file_that_is_no_picture_is_told_alike_and_once_by_check_and_training(
    tmp_path: Path, content: str, said: str
) -> None:
    for number in range(41):
        file = tmp_path / f"p/{'ab'[number % 2]}/{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 5 * number).save(file)
    (tmp_path / "p/a/0.jpg").write_text(content)
    changes = {
        "data": {"source": "image_folder", "root": "p", "split": {"val": 8, "test": ...}},
        "inputs": {"image": {"type": "image", "size": 8, "channels": 1}},
        "train": {"batch_size": 8},
    }
    write_config(tmp_path / "c.yaml", changes)
    checked = ft("data", "check", "c.yaml", cwd=tmp_path)
    assert checked.code == 4
    assert f"a/0.jpg {said}" in checked.out
    assert "0x" not in checked.out
    trained = ft("train", "c.yaml", cwd=tmp_path)
    assert trained.code == 4
    (error,) = trained.errors
    assert f": p/a/0.jpg: {said}" in error
    assert error.count("0.jpg") == 1
    skipping = ft("train", "c.yaml", "inputs.image.on_error=skip", cwd=tmp_path)
    assert skipping.code == 0, skipping.err
    told = "column image, train, val: 1 of 42 rows left out, their files cannot be read; p/a/0.jpg: "
    assert f"{told}{said}" in " ".join(skipping.err.split())
    strict = ft("train", "c.yaml", "inputs.image.on_error=skip", "inputs.image.max_skipped=0.001", cwd=tmp_path)
    assert strict.code == 4
    assert strict.err.count("0.jpg") == 1


def test_a_group_in_two_files_is_a_leak(tmp_path: Path) -> None:
    write_tables(tmp_path)
    write_config(tmp_path / "c.yaml", {"data": {"split": {"group": "kind"}}}, BASE)
    answer = ft("data", "check", "c.yaml", "--json", cwd=tmp_path)
    groups = [each for each in json.loads(answer.out)["findings"] if each["kind"] == "group"]
    assert [(each["split"], each["count"]) for each in groups] == [("test", groups[0]["count"])]
    assert answer.code == 4


def test_a_column_that_is_not_there_is_a_setting_at_fault(tmp_path: Path) -> None:
    write_tables(tmp_path)
    write_config(tmp_path / "c.yaml", base=changed(BASE, {"inputs": {"kinds": {"type": "category"}}}))
    answer = ft("data", "check", "c.yaml", cwd=tmp_path)
    assert answer.code == 2
    assert "did you mean kind" in answer.err


def test_the_digits_that_come_along_pass(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml")
    assert ft("data", "check", "c.yaml", cwd=tmp_path).code == 0


def test_settings_on_the_line_count(tmp_path: Path) -> None:
    write_tables(tmp_path)
    edit(tmp_path / "train.csv", 3, ",r,yes,z")
    write_config(tmp_path / "c.yaml", base=BASE)
    assert ft("data", "check", "c.yaml", cwd=tmp_path).code == 4
    assert ft("data", "check", "c.yaml", "inputs.x.missing=flag", cwd=tmp_path).code == 0


def test_a_ranking_has_no_column_and_is_checked_all_the_same(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 10},i{(n * 7) % 12}\n" for n in range(120))
    (tmp_path / "seen.csv").write_text("user,item\n" + rows)
    tree = {
        "data": {"source": "table", "train": "seen.csv", "split": {"val": 0.2}},
        "inputs": {"user": {"type": "category"}, "item": {"type": "category"}},
        "outputs": {"choice": {"type": "ranking", "user": "user", "item": "item"}},
        "model": {"fusion": "dot"},
    }
    write_config(tmp_path / "c.yaml", base=tree)
    answer = ft("data", "check", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code in (0, 4), answer.err
    assert [column["name"] for column in json.loads(answer.out)["columns"]] == ["user", "item"]
