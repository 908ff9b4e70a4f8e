"""Freezing as a person meets it: told before, proved after, exact across kills."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import ft, write_config
from dying import dying

from ft.core.stages.runs import RunFolder
from ft.core.stages.verify import compare_runs

GRADUAL: dict[str, Any] = {
    "inputs": {"image": {"type": "image", "augment": {"crop": 1}}},
    "model": {
        "layers": [
            "Flatten",
            {"Linear": {"out_features": 16, "activation": "ReLU"}},
            "BatchNorm1d",
            {"Dropout": 0.2},
            {"Linear": {"out_features": 16, "activation": "ReLU"}},
            "Linear",
        ]
    },
    "finetune": {
        "epochs": 4,
        "optimizer": {"sgd": {"momentum": 0.9}},
        "weight_decay": 0.1,
        "freeze": "all but head",
        "unfreeze": {2: 4, 3: "batchnorm1d_2"},
        "layer_decay": 0.5,
        "ema": 0.9,
        "schedule": "cosine",
        "warmup_steps": 3,
        "accumulate": 2,
        "checkpoint_every_steps": 3,
    },
}
PER_EPOCH = 11  # steps


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_config(tmp_path / "c.yaml", GRADUAL)
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    return tmp_path


@pytest.mark.fault(3)
def test_gradual_unfreezing_killed_around_its_epochs_ends_with_the_bits_of_a_run_that_was_not(home: Path) -> None:
    answer = ft("finetune", "c.yaml", "-q", cwd=home)
    assert answer.code == 0, answer.err
    whole = RunFolder(home / "runs/tiny/2")
    words = ("finetune", "c.yaml", "--runs-dir", "cut", "--from", "runs/tiny/1", "--resume")
    for steps in (PER_EPOCH, 2, 12):  # at the end of the first epoch, before and after another unit joined
        assert dying("step", steps, *words, cwd=home) == -9
    answer = ft(*words, cwd=home)
    assert answer.code == 0, answer.err
    assert "not bit-exact" not in answer.err
    cut = RunFolder(home / "cut/tiny/1")
    _, lines, difference = compare_runs(whole, cut)
    assert difference is None
    rows = [json.loads(line) for line in (cut.path / "metrics.jsonl").read_text().splitlines()]
    joined = [(row["epoch"], row["step"], row["units"]) for row in rows if row["event"] == "unfrozen"]
    assert joined == [(2, PER_EPOCH, ["linear_4"]), (3, 2 * PER_EPOCH, ["batchnorm1d_2"])]
    first, second = (json.loads((run.path / "result.json").read_text())["frozen"] for run in (whole, cut))
    assert first == second
    assert lines == len(rows)


def test_unfreezing_is_written_to_tensorboard_without_the_names_of_layers(home: Path) -> None:
    """The event has a list of names beside its numbers, on which the board once broke."""
    pytest.importorskip("tensorboard")
    answer = ft("finetune", "c.yaml", "tensorboard=true", cwd=home)
    assert answer.code == 0, answer.err
    assert list((home / "runs/tiny/2/tensorboard").iterdir())


def test_what_learns_is_told_before_training_and_proved_after_it(home: Path) -> None:
    answer = ft("finetune", "c.yaml", "--json", cwd=home)
    assert answer.code == 0, answer.err
    assert "what learns: 474 of 1,514 values" in answer.err
    assert "batchnorm1d_2      32     32  0.00025  3" in answer.err
    assert "epoch 2/4  now learns: linear_4 (272 values)" in answer.err
    result = json.loads(answer.out)
    learns = {unit["name"]: (unit["trainable"], unit["rates"], unit["from_epochs"]) for unit in result["units"]}
    assert learns["linear_1"] == (0, [], [])
    assert learns["linear_4"] == (272, [0.0005], [2])
    assert learns["linear_5"] == (170, [0.001], [1])
    assert (result["frozen"]["tensors"], result["frozen"]["values"]) == (2, 64 * 16 + 16)
    assert result["frozen"]["identical"] is True
    report = (home / result["run"] / "report.md").read_text()
    assert f"byte-identical to the start; SHA-256 of all {result['frozen']['sha256']}" in report
    assert "| batchnorm1d_2 |" in report
    start, end = (
        torch.load(home / f"runs/tiny/{number}/checkpoints/best.pt", weights_only=True)["weights"] for number in (1, 2)
    )
    assert torch.equal(start["linear_1.weight"], end["linear_1.weight"])
    assert not torch.equal(start["batchnorm1d_2.running_mean"], end["batchnorm1d_2.running_mean"])


NET = """
import torch

class Counting(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(64, 16)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return self.inner(x.flatten(1))

def build(num_classes):
    return torch.nn.Sequential(Counting(), torch.nn.Linear(16, num_classes))
"""


def test_a_frozen_tensor_that_moved_nevertheless_is_named_with_exit_3(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    write_config(tmp_path / "c.yaml", {"model": {"layers": ..., "python": "net.py:build"}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    answer = ft("finetune", "c.yaml", "--freeze", "0", cwd=tmp_path)
    assert answer.code == 3
    assert "frozen, and moved nevertheless: 0.calls." in answer.err
    assert RunFolder(tmp_path / "runs/tiny/2").status().state == "failed"
    assert ft("finetune", "c.yaml", "--freeze", "0.inner", cwd=tmp_path).code == 0


@pytest.mark.fault(28)
@pytest.mark.parametrize("pattern", ["9", "4-9", "until:9", "until:0", "all but haed", "lineer_1"])
def test_a_pattern_that_matches_nothing_ends_with_2_and_the_table(home: Path, pattern: str) -> None:
    answer = ft("finetune", "runs/tiny/1", "--freeze", pattern, cwd=home)
    assert answer.code == 2
    assert answer.errors[0].partition(" freeze: ")[2].startswith(pattern) or f"freeze: {pattern}" in answer.errors[0]
    assert "  2  batchnorm1d_2  BatchNorm1d" in answer.err
    assert not (home / "runs/tiny/2").exists()


def test_patterns_of_all_three_settings_are_looked_at_before_anything_is_read(home: Path) -> None:
    for setting, told in (
        ("finetune.unfreeze.2=layer4", "unfreeze: layer4 matches no layer"),
        ("finetune.unfreeze.9=4", "finetune.unfreeze has epoch 9, which never comes: epochs is 4"),
        ("finetune.unfreeze.1=4", "finetune.unfreeze has '1'; expected an epoch to begin with"),
        ("finetune.freeze=[]", "finetune.unfreeze is given, and freeze is not"),
        ("finetune.freeze={until: 3}", "finetune.freeze is a mapping; write it without the blank: until:3"),
        ("finetune.layer_lr={head: 1e-3}", "finetune.layer_decay is given and layer_lr too"),
        ("train.layer_lr={nowhere: 1e-3}", "layer_lr: nowhere matches no layer"),
    ):
        answer = ft("config", "validate", "c.yaml", setting, cwd=home)
        assert answer.code == 2, setting
        assert told in answer.err, answer.err


def test_rates_of_train_are_not_those_of_finetune_but_its_factor_is(home: Path) -> None:
    shown = ft("config", "show", "c.yaml", "finetune.layer_decay=null", "train.layer_lr={head: 1e-3}", cwd=home).out
    assert shown.count("layer_lr: {}") == 1
    assert "head: 0.001" in shown
    shown = ft("config", "show", "c.yaml", "train.layer_decay=0.7", "finetune.unfreeze={}", cwd=home).out
    assert "layer_decay: 0.7" in shown
