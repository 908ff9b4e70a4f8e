"""A run that goes on while what `${env:...}` stands for is not what it was, or was never written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import ft, write_config
from dying import dying

from ft.core.engine.checkpoint import load_checkpoint

TRAIN = {"epochs": "${env:EPOCHS:-2}", "lr": "${env:LR:-0.01}", "checkpoint_every_steps": 5}
MODEL = {"layers": ["Flatten", {"Linear": {"out_features": "${env:WIDE:-32}"}}, "ReLU", "Linear"]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a run that was killed after its first checkpoint."""
    write_config(tmp_path / "c.yaml", {"seed": "${env:SEED:-3}", "train": TRAIN, "model": MODEL})
    assert dying("step", 9, "train", "c.yaml", cwd=tmp_path) == -9
    return tmp_path


@pytest.mark.fault(22)
def test_another_value_of_the_environment_is_refused_by_the_settings_name_and_never_shown(home: Path) -> None:
    environment = {"SEED": "99887766", "LR": "0.054321", "WIDE": "9988776"}  # no digest holds them by chance
    answer = ft("train", "c.yaml", "--resume", cwd=home, env=environment)
    assert answer.code == 2
    for told in (
        "seed: the environment (SEED)",
        "train.lr: the environment (LR)",
        "model.layers: the environment (WIDE)",
    ):
        assert f"{told} gives another value" in answer.err
    everything = answer.err + "".join(path.read_text() for path in (home / "runs/tiny/1").glob("*.*"))
    assert not [value for value in environment.values() if value in everything]
    assert ft("train", "c.yaml", "--resume", cwd=home).code == 0


def test_the_same_values_go_on_also_when_they_are_written_out(home: Path) -> None:
    answer = ft("train", "c.yaml", "--resume", "train.lr=0.01", "seed=3", cwd=home, env={"WIDE": "32"})
    assert answer.code == 0, answer.err
    assert "warning" not in answer.err
    assert "changed since" not in answer.err


@pytest.mark.fault(22)
def test_a_length_from_the_environment_can_grow_and_not_shrink(home: Path) -> None:
    assert ft("train", "c.yaml", "--resume", cwd=home).code == 0
    answer = ft("train", "c.yaml", "--resume", cwd=home, env={"EPOCHS": "3"})
    assert answer.code == 0, answer.err
    assert "changed since then: train.epochs: 2 -> 3" in answer.err
    assert load_checkpoint(home / "runs/tiny/1/checkpoints/last.pt")["epoch"] == 3
    for less in (("c.yaml",), ("c.yaml", "train.epochs=1")):
        answer = ft("train", *less, "--resume", cwd=home)
        assert answer.code == 2
        assert "longer, not shorter" in answer.err


def test_a_rate_that_fine_tuning_takes_from_the_trainings_counts_too(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"lr": "${env:LR:-0.01}"}, "finetune": {"epochs": 2}})
    assert ft("run", "c.yaml", cwd=tmp_path).code == 0
    answer = ft("finetune", "c.yaml", "--resume", cwd=tmp_path, env={"LR": "0.02"})
    assert answer.code == 2
    assert "finetune.lr: the environment gives another value" in answer.err


def test_without_the_record_it_goes_on_and_says_what_is_not_known(home: Path) -> None:
    (home / "runs/tiny/1/env.json").unlink()
    answer = ft("train", "c.yaml", "--resume", "train.epochs=3", cwd=home, env={"LR": "0.5"})
    assert answer.code == 0, answer.err
    assert answer.err.count("does not tell what the environment gave to ") == 1
    for name in ("seed", "model.layers", "train.lr"):
        assert name in answer.err


@pytest.mark.fault(1)
def test_killed_before_its_settings_were_written_it_begins_in_its_folder(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml")
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    run = tmp_path / "runs/tiny/1"
    status = json.loads((run / "status.json").read_text())
    for path in [*run.glob("*.*"), *run.glob("checkpoints/*")]:  # as `create_run` leaves it
        path.unlink()
    begun = {key: status[key] for key in ("stage", "name", "number", "pid", "started")}
    (run / "status.json").write_text(json.dumps(begun))
    answer = ft("train", "c.yaml", "--resume", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "begins at step 0" in answer.err
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
