"""`on_error: skip` holds for new examples too: what cannot be read is counted and marked, the rest answered."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ft, write_config
from PIL import Image
from small_tables import write_rows

pytest.importorskip("pyarrow", reason="tables need pyarrow")


@pytest.fixture(scope="module")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of pictures that are dark or light, from a table. Not to be changed."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(20):
        level = 40 + 160 * (number % 2)
        pixels = np.clip(rng.normal(level, 10, (8, 8)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
        rows.append({"picture": f"{number}.png", "tone": ("dark", "light")[number % 2]})
    write_rows(folder / "train.csv", rows)
    changes: dict[str, Any] = {
        "data": {"source": "table", "train": "train.csv", "split": {"val": 4, "test": ...}},
        "inputs": {"picture": {"type": "image", "size": 8, "on_error": "skip", "max_skipped": 1}},
        "outputs": {"tone": {"type": "category"}},
        "train": {"epochs": 3, "batch_size": 8},
    }
    write_config(folder / "c.yaml", changes)
    answer = ft("train", "c.yaml", cwd=folder)
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture
def folder(trained_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained_folder, tmp_path / "work", symlinks=True)
    work = tmp_path / "work"
    (work / "broken.png").write_bytes(b"no picture")
    write_rows(work / "new.csv", [{"picture": name} for name in ("broken.png", "3.png", "gone.png", "4.png", "5.png")])
    return work


def test_rows_that_cannot_be_read_are_marked_in_their_place_and_the_others_are_answered(folder: Path) -> None:
    write_rows(folder / "fine.csv", [{"picture": name} for name in ("3.png", "4.png", "5.png")])
    fine = json.loads(ft("predict", "runs/tiny/1", "fine.csv", "--json", cwd=folder).out)["predictions"]
    answer = ft("predict", "runs/tiny/1", "new.csv", "--json", cwd=folder)
    assert answer.code == 0, answer.err
    given = json.loads(answer.out)["predictions"]
    assert [each["file"] for each in given] == [f"new.csv row {row}" for row in range(1, 6)]
    assert [each["value"] for each in given] == [None, "light", None, "dark", "light"]
    for own, alone in zip((given[1], given[3], given[4]), fine, strict=True):
        assert own["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-6)
    assert "cannot be read as a picture" in given[0]["skipped"]
    assert "gone.png" in given[2]["skipped"]
    assert given[1]["skipped"] is None
    assert "2 of 5 rows have no answer, their files cannot be read" in answer.err


def test_the_marks_are_on_the_screen_and_in_files_too(folder: Path) -> None:
    assert "none: " in ft("predict", "runs/tiny/1", "new.csv", cwd=folder).out
    for name in ("answers.csv", "answers.jsonl"):
        assert ft("predict", "runs/tiny/1", "new.csv", "--out", name, cwd=folder).code == 0
    with (folder / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["tone"] for row in rows] == ["", "light", "", "dark", "light"]
    assert ["gone.png" in row["skipped"] for row in rows] == [False, False, True, False, False]
    assert [bool(row["tone/dark"]) for row in rows] == [False, True, False, True, True]
    lines = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert ["skipped" in line for line in lines] == [True, False, True, False, False]


def test_loose_files_are_skipped_alike_and_nothing_to_answer_is_an_error(folder: Path) -> None:
    loose = ft("predict", "runs/tiny/1", "broken.png", "3.png", "--json", cwd=folder)
    assert [each["value"] for each in json.loads(loose.out)["predictions"]] == [None, "light"]
    for words in (["broken.png"], ["-i", "picture=broken.png"]):
        alone = ft("predict", "runs/tiny/1", *words, cwd=folder)
        assert alone.code == 4
        assert "broken.png: cannot be read as a picture" in alone.err
