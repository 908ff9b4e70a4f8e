"""What is chosen for speed is told and recorded, can be fixed by hand, and changes no answer beyond rounding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import ft, write_config
from torch import Tensor

PICTURES: dict[str, Any] = {
    "model": {
        "layers": [
            {"Conv2d": {"out_channels": 8, "kernel_size": 3, "activation": "ReLU"}},
            {"MaxPool2d": 2},
            {"Conv2d": {"out_channels": 8, "kernel_size": 2}},
            {"BatchNorm2d": {"activation": "ReLU"}},
            "Flatten",
            "Linear",
        ]
    },
    "train": {"epochs": 2, "batch_size": 64, "lr": 0.01},
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_config(tmp_path / "tiny.yaml", PICTURES)
    return tmp_path


def trained(home: Path, *settings: str) -> tuple[dict[str, Tensor], dict[str, Any], str]:
    """Weights of the last epoch, what env.json says of speed, and what was said."""
    answer = ft("train", "tiny.yaml", "--json", *settings, cwd=home)
    assert answer.code == 0, answer.err
    run = home / json.loads(answer.out)["run"]
    last = torch.load(run / "checkpoints/last.pt", weights_only=True)
    return last["weights"], json.loads((run / "env.json").read_text())["speed"], answer.err


def test_the_rewritten_network_learns_the_same_bits(home: Path) -> None:
    rewritten, chosen, told = trained(home)
    written, plain, silent = trained(home, "train.speed.rewrite=false")
    assert "max-pool before its activation" in chosen["rewrites"]
    assert "max-pool before its activation" in told
    assert plain["rewrites"] == []
    assert "max-pool" not in silent
    assert rewritten.keys() == written.keys()
    assert all(torch.equal(rewritten[name], written[name]) for name in written)


def test_each_choice_can_be_fixed_by_hand(home: Path) -> None:
    _, chosen, told = trained(home)
    assert (chosen["memory_format"], chosen["fused"]) == ("channels_last", True)
    assert "speed: channels last, fused optimizer" in told
    settings = ["train.speed.memory_format=contiguous", "train.speed.fused=false", "train.speed.rewrite=false"]
    _, fixed, told = trained(home, *settings)
    assert fixed == {"memory_format": "contiguous", "fused": False, "rewrites": []}
    assert "speed: as written" in told
    _, fixed, told = trained(home, "train.speed.memory_format=contiguous")
    assert "Flatten" not in told  # in torch's own layout there is nothing to keep
    assert "max-pool before its activation" in fixed["rewrites"]


def test_the_judge_computes_as_the_training_did(home: Path) -> None:
    trained(home, "train.speed.rewrite=false", "train.speed.memory_format=contiguous")
    validated = json.loads((home / "runs/tiny/1/result.json").read_text())["metrics"]
    answer = ft("eval", "runs/tiny/1", "--split", "val", "--json", cwd=home)
    judged = json.loads(answer.out)["metrics"]
    assert judged == validated


def test_units_and_freezing_know_nothing_of_it(home: Path) -> None:
    trained(home)
    shown = ft("layers", "runs/tiny/1", "--json", cwd=home).out
    written = ft("layers", "tiny.yaml", "--json", "train.speed.rewrite=false", cwd=home).out
    assert json.loads(shown)["rows"] == json.loads(written)["rows"]
    answer = ft("finetune", "runs/tiny/1", "--freeze", "0,1,2", "finetune.epochs=1", cwd=home)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    ("setting", "message"),
    [("train.speed.memory_format=wide", "memory_format"), ("train.speed.rewrites=false", "did you mean rewrite")],
)
def test_a_wrong_word_is_told(home: Path, setting: str, message: str) -> None:
    answer = ft("train", "tiny.yaml", setting, cwd=home)
    assert answer.code == 2
    assert message in answer.err


@pytest.mark.parametrize(
    ("words", "phases"),
    [
        (["train", "tiny.yaml"], {"first step", "training steps", "validation", "saving and telling", "report"}),
        (["finetune", "runs/tiny/1"], {"weights", "training steps", "validation"}),
        (["eval", "runs/tiny/1"], {"evaluation"}),
        (["run", "tiny.yaml"], {"training steps", "evaluation"}),
    ],
)
def test_timings_show_where_the_time_went(home: Path, words: list[str], phases: set[str]) -> None:
    write_config(home / "tiny.yaml", {**PICTURES, "eval": {}})
    if words[0] in ("finetune", "eval"):
        trained(home)
    answer = ft(*words, "--timings", "--json", cwd=home)
    assert answer.code == 0, answer.err
    seconds = json.loads(answer.out)["timings"]
    assert phases | {"start", "imports", "data", "building", "other", "total"} <= set(seconds)
    assert sum(seconds.values()) == pytest.approx(2 * seconds["total"])
    told = ft(*words, "--timings", "--quiet", cwd=home)
    assert "total" in told.err
    assert "total" not in told.out
    assert "timings" not in json.loads(ft(*words, "--json", cwd=home).out)


VIEWS = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(1, 4, 3), nn.Linear(144, 10)
    def forward(self, x):
        return self.last(self.conv(x).view(len(x), -1))
def build():
    return Net()
"""


def test_a_view_of_another_memory_layout_is_told_with_both_ways_out(home: Path) -> None:
    (home / "net.py").write_text(VIEWS)
    write_config(home / "own.yaml", {"name": "own", "model": {"layers": None, "python": "net.py:build"}})
    answer = ft("train", "own.yaml", cwd=home)
    assert answer.code == 2
    told = "your model's code calls view on a tensor in another memory layout; call reshape or flatten instead, "
    assert answer.errors == [f"{told}or set train.speed.memory_format: contiguous"]
    assert ft("train", "own.yaml", "train.speed.memory_format=contiguous", cwd=home).code == 0


def test_dropout_in_place_behind_a_max_pool_trains(home: Path) -> None:
    layers = [
        {"Conv2d": {"out_channels": 4, "kernel_size": 3, "activation": "ReLU"}},
        {"MaxPool2d": 2},
        {"Dropout": {"p": 0.2, "inplace": True}},
        "Flatten",
        "Linear",
    ]
    write_config(home / "drop.yaml", {"name": "drop", "model": {"layers": layers}})
    answer = ft("train", "drop.yaml", cwd=home)
    assert answer.code == 0, answer.err


def test_a_command_that_fails_tells_where_its_time_went(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"lr": 1e30, "optimizer": "sgd"}})
    answer = ft("train", "c.yaml", "--timings", cwd=tmp_path)
    assert answer.code == 5
    assert answer.out == ""
    rows = [line.split()[0] for line in answer.err.splitlines() if line.endswith("%")]
    assert {"data", "total"} <= set(rows)  # what takes no time has no row
    document = json.loads(ft("train", "c.yaml", "--timings", "--json", cwd=tmp_path).out)
    assert document["exit_code"] == 5
    assert document["timings"]["data"] > 0
    assert document["timings"]["building"] > 0
    gated = ft("run", "c.yaml", "train.lr=0.01", "eval.min.accuracy=0.999", "--timings", cwd=tmp_path)
    assert gated.code == 3
    assert gated.err.count("timings") == 1
    assert "timings" not in ft("train", "c.yaml", cwd=tmp_path).err
