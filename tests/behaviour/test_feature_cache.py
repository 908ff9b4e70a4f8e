"""Fine-tuning that pays only for what learns: what frozen first layers answer is computed once, and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import ft, write_config
from torch import Tensor

DEEP: dict[str, Any] = {
    "model": {
        "layers": [
            {"Conv2d": {"out_channels": 8, "kernel_size": 3, "padding": 1}},
            {"BatchNorm2d": {"activation": "ReLU"}},
            {"MaxPool2d": 2},
            {"Conv2d": {"out_channels": 16, "kernel_size": 3, "padding": 1, "activation": "ReLU"}},
            "Flatten",
            {"Dropout": 0.2},
            "Linear",
        ]
    },
    "finetune": {"epochs": 3, "freeze": "0-3", "lr": 1e-2},
}
ON, OFF = "finetune.feature_cache=on", "finetune.feature_cache=off"


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    write_config(tmp_path / "tiny.yaml", DEEP)
    assert ft("train", "tiny.yaml", cwd=tmp_path).code == 0
    return tmp_path


def finetuned(home: Path, *settings: str) -> tuple[dict[str, Tensor], list[dict[str, Any]], str]:
    """Weights, metrics and what was said of a fine-tuning of run 1."""
    answer = ft("finetune", "tiny.yaml", "--json", *settings, cwd=home)
    assert answer.code == 0, answer.err
    run = home / json.loads(answer.out)["run"]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return torch.load(run / "checkpoints/best.pt", weights_only=True)["weights"], lines, answer.err


def losses(lines: list[dict[str, Any]]) -> list[float]:
    return [value for line in lines for name, value in line.items() if "loss" in name and isinstance(value, float)]


@pytest.mark.parametrize("settings", [[], ["finetune.ema=0.9"], ["finetune.accumulate=2", "finetune.micro_batch=20"]])
def test_with_the_cache_learning_is_the_same_as_without(trained: Path, settings: list[str]) -> None:
    cached, some, told = finetuned(trained, ON, *settings)
    plain, others, silent = finetuned(trained, OFF, *settings)
    assert "feature cache: conv2d_0 to flatten_4 computed once for 1,297 + 200 examples" in told
    assert "feature cache: conv2d_0" not in silent
    assert "- no feature cache: finetune.feature_cache is off" in (trained / "runs/tiny/3/report.md").read_text()
    assert losses(some) == pytest.approx(losses(others), rel=1e-4)
    for name, value in plain.items():
        torch.testing.assert_close(cached[name], value, rtol=1e-3, atol=1e-5)


def test_features_with_augmentation_are_those_of_its_views(trained: Path) -> None:
    augment = ["inputs.image={type: image, augment: {crop: 1}}", "finetune.epochs=4"]
    cached, _, told = finetuned(trained, ON, "finetune.augment_views=2", *augment)
    plain, twice, _ = finetuned(trained, OFF, "finetune.augment_views=2", *augment)
    _, endless, _ = finetuned(trained, OFF, *augment)
    assert "2 views of each training example" in told
    torch.testing.assert_close(cached["linear_6.weight"], plain["linear_6.weight"], rtol=1e-3, atol=1e-5)
    assert losses(twice) != pytest.approx(losses(endless), rel=1e-3)  # in the third epoch the first view comes again


def test_the_small_network_is_computed_the_plain_way_and_why_is_told(trained: Path) -> None:
    """The guide's kind of network: reading its features back takes as long as computing them."""
    guide = [
        "model.layers=[{Conv2d: {out_channels: 8, kernel_size: 3, activation: ReLU}}, {MaxPool2d: 2}, Flatten, Linear]"
    ]
    assert ft("train", "tiny.yaml", "name=guide", *guide, cwd=trained).code == 0
    _, _, told = finetuned(trained, "name=guide", *guide, "finetune.freeze=[0,1,2]")
    assert "no feature cache: conv2d_0 to flatten_2 is computed as fast as read back" in told


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (["finetune.freeze=[3]"], "the frozen layers are not the first ones: conv2d_0 learns"),
        (["inputs.image={type: image, augment: {crop: 1}}"], "augmented anew in every epoch"),
        (["finetune.epochs=1"], "each feature would be used 1 times"),
        (["finetune.unfreeze={2: 0}"], "conv2d_0 learns"),
        (["finetune.mixup=0.2"], "made anew in every step"),
    ],
)
def test_where_it_cannot_be_auto_says_why_and_on_refuses(trained: Path, settings: list[str], why: str) -> None:
    _, _, told = finetuned(trained, *settings)
    assert "no feature cache: " in told
    assert why in " ".join(told.split())
    if "epochs" in settings[0]:
        return  # `on` may waste what auto would not
    answer = ft("finetune", "tiny.yaml", ON, *settings, cwd=trained)
    assert answer.code == 2
    assert "finetune.feature_cache: on cannot be, as " in answer.err
    assert why in " ".join(answer.err.split())


@pytest.mark.parametrize(
    ("setting", "chosen"),
    [
        (ON, "feature cache: conv2d_0 to flatten_4 computed once for"),
        ("finetune.freeze=[3]", "no feature cache: the fr"),
    ],
)
def test_what_was_chosen_and_why_is_kept_in_the_report_and_the_result(trained: Path, setting: str, chosen: str) -> None:
    document = json.loads(ft("finetune", "tiny.yaml", "--json", setting, cwd=trained).out)
    choices = document["choices"]
    (choice,) = (each for each in choices if each.startswith(chosen))
    report = (trained / document["run"] / "report.md").read_text().replace("\\", "")
    assert f"- {choice}\n" in report.partition("## Choices\n")[2]
    assert json.loads(ft("finetune", "--resume", document["run"], "--json", cwd=trained).out)["choices"] == choices


def test_what_joins_later_ends_the_cut_before_it(trained: Path) -> None:
    _, _, told = finetuned(trained, ON, "finetune.unfreeze={2: 3}")
    assert "feature cache: conv2d_0 to maxpool2d_2 computed once" in told


def test_views_without_an_augmentation_are_refused(trained: Path) -> None:
    answer = ft("finetune", "tiny.yaml", "finetune.augment_views=2", cwd=trained)
    assert answer.code == 2
    assert "nothing is augmented here" in answer.err


def test_a_smoke_test_keeps_no_features(trained: Path) -> None:
    answer = ft("finetune", "tiny.yaml", ON, "--smoke", cwd=trained)
    assert answer.code == 0, answer.err


def test_a_run_killed_on_features_goes_on_with_the_same_bits(trained: Path) -> None:
    answer = ft("verify-resume", "tiny.yaml", ON, cwd=trained)
    assert answer.code == 0, answer.err
    assert "equal" in answer.out


# ---------------------------------------------------------------- networks of other kinds

NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Linear(64, 32)
        self.body = torch.nn.Linear(32, 32)
        self.head = torch.nn.Linear(SIZE, 10)
    def forward(self, image):
        x = image.flatten(1)
        return FORWARD
def build():
    return Net()
"""


def python_model(home: Path, size: str, forward: str) -> None:
    (home / "net.py").write_text(NET.replace("SIZE", size).replace("FORWARD", forward))
    model = {"model": {"layers": ..., "python": "net.py:build"}, "finetune": {"epochs": 3, "freeze": ["stem", "body"]}}
    write_config(home / "net.yaml", {**model, "name": "net"})
    assert ft("train", "net.yaml", cwd=home).code == 0


def test_a_network_of_ones_own_is_cut_where_that_is_proved(tmp_path: Path) -> None:
    python_model(tmp_path, "32", "self.head(self.body(self.stem(x).relu()).relu())")
    answer = ft("finetune", "net.yaml", ON, cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "feature cache: stem to body computed once" in answer.err


def test_a_network_whose_input_passes_by_is_not_cut(tmp_path: Path) -> None:
    python_model(tmp_path, "96", "self.head(torch.cat([x, self.body(self.stem(x).relu()).relu()], 1))")
    answer = ft("finetune", "net.yaml", ON, cwd=tmp_path)
    assert answer.code == 2
    assert "the layers behind body do not run on its answer alone" in answer.err
    assert ft("finetune", "net.yaml", cwd=tmp_path).code == 0
