"""`ft profile` measures, keeps nothing, and prints what can be written into the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import ft, write_config

from ft.cli import profile_view
from ft.core.config.load import load_experiment
from ft.core.stages import profile
from ft.core.stages.profile import Alternative, as_tree

CONVOLUTIONS = {"model": {"layers": [{"Conv2d": {"out_channels": 4, "kernel_size": 3}}, "ReLU", "Flatten", "Linear"]}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(profile, "ROUNDS", 2)
    monkeypatch.setattr(profile, "BLOCK", 0.005)
    write_config(tmp_path / "tiny.yaml", CONVOLUTIONS)
    return tmp_path


def test_a_step_is_taken_apart_and_held_against_other_settings(home: Path) -> None:
    answer = ft("profile", "tiny.yaml", "--json", cwd=home)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["kind"] == "profile"
    assert (found["stage"], found["batch_size"], found["precision"]) == ("train", 64, "fp32")
    assert list(found["parts"]) == ["next batch", "forward", "backward", "optimizer", "loss and the rest"]
    assert found["bottleneck"] == max(found["parts"], key=lambda name: found["parts"][name])
    assert found["examples_per_second"] == pytest.approx(64_000 / found["milliseconds"])
    assert found["peak_bytes"] > 50e6
    tried = {setting for each in found["alternatives"] for setting in each["settings"]}
    assert {"train.speed.rewrite=false", "train.speed.memory_format=contiguous", "train.speed.fused=false"} <= tried
    for each in found["alternatives"]:
        assert each["low"] <= each["ratio"] <= each["high"]
        assert each["milliseconds"] > 0
    assert not (home / "runs").exists()


def test_what_is_set_already_is_not_tried(home: Path) -> None:
    settings = ["train.speed.rewrite=false", "train.speed.fused=false", "train.speed.memory_format=contiguous"]
    answer = ft("profile", "tiny.yaml", "--json", *settings, cwd=home)
    tried = [setting for each in json.loads(answer.out)["alternatives"] for setting in each["settings"]]
    assert "train.speed.memory_format=channels_last" in tried
    assert not set(settings) & set(tried)


def test_people_read_a_headline_the_parts_and_a_verdict(home: Path) -> None:
    answer = ft("profile", "tiny.yaml", cwd=home)
    assert answer.out.startswith("tiny: a step of 64 examples takes ")
    assert "most of a step is " in answer.out
    assert "loss and the rest" in answer.out
    assert "as it is, it is the fastest of these" in answer.out or "to write into the file:" in answer.out


def test_fine_tuning_is_measured_where_the_file_trains_nothing(home: Path) -> None:
    stage = {"freeze": [0], "batch_size": 32, "epochs": 2}
    write_config(home / "tiny.yaml", {**CONVOLUTIONS, "train": None, "finetune": stage})
    answer = ft("profile", "tiny.yaml", "--json", cwd=home)
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["stage"] == "finetune"


def test_the_lines_to_write_read_back_as_the_settings(home: Path) -> None:
    faster = ("precision=bf16", "threads=1", "train.speed.memory_format=contiguous", "train.speed.fused=false")
    lines = profile_view._lines(as_tree(faster))
    assert lines[:3] == ["precision: bf16", "threads: 1", "train:"]
    (home / "other.yaml").write_text("\n".join(["base: tiny.yaml", *lines]))
    written = load_experiment(home / "other.yaml", [])
    given = load_experiment(home / "tiny.yaml", list(faster))
    assert written.experiment == given.experiment


@pytest.mark.parametrize(
    ("ratio", "low", "high", "faster"), [(0.9, 0.8, 0.99, True), (0.9, 0.8, 1.01, False), (0.98, 0.97, 0.99, False)]
)
def test_faster_is_what_is_faster_in_every_round_and_by_enough(
    ratio: float, low: float, high: float, faster: bool
) -> None:
    assert Alternative(("x=1",), 1.0, ratio, low, high).faster is faster


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "name an experiment file"),
        (["nowhere.yaml"], 2, "nowhere.yaml"),
        (["tiny.yaml", "train.lrr=1"], 2, "did you mean"),
        (["tiny.yaml", "train.batch_size=5000"], 2, "more than the 1297 training examples"),
    ],
)
def test_what_cannot_be_measured_is_told(home: Path, words: list[str], code: int, message: str) -> None:
    answer = ft("profile", *words, cwd=home)
    assert answer.code == code
    assert message in answer.err
