"""`ft config init --data` writes experiments that load, say why, and run as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import ft
from PIL import Image

from ft.core.runtime.torchvision import import_torchvision

pytest.importorskip("pyarrow")


def flowers(folder: Path, rows: int = 150) -> Path:
    """Three kinds that two of three numbers tell apart."""
    rng = np.random.default_rng(0)
    kinds = np.arange(rows) % 3
    lines = [f"{kind + 0.2 * rng.normal():.3f},{rng.normal():.3f},{'abc'[kind]}" for kind in kinds]
    path = folder / "flowers.csv"
    path.write_text("length,width,species\n" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_table_becomes_an_experiment_that_learns(tmp_path: Path) -> None:
    flowers(tmp_path)
    begun = ft("config", "init", "--data", "flowers.csv", "--out", "my.yaml", cwd=tmp_path)
    assert (begun.code, begun.out) == (0, ""), begun.err
    assert "ft run my.yaml" in begun.err
    assert "# by its name; 3 names" in (tmp_path / "my.yaml").read_text()
    done = ft("run", "my.yaml", "tensorboard=false", cwd=tmp_path)
    assert done.code == 0, done.err
    judged = ft("eval", "--min", "accuracy=0.9", cwd=tmp_path)
    assert judged.code == 0, judged.err


def test_folders_of_pictures_become_an_experiment_that_runs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, low in (("dark", 0), ("light", 128)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for row in range(20):
            pixels = rng.integers(low, low + 128, (12, 12), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{row}.png")
    assert ft("config", "init", "--data", "photos", "--out", "my.yaml", cwd=tmp_path).code == 0
    done = ft("run", "my.yaml", "tensorboard=false", "--smoke", cwd=tmp_path)
    assert done.code == 0, done.err


def test_folders_of_photos_become_a_finetuning_of_a_pretrained_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for row in range(20):
            pixels = rng.integers(0, 255, (90, 70, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{row}.jpg")
    assert ft("config", "init", "--data", "photos", "--out", "my.yaml", cwd=tmp_path).code == 0
    text = (tmp_path / "my.yaml").read_text()
    assert "torchvision: resnet18" in text
    assert "size: 64, channels: 3, augment: standard" in text
    assert ft("config", "validate", "my.yaml", cwd=tmp_path).code == 0
    weights = import_torchvision().models.resnet18(weights=None).state_dict()
    torch.save(weights, tmp_path / "w.pth")
    done = ft("run", "my.yaml", "model.weights=w.pth", "tensorboard=false", "--smoke", cwd=tmp_path)
    assert done.code == 0, done.err


def test_an_empty_folder_among_those_of_classes_is_named(tmp_path: Path) -> None:
    for name in ("cat", "dog", "fox"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        if name != "fox":
            Image.new("RGB", (70, 70)).save(tmp_path / "photos" / name / "1_a.png")
    answer = ft("config", "init", "--data", "photos", cwd=tmp_path)
    assert (answer.code, answer.out) == (4, "")
    assert answer.errors == ["photos/fox: a folder for a class, and nothing in it; fill it, or remove it"]


def test_the_file_is_never_overwritten(tmp_path: Path) -> None:
    flowers(tmp_path)
    (tmp_path / "my.yaml").write_text("mine")
    answer = ft("config", "init", "--data", "flowers.csv", "--out", "my.yaml", cwd=tmp_path)
    assert (answer.code, len(answer.errors)) == (2, 1)
    assert (tmp_path / "my.yaml").read_text() == "mine"


def test_without_data_it_is_the_digits_as_ever(tmp_path: Path) -> None:
    answer = ft("config", "init", cwd=tmp_path)
    assert answer.code == 0
    assert "source: digits" in answer.out


def test_names_from_the_data_cannot_break_the_file(tmp_path: Path) -> None:
    rows = "".join(f"{n / 7:.3f},{n % 3},{'yes' if n % 2 else 'no'}\n" for n in range(60))
    (tmp_path / "odd.csv").write_text("a: b #c,123,'no'\n" + rows, encoding="utf-8")
    answer = ft("config", "init", "--data", "odd.csv", "--out", "my.yaml", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert ft("data", "check", "my.yaml", cwd=tmp_path).code == 0


def make(folder: Path) -> None:
    flowers(folder)
    (folder / "empty.csv").write_bytes(b"")
    (folder / "binary.csv").write_bytes(bytes(range(256)) * 9)
    (folder / "one.csv").write_text("word\n" + "a\n" * 30)
    (folder / "photo.raw").write_bytes(b"1234")
    (folder / "none").mkdir()
    (folder / "none" / "notes.md").write_text("nothing")
    (folder / "two").mkdir()
    for name in ("a.csv", "b.csv"):
        (folder / "two" / name).write_text("x,y\n1,2\n")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--data", "flower.csv"], 2, "did you mean flowers.csv"),
        (["--data", "flowers.csv", "--target", "specis"], 2, "did you mean species"),
        (["--target", "species"], 2, "--data"),
        (["--data", "two"], 2, "several tables (a.csv, b.csv)"),
        (["--data", "empty.csv"], 4, "empty"),
        (["--data", "binary.csv"], 4, "no text"),
        (["--data", "one.csv"], 4, "at least one column to go in"),
        (["--data", "photo.raw"], 4, "no kind of table"),
        (["--data", "none"], 4, "it holds notes.md"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_data_of_no_use_are_one_clear_error(tmp_path: Path, words: list[str], code: int, said: str) -> None:
    make(tmp_path)
    answer = ft("config", "init", *words, cwd=tmp_path)
    assert (answer.code, len(answer.errors)) == (code, 1), answer.err
    assert said in answer.errors[0]
    assert answer.out == ""
