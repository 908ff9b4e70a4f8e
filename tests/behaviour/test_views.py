"""Test-time augmentation: the mean of the answers to several views counts, the same every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import TINY, changed, ft, write_config
from sklearn.metrics import log_loss
from torch import Tensor

from ft.core.models.averaged import Averaged
from ft.core.models.network import Network

NO_DATA = changed(TINY, {"data": ..., "train": {"batch_size": 20}})
PICTURES: dict[str, Any] = {
    "data": {
        "source": "arrays",
        "root": ".",
        "train": {"image": "x.npy", "digit": "y.npy"},
        "test": {"image": "tx.npy", "digit": "ty.npy"},
        "split": {"val": 40},
    },
    "inputs": {"image": {"type": "image", "augment": {"flip": True, "crop": 1}}},
    "outputs": {"digit": {"type": "category"}},
}


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A folder with a trained run of 10 x 12 pixels, which are brighter on one side."""
    numbers = np.random.default_rng(0)
    side = numbers.integers(0, 2, 200)
    pixels = numbers.integers(0, 200, (200, 10, 12))
    pixels[side == 0, :, :4] += 40
    pixels[side == 1, :4, :] += 40
    for name, rows in (("", slice(0, 140)), ("t", slice(140, 200))):
        np.save(tmp_path / f"{name}x.npy", pixels[rows].astype(np.uint8))
        np.save(tmp_path / f"{name}y.npy", side[rows])
    write_config(tmp_path / "tiny.yaml", PICTURES, NO_DATA)
    assert ft("train", "tiny.yaml", cwd=tmp_path).code == 0
    return tmp_path


def judged(home: Path, *words: str) -> dict[str, float]:
    answer = ft("eval", "runs/tiny/1", "--json", *words, cwd=home)
    assert answer.code == 0, answer.err
    found: dict[str, float] = json.loads(answer.out)["metrics"]
    return found


def test_flip_is_the_mean_of_the_answers_to_a_picture_and_its_mirror_image(trained: Path) -> None:
    found = judged(trained, "eval.tta=flip", "precision=fp32")
    pictures, truth = np.load(trained / "tx.npy"), np.load(trained / "ty.npy")
    checkpoint = trained / "runs/tiny/1/checkpoints/best.pt"
    mean = (answers(checkpoint, pictures) + answers(checkpoint, pictures[:, :, ::-1].copy())) / 2
    assert found["accuracy"] == pytest.approx(float((mean.argmax(1).numpy() == truth).mean()))
    shares = mean.double().softmax(1).numpy()
    assert found["loss"] == pytest.approx(log_loss(truth, shares, labels=[0, 1]), abs=1e-5)
    assert found["loss"] != pytest.approx(judged(trained)["loss"], abs=1e-6)


def answers(checkpoint: Path, pictures: np.ndarray) -> Tensor:
    """The raw answers of the trained network, by hand: Flatten, Linear, ReLU, Linear."""
    content = torch.load(checkpoint, weights_only=True)
    state, weights = content["columns"]["inputs"]["image"], content["weights"]
    x = torch.from_numpy(pictures).float().flatten(1) / 255
    x = (x - state["mean"][0]) / state["std"][0]
    (w1, b1), (w2, b2) = ((weights[f"linear_{n}.weight"], weights[f"linear_{n}.bias"]) for n in (1, 2))
    return (x @ w1.T + b1).relu() @ w2.T + b2


def test_drawn_views_give_the_same_figures_every_time_and_others_with_another_number(trained: Path) -> None:
    first = judged(trained, "eval.tta={views: 3}")
    assert first == judged(trained, "eval.tta={views: 3}")
    assert first["loss"] != judged(trained, "eval.tta={views: 5}")["loss"]
    assert first["loss"] != judged(trained)["loss"]


def test_the_changes_may_be_told_for_the_judgement_alone(trained: Path) -> None:
    nothing = judged(trained, "eval.tta={views: 3, augment: {affine: {degrees: 0}}}")
    assert nothing["loss"] == pytest.approx(judged(trained)["loss"], abs=1e-5)
    answer = ft("eval", "runs/tiny/1", "eval.tta={views: 3, augment: light}", cwd=trained)
    assert answer.code == 0
    assert "each example is judged by the mean of 3 views" in answer.err


@pytest.mark.parametrize(
    ("changes", "words", "message"),
    [
        ({"inputs": {"image": {"augment": ...}}}, ["eval.tta={views: 3}"], "no input has changes (augment)"),
        ({}, ["eval.tta={views: 1}"], "views"),
        ({}, ["eval.tta=flop"], "flip"),
        ({}, ["eval.tta={views: 2, augment: {crop: 99}}"], "crop is 99"),
    ],
)
def test_views_that_cannot_be_are_one_clear_line(
    trained: Path, changes: dict[str, Any], words: list[str], message: str
) -> None:
    write_config(trained / "other.yaml", changed(PICTURES, {**changes, "name": "other"}), NO_DATA)
    assert ft("train", "other.yaml", cwd=trained).code == 0
    answer = ft("eval", "runs/other/1", *words, cwd=trained)
    assert answer.code == 2, answer.err
    assert message in answer.err


def test_numbers_have_no_mirror_image(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32))
    np.save(tmp_path / "y.npy", np.arange(90) % 2)
    data = {"source": "arrays", "root": ".", "train": {"x": "x.npy", "y": "y.npy"}, "split": {"val": 20, "test": 20}}
    columns = {"inputs": {"x": {"type": "vector"}}, "outputs": {"y": {"type": "category"}}}
    vectors = {"data": data, **columns, "model": {"layers": ["Linear"]}}
    write_config(tmp_path / "tiny.yaml", vectors, NO_DATA)
    assert ft("train", "tiny.yaml", cwd=tmp_path).code == 0
    answer = ft("eval", "eval.tta=flip", cwd=tmp_path)
    assert answer.code == 2
    assert "flip mirrors pictures, and no input is one" in answer.err


def test_the_mean_is_of_each_examples_own_views() -> None:
    network = Network(torch.nn.Identity(), [], ("x",), ("y",))
    x = torch.arange(12.0).reshape(6, 2)  # 3 views of 2 examples
    found = Averaged(network, 3)({"x": x})["y"]
    torch.testing.assert_close(found, torch.stack([(x[0] + x[2] + x[4]) / 3, (x[1] + x[3] + x[5]) / 3]))
