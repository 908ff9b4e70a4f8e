"""A checkpoint runs no code and keeps its units; what would mislead is refused or said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ft, write_config

from ft.core.engine.checkpoint import load_checkpoint, save_checkpoint

NET = """
from torch import nn

def build(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))
"""
EVIL = "open('ran', 'w').close()\n" + NET


@pytest.fixture(scope="module")
def with_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained python model, net.py, and evil.py, which leaves a mark when it runs."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "net.py").write_text(NET)
    (folder / "evil.py").write_text(EVIL)
    write_config(folder / "c.yaml", {"model": {"layers": ..., "python": "net.py:build"}, "train": {"max_steps": 2}})
    assert ft("train", "c.yaml", cwd=folder).code == 0
    return folder


def forge(folder: Path, record: Any) -> Path:
    """The checkpoint with evil.py in its settings and `record` as what it says of its code, its checksum right."""
    contents = load_checkpoint(folder / "runs/tiny/1/checkpoints/best.pt")
    contents["experiment"]["model"]["python"] = f"{folder}/evil.py:build"
    save_checkpoint(folder / "forged.pt", {**contents, "python": record(contents["python"])})
    return folder / "forged.pt"


@pytest.mark.parametrize("record", [lambda _: None, lambda _: {}, lambda honest: honest], ids=["none", "empty", "old"])
@pytest.mark.parametrize("command", [["eval"], ["layers"], ["finetune"]])
@pytest.mark.parametrize("named", [[], ["--python", "net.py"]])
def test_the_file_a_checkpoint_names_never_runs(
    with_code: Path, record: Any, command: list[str], named: list[str]
) -> None:
    ft(*command, forge(with_code, record), *named, cwd=with_code)
    assert not (with_code / "ran").exists()


def test_fine_tuning_builds_the_model_from_the_file_on_the_line(with_code: Path, tmp_path: Path) -> None:
    """The checkpoint has moved away from the file it was trained with."""
    (tmp_path / "net.py").write_text(NET)
    moved = tmp_path / "model.pt"
    moved.write_bytes((with_code / "runs/tiny/1/checkpoints/best.pt").read_bytes())
    answer = ft("finetune", "model.pt", "--python", "net.py", "finetune.max_steps=1", "-q", cwd=tmp_path)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    ("stage", "section", "python", "message"),
    [
        ("train", "train", None, "Name the file if you trust it: train.teacher.python="),
        ("train", "train", "nowhere.py", "train.teacher.python=nowhere.py: there is no such file"),
        ("train", "train", "evil.py", "train.teacher.python=evil.py is not the code"),
        ("finetune", "train", None, "Name the file if you trust it: train.teacher.python="),
        ("finetune", "finetune", None, "Name the file if you trust it: finetune.teacher.python="),
    ],
)
def test_a_teacher_of_own_code_wants_the_setting_beside_it(
    with_code: Path, stage: str, section: str, python: str | None, message: str
) -> None:
    teacher = {"checkpoint": "runs/tiny/1", **({"python": python} if python else {})}
    write_config(with_code / "student.yaml", {"name": "student", section: {"teacher": teacher}})
    start = ["--from", "runs/tiny/1"] if stage == "finetune" else []
    answer = ft(stage, "student.yaml", *start, "model.layers=null", "model.python=net.py:build", cwd=with_code)
    assert answer.code == 2
    assert message in answer.err
    assert "--python" not in answer.err
    text = (with_code / "student.yaml").read_text().splitlines()
    line = next(number for number, each in enumerate(text, 1) if ("python" if python else "teacher") in each)
    assert f"student.yaml:{line}:" in answer.err


# ---------------------------------------------------------------- units of measurement


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """Two sets of numbers of different size: y = 3x, then y = 3x far away from the first."""
    x = np.linspace(0, 1, 200, dtype=np.float32)
    for name, shift in (("near", 0.0), ("far", 50.0)):
        np.save(tmp_path / f"{name}-x.npy", x + shift)
        np.save(tmp_path / f"{name}-y.npy", 3 * (x + shift))
        write_config(
            tmp_path / f"{name}.yaml",
            {
                "data": {
                    "source": "arrays",
                    "train": {"x": f"{name}-x.npy", "y": f"{name}-y.npy"},
                    "split": {"val": 50, "test": ...},
                },
                "inputs": {"x": {"type": "number"}},
                "outputs": {"y": {"type": "number"}},
                "model": {"layers": ["Linear"]},
                "train": {"epochs": 60, "batch_size": 50, "lr": 0.05},
                "finetune": {"epochs": 1},
            },
        )
    assert ft("train", "near.yaml", cwd=tmp_path).code == 0
    return tmp_path


@pytest.mark.parametrize("command", [["finetune"], ["run", "train=null"]])
def test_fine_tuning_begins_with_the_scores_its_weights_have(numbers: Path, command: list[str]) -> None:
    """The line y = 3x is right far away too, if numbers go in and come out in the units the weights know."""
    start = "finetune.from=runs/tiny/1"
    answer = ft(*command, "far.yaml", start, "--json", cwd=numbers)
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    before = (document["fits"][0] if "fits" in document else document)["before"]
    judged = ft("eval", "runs/tiny/1", "--data", "far.yaml", "--split", "val", "--json", cwd=numbers)
    assert before["rmse"] == pytest.approx(json.loads(judged.out)["metrics"]["rmse"], rel=1e-4)
    assert before["rmse"] < 10  # beside the 150 that refitted units would give


# ---------------------------------------------------------------- what would mislead


@pytest.mark.parametrize(
    "setting",
    [
        "outputs={digit: {type: category, classes: [a, b]}}",
        "inputs={image: {type: image, size: 4}}",
        "model.layers=[Linear]",
    ],
)
def test_settings_that_a_checkpoint_fixes_are_refused(trained: Path, setting: str) -> None:
    answer = ft("eval", "runs/tiny/1", setting, cwd=trained)
    assert answer.code == 2
    assert "brings its own" in answer.err


def test_a_result_on_other_examples_is_not_the_runs_own(trained: Path) -> None:
    before = (trained / "runs/tiny/1/status.json").read_text()
    assert ft("eval", "runs/tiny/1", "data.split.seed=9", cwd=trained).code == 0
    assert ft("eval", "runs/tiny/1/checkpoints/last.pt", cwd=trained).code == 0
    assert (trained / "runs/tiny/1/status.json").read_text() == before


def test_a_gate_that_cannot_be_reached_is_told_at_once(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"eval": {"min": {"accuracy": 98}}})
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 2
    assert "98 % is 0.98" in answer.err


def test_a_warm_up_longer_than_training_is_said(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"warmup_steps": 1000, "max_steps": 2}})
    answer = ft("train", "c.yaml", "-q", cwd=tmp_path)
    assert answer.code == 0
    assert "warning" in answer.err


@pytest.mark.parametrize(
    ("layers", "code"), [(["BatchNorm2d", "Flatten", "Linear"], 0), (["Flatten", "BatchNorm1d", "Linear"], 2)]
)
def test_a_last_batch_of_one_is_refused_only_where_batch_norm_cannot_take_it(
    tmp_path: Path, layers: list[str], code: int
) -> None:
    write_config(tmp_path / "c.yaml", {"model": {"layers": layers}, "train": {"batch_size": 36}})  # 1,297 = 36 * 36 + 1
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == code, answer.err
    assert ("batch norm cannot train" in answer.err) == (code == 2)


@pytest.mark.fault(11)
@pytest.mark.parametrize(
    "settings", [["train.epochs=1"], ["train.epochs=1", "train.monitor=loss"], ["data.split.val=null"]]
)
def test_nothing_that_diverged_is_shipped(tmp_path: Path, settings: list[str]) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"optimizer": "sgd", "lr": 1e30}})
    answer = ft("train", "c.yaml", *settings, cwd=tmp_path)
    assert answer.code == 5
    assert list(tmp_path.rglob("*.pt")) == []
    assert json.loads((tmp_path / "runs/tiny/1/status.json").read_text())["state"] == "diverged"
