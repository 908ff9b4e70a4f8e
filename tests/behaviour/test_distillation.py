"""Distillation: a small network learns from a larger one's answers, whatever the teacher's own file is like."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import TINY, changed, ft, write_config

BIG: dict[str, Any] = {
    "name": "big",
    "model": {"layers": ["Flatten", {"Linear": {"out_features": 128, "activation": "ReLU"}}, "Linear"]},
    "train": {"epochs": 4},
}
TEACHER = "train.teacher={checkpoint: runs/big/1}"


@pytest.fixture(scope="module")
def taught_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny experiment and a trained big one, runs/big/1."""
    home = tmp_path_factory.mktemp("teacher")
    write_config(home / "tiny.yaml")
    write_config(home / "big.yaml", BIG)
    assert ft("train", "big.yaml", cwd=home).code == 0
    return home


@pytest.fixture
def home(taught_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(taught_folder, tmp_path / "work", symlinks=True)
    return tmp_path / "work"


def trained(home: Path, *settings: str, stage: str = "train") -> tuple[dict[str, Any], str]:
    answer = ft(stage, "tiny.yaml", "--json", *settings, cwd=home)
    assert answer.code == 0, answer.err
    document: dict[str, Any] = json.loads(answer.out)
    return document, answer.err


def best(home: Path, document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(home / document["run"] / "checkpoints/best.pt", weights_only=True)
    return found


def test_the_teacher_is_told_recorded_and_changes_what_is_learned(home: Path) -> None:
    document, told = trained(home, TEACHER)
    other, _ = trained(home)
    assert "(9,610 parameters) for digit: answers computed once" in told
    checkpoint = best(home, document)
    assert checkpoint["teacher"]["checkpoint"].endswith("runs/big/1/checkpoints/best.pt")
    assert len(checkpoint["teacher"]["sha256"]) == 64
    assert json.loads((home / document["run"] / "env.json").read_text())["teacher"] == checkpoint["teacher"]
    assert not torch.equal(checkpoint["weights"]["linear_1.weight"], best(home, other)["weights"]["linear_1.weight"])


def test_a_student_of_the_teacher_alone_matches_its_classes_by_their_names(home: Path) -> None:
    rows = np.random.default_rng(0).permutation(10).tolist()
    classes = f"outputs.digit={{type: category, classes: {json.dumps([str(row) for row in rows])}}}"
    document, _ = trained(home, "train.teacher={checkpoint: runs/big/1, weight: 1.0}", "train.epochs=3", classes)
    scores = json.loads(ft("eval", document["run"], "--json", cwd=home).out)["metrics"]
    assert scores["accuracy"] > 0.8  # its classes stand in another order than the teacher's


def test_augmented_pictures_are_answered_for_anew(home: Path) -> None:
    _, told = trained(home, TEACHER, "inputs.image={type: image, augment: {crop: 1}}")
    assert "answers for every batch, as the input is augmented" in told


def test_finetuning_may_have_a_teacher_and_features_at_once(home: Path) -> None:
    trained(home)
    _, told = trained(
        home,
        "finetune={epochs: 2, freeze: [0, 1], feature_cache: on, teacher: {checkpoint: runs/big/1}}",
        stage="finetune",
    )
    assert "feature cache: flatten_0 to linear_1" in told
    assert "answers computed once" in told


def test_a_teacher_with_pictures_of_another_size_reads_them_itself(home: Path) -> None:
    write_config(home / "wide.yaml", changed(BIG, {"name": "wide", "inputs": {"image": {"type": "image", "size": 12}}}))
    assert ft("train", "wide.yaml", cwd=home).code == 0
    _, told = trained(home, "train.teacher={checkpoint: runs/wide/1}")
    assert "for digit: answers computed once" in told


def test_a_run_with_a_teacher_resumes_to_the_bit(home: Path) -> None:
    answer = ft("verify-resume", "tiny.yaml", TEACHER, cwd=home)
    assert answer.code == 0, answer.err


def test_a_teacher_that_changed_since_is_refused_at_resuming(home: Path) -> None:
    assert ft("train", "tiny.yaml", TEACHER, "train.max_steps=5", "train.epochs=2", cwd=home).code == 0
    assert ft("train", "big.yaml", "seed=8", cwd=home).code == 0
    shutil.copy(home / "runs/big/2/checkpoints/best.pt", home / "runs/big/1/checkpoints/best.pt")
    answer = ft("train", "--resume", "runs/tiny/1", "train.max_steps=9", cwd=home)
    assert answer.code == 2, answer.err
    assert "the teacher" in answer.err
    assert "changed since" in answer.err


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        (["train.teacher={checkpoint: nowhere.pt}"], 2, "the teacher nowhere.pt does not exist"),
        (["train.teacher={checkpoint: big.yaml}"], 2, "is an experiment; name a run or a checkpoint"),
        ([TEACHER, "train.mixup=0.2"], 2, "leave it or mixup and cutmix out"),
        (["train.teacher={checkpoint: runs/big/1, weight: 0}"], 2, "weight"),
        (["train.teacher={temperature: 2}"], 2, "checkpoint"),
        ([TEACHER, "outputs.digit={type: number}"], 2, "it can teach nothing here"),
        (
            [TEACHER, "train.sampling=balanced", "inputs.image={type: image, augment: {crop: 1}}"],
            2,
            "balanced sampling",
        ),
    ],
)
def test_a_teacher_that_cannot_teach_is_one_clear_line(
    home: Path, settings: list[str], code: int, message: str
) -> None:
    answer = ft("train", "tiny.yaml", *settings, cwd=home)
    assert answer.code == code, answer.err
    assert message in answer.err
    assert not (home / "runs/tiny").exists()


def test_a_teacher_of_other_classes_is_refused_with_both_lists(home: Path) -> None:
    numbers = np.random.default_rng(0)
    np.savez(home / "d.npz", x=numbers.integers(0, 255, (60, 8, 8)).astype(np.uint8), y=np.array(["cat", "dog"] * 30))
    data = {"source": "arrays", "root": ".", "train": {"image": "d.npz:x", "digit": "d.npz:y"}, "split": {"val": 10}}
    columns = {"inputs": {"image": {"type": "image"}}, "outputs": {"digit": {"type": "category"}}}
    write_config(
        home / "cats.yaml", {"data": data, **columns, "train": {"batch_size": 10}}, changed(TINY, {"data": ...})
    )
    answer = ft("train", "cats.yaml", TEACHER, cwd=home)
    assert answer.code == 2
    assert "its classes of digit are others: it knows 0, 1, 2" in answer.err
    assert "this experiment has cat, dog" in answer.err


def test_a_damaged_teacher_ends_with_exit_code_4(home: Path) -> None:
    file = home / "runs/big/1/checkpoints/best.pt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert ft("train", "tiny.yaml", TEACHER, cwd=home).code == 4
