"""`ft eval --data`: a file with nothing but `data`, and tables with or without the header that training had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import TINY, changed, ft, write_config
from small_tables import guests, write_rows
from table_runs import GUESTS

pytest.importorskip("pyarrow", reason="tables need pyarrow")

COLUMNS = list(guests(1)[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a table whose names the experiment lists. Not to be changed but for new files."""
    folder = tmp_path_factory.mktemp("guests")
    write_rows(folder / "guests.csv", guests(80), header=False)
    write_config(folder / "c.yaml", {"data": {"header": COLUMNS}}, GUESTS)
    answer = ft("train", "c.yaml", cwd=folder)
    assert answer.code == 0, answer.err
    return folder


def judged(folder: Path, data: str) -> dict[str, float]:
    answer = ft("eval", "runs/tiny/1", "--data", data, "--json", cwd=folder)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    return {"examples": found["examples"], **found["metrics"]}


def test_a_header_of_its_own_is_seen_and_is_no_example(folder: Path) -> None:
    rows = guests(30, seed=5)
    write_rows(folder / "bare.csv", rows, header=False)
    turned = [{name: row[name] for name in reversed(COLUMNS)} for row in rows]
    write_rows(folder / "named.csv", turned)
    assert judged(folder, "named.csv") == judged(folder, "bare.csv")
    assert judged(folder, "bare.csv")["examples"] == 30


def test_a_file_with_data_alone_takes_all_else_from_the_checkpoint(folder: Path) -> None:
    write_rows(folder / "later.csv", guests(30, seed=5))
    section = {"source": "table", "train": "later.csv", "test": "later.csv"}
    write_config(folder / "data.yaml", {"data": section}, {})
    write_config(
        folder / "whole.yaml", {"data": changed(section, {"split": {"val": 3}})}, changed(GUESTS, {"data": ...})
    )
    alone = judged(folder, "data.yaml")
    assert alone["examples"] == 30
    assert alone == judged(folder, "whole.yaml")


def test_a_mistake_in_it_is_named_at_its_place(folder: Path) -> None:
    (folder / "bad.yaml").write_text("data: {source: table, trian: later.csv}\n")
    answer = ft("eval", "runs/tiny/1", "--data", "bad.yaml", cwd=folder)
    assert answer.code == 2
    assert "bad.yaml:1:23 data.trian is not a setting; did you mean train?" in answer.err
    assert "model" not in answer.err


# ---------------------------------------------------------------- classes in other orders, fewer, more


@pytest.fixture
def coloured(tmp_path: Path) -> Path:
    """A model of three classes that tells them by one bright column of a picture, listed by name for integers."""
    pixels, kinds = bright(120, 0)
    np.save(tmp_path / "x.npy", pixels)
    np.save(tmp_path / "y.npy", kinds)
    settings = {
        "data": {"source": "arrays", "root": ".", "train": {"image": "x.npy", "kind": "y.npy"}, "split": {"val": 30}},
        "inputs": {"image": {"type": "image"}},
        "outputs": {"kind": {"type": "category", "classes": ["left", "middle", "right"]}},
        "train": {"epochs": 8},
    }
    write_config(tmp_path / "c.yaml", settings, changed(TINY, {"data": ...}))
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 0, answer.err
    return tmp_path


def bright(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (N, 6, 6), and which third is bright."""
    draw = np.random.default_rng(seed)
    pixels, kinds = draw.integers(0, 60, (count, 6, 6)), draw.integers(0, 3, count)
    for row, kind in enumerate(kinds):
        pixels[row, :, 2 * kind : 2 * kind + 2] += 150
    return pixels.astype(np.uint8), kinds


def other(home: Path, kinds: np.ndarray, pixels: np.ndarray, outputs: dict[str, Any] | None = None) -> None:
    np.save(home / "ox.npy", pixels)
    np.save(home / "oy.npy", kinds)
    files = {"image": "ox.npy", "kind": "oy.npy"}
    data = {"source": "arrays", "root": ".", "train": files, "test": files}
    write_config(home / "other.yaml", {"data": data, **({"outputs": outputs} if outputs else {})}, {})


def test_classes_in_another_order_meet_by_name(coloured: Path) -> None:
    pixels, kinds = bright(50, 1)
    order = ["right", "left", "middle"]
    turned = np.array([order.index(["left", "middle", "right"][kind]) for kind in kinds])
    for name in ("kind", "place"):  # the file's only output stands for the checkpoint's, whatever it is called
        other(coloured, turned, pixels, {name: {"type": "category", "classes": order}})
        assert judged(coloured, "other.yaml")["accuracy"] == 1
    other(coloured, np.array(order)[turned], pixels)
    assert judged(coloured, "other.yaml")["accuracy"] == 1
    other(coloured, kinds, pixels)
    assert judged(coloured, "other.yaml")["accuracy"] == 1, "without a list of its own, the checkpoint's positions"


def test_classes_that_are_not_there_do_not_count_against_the_model(coloured: Path) -> None:
    pixels, kinds = bright(50, 1)
    other(coloured, kinds[kinds != 1], pixels[kinds != 1])
    found = judged(coloured, "other.yaml")
    assert (found["accuracy"], found["f1"]) == (1, 1)


def test_classes_that_the_model_does_not_know_are_named_and_counted(coloured: Path) -> None:
    pixels, kinds = bright(50, 1)
    names = np.array(["left", "middle", "above"])[kinds]
    other(coloured, names, pixels)
    answer = ft("eval", "runs/tiny/1", "--data", "other.yaml", cwd=coloured)
    assert answer.code == 4
    more = (kinds == 2).sum() - 1
    assert f"'above' is none of the classes left, middle, right (and {more} rows more); leave out rows of" in answer.err


def test_data_of_other_columns_on_the_line_are_refused_with_the_way_to_do_it(trained: Path) -> None:
    """This was a KeyError: the columns of the new source are not those of the checkpoint."""
    answer = ft("eval", "runs/tiny/1", "data={source: image_folder, root: nowhere}", cwd=trained)
    assert answer.code == 2
    assert "data=… brings other columns (image, label) than " in answer.err
    assert "was trained with (image, digit); name a YAML file with those data by --data" in answer.err
