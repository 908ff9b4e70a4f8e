"""`ft compress`: what it leaves is a plain checkpoint, smaller where it says so; what cannot be is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import ft, write_config

from ft.core.engine.checkpoint import load_checkpoint
from ft.core.stages import measuring

NET: dict[str, Any] = {
    "model": {
        "layers": [
            {"Conv2d": {"out_channels": 8, "kernel_size": 3, "bias": False}},
            {"BatchNorm2d": {"num_features": 8, "activation": "ReLU"}},
            "Flatten",
            {"Linear": {"out_features": 24, "activation": "ReLU"}},
            "Linear",
        ]
    },
    "train": {"epochs": 3},
    "finetune": {"freeze": [0, 1], "lr": 0.005},  # a healing learns everything all the same
}
BEST = "runs/tiny/1/checkpoints/best.pt"
FOOTPRINT = measuring.footprint


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a training, runs/tiny/1."""
    folder = tmp_path_factory.mktemp("compressed")
    write_config(folder / "c.yaml", NET)
    answer = ft("train", "c.yaml", cwd=folder)
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """A copy, to work in."""
    shutil.copytree(made, tmp_path / "work", symlinks=True)
    return tmp_path / "work"


@pytest.fixture(autouse=True)
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting processes to measure memory is dear, and of no matter but where a test says so."""
    monkeypatch.setattr(measuring, "footprint", lambda *_: 10_000_000)


def compressed(folder: Path, *words: object, code: int = 0) -> dict[str, Any]:
    answer = ft("compress", *words, "--json", cwd=folder)
    assert answer.code == code, answer.err
    document: dict[str, Any] = json.loads(answer.out)
    return document


def judged(folder: Path, *words: object) -> dict[str, float]:
    answer = ft("eval", *words, "--json", cwd=folder)
    assert answer.code == 0, answer.err
    metrics: dict[str, float] = json.loads(answer.out)["metrics"]
    return metrics


# ---------------------------------------------------------------- channels


def test_without_a_quarter_of_its_channels_it_is_a_plain_smaller_checkpoint(home: Path) -> None:
    told = compressed(home, "runs/tiny/1", "--prune-channels", "0.25")
    before, after = told["rows"]
    out = home / "runs/tiny/1/checkpoints/best-channels-0.25.pt"
    assert Path(told["out"]).resolve() == out.resolve()
    # 8 and 24 become 6 and 18: convolution, norm, two linear layers
    assert before["parameters"] == 8 * 9 + 16 + 24 * 8 * 36 + 24 + 10 * 24 + 10
    assert after["parameters"] == 6 * 9 + 12 + 18 * 6 * 36 + 18 + 10 * 18 + 10
    assert after["file_bytes"] == out.stat().st_size < before["file_bytes"]
    assert judged(home, out)["accuracy"] == after["metrics"]["accuracy"]
    assert judged(home, "runs/tiny/1")["accuracy"] == before["metrics"]["accuracy"]
    drop = before["metrics"]["accuracy"] - after["metrics"]["accuracy"]
    assert told["drops"]["accuracy"]["value"] == pytest.approx(drop, abs=1e-6)
    assert json.loads(ft("layers", out, "--json", cwd=home).out)["rows"][0]["output_shape"] == [6, 6, 6]


def test_healed_it_is_better_than_unhealed_and_every_layer_has_learned(home: Path) -> None:
    worse = compressed(home, "runs/tiny/1", "--prune-channels", "0.6", "--out", "worse.pt")
    better = compressed(home, "runs/tiny/1", "--prune-channels", "0.6", "--heal", "2", "--out", "better.pt")
    assert better["rows"][1]["metrics"]["loss"] < worse["rows"][1]["metrics"]["loss"]
    assert better["rows"][1]["parameters"] == worse["rows"][1]["parameters"]
    unhealed, healed = load_checkpoint(home / "better-unhealed.pt"), load_checkpoint(home / "better.pt")
    assert torch.equal(
        unhealed["weights"]["conv2d_0.weight"], load_checkpoint(home / "worse.pt")["weights"]["conv2d_0.weight"]
    )
    assert not torch.equal(unhealed["weights"]["conv2d_0.weight"], healed["weights"]["conv2d_0.weight"])
    status = json.loads((home / better["healed"] / "status.json").read_text())
    assert (status["state"], status["stage"], status["epochs"]) == ("finished", "finetune", 2)


def test_the_uncompressed_model_can_be_the_teacher_of_the_healing(home: Path) -> None:
    told = compressed(home, "runs/tiny/1", "--prune-channels", "0.5", "--heal", "1", "--distil", "finetune.lr=0.002")
    config = (home / told["healed"] / "config.yaml").read_text()
    environment = json.loads((home / told["healed"] / "env.json").read_text())
    assert environment["teacher"]["checkpoint"].endswith(BEST)
    assert "lr: 0.002" in config


# ---------------------------------------------------------------- weights


def test_pruned_weights_stay_zero_through_the_healing_and_through_a_fine_tuning_after_it(home: Path) -> None:
    told = compressed(home, "runs/tiny/1", "--prune", "0.5", "--heal", "1", "--out", "zeros.pt")
    layers = ("conv2d_0", "linear_3", "linear_4")
    count = sum(load_checkpoint(home / BEST)["weights"][f"{name}.weight"].numel() for name in layers)
    unhealed, healed = (
        load_checkpoint(home / "zeros-unhealed.pt")["weights"],
        load_checkpoint(home / "zeros.pt")["weights"],
    )
    zeros = {name: unhealed[f"{name}.weight"] == 0 for name in layers}
    assert sum(int(each.sum()) for each in zeros.values()) == count // 2
    assert all(torch.equal(healed[f"{name}.weight"] == 0, zeros[name]) for name in layers)
    assert told["rows"][1]["nonzero"] == told["rows"][0]["nonzero"] - count // 2
    assert told["rows"][1]["zipped_bytes"] < told["rows"][0]["zipped_bytes"]
    assert any("zeros save nothing else" in line for line in told["verdict"])
    answer = ft("finetune", "zeros.pt", "finetune.freeze=[]", "-q", cwd=home)
    assert answer.code == 0, answer.err
    again = load_checkpoint(home / answer.out.strip())["weights"]
    assert all(torch.equal(again[f"{name}.weight"] == 0, zeros[name]) for name in layers)
    assert not torch.equal(again["linear_3.weight"], healed["linear_3.weight"])


@pytest.mark.parametrize(("dtype", "kind"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_weights_of_half_the_size_are_those_that_torch_rounds_to(home: Path, dtype: str, kind: torch.dtype) -> None:
    told = compressed(home, "runs/tiny/1", "--dtype", dtype, "--out", "half.pt")
    before, after = (load_checkpoint(home / name)["weights"] for name in (BEST, "half.pt"))
    assert torch.equal(after["linear_3.weight"], before["linear_3.weight"].to(kind))
    assert after["batchnorm2d_1.running_var"].dtype == torch.float32
    assert told["rows"][1]["file_bytes"] < 0.65 * told["rows"][0]["file_bytes"]
    assert judged(home, "half.pt")["accuracy"] == told["rows"][1]["metrics"]["accuracy"]


# ---------------------------------------------------------------- int8


@pytest.mark.parametrize("way", ["dynamic", "static", "weights"])
def test_an_int8_file_is_judged_as_ft_eval_judges_it_and_answers_like_the_checkpoint(home: Path, way: str) -> None:
    more = ("--calibrate", "100") if way == "static" else ()
    told = compressed(home, "runs/tiny/1", "--quantize", way, *more, "--out", "small.onnx")
    before, plain, after = told["rows"]
    assert [row["runtime"] for row in told["rows"]] == ["torch", "onnxruntime", "onnxruntime"]
    assert after["file_bytes"] == (home / "small.onnx").stat().st_size < 0.5 * plain["file_bytes"]
    assert judged(home, "small.onnx")["accuracy"] == after["metrics"]["accuracy"]
    assert plain["metrics"]["loss"] == pytest.approx(before["metrics"]["loss"], rel=1e-4)
    assert after["metrics"]["loss"] == pytest.approx(before["metrics"]["loss"], rel=0.05)
    assert before["parameters"] == after["parameters"]
    assert any("100 of 1,297 training examples" in line for line in told["how"]) == (way == "static")


def test_pruned_channels_can_be_quantised_at_once_and_the_result_is_not_compressed_again(home: Path) -> None:
    told = compressed(home, "runs/tiny/1", "--prune-channels", "0.25", "--quantize", "weights")
    out = home / "runs/tiny/1/checkpoints/best-channels-0.25-int8-weights.onnx"
    assert Path(told["out"]).resolve() == out.resolve()
    assert told["rows"][2]["parameters"] == 6 * 9 + 12 + 18 * 6 * 36 + 18 + 10 * 18 + 10
    answer = ft("compress", out, "--quantize", "weights", cwd=home)
    assert (answer.code, "is exported already" in answer.err) == (2, True)


# ---------------------------------------------------------------- gates and streams


def test_a_drop_beyond_the_margin_ends_with_3_and_the_file_is_there_to_be_looked_at(home: Path) -> None:
    words = ("runs/tiny/1", "--prune-channels", "0.9", "--max-drop", "accuracy=0.002", "--out", "bad.pt")
    told = compressed(home, *words, code=3)
    assert told["passed"] is False
    assert [gate["passed"] for gate in told["gates"]] == [False]
    assert (home / "bad.pt").is_file()


def test_quiet_it_prints_the_path_that_the_next_command_takes(home: Path) -> None:
    answer = ft("compress", "runs/tiny/1", "--dtype", "bf16", "--out", "small.pt", "-q", cwd=home)
    assert (answer.code, answer.out) == (0, "small.pt\n")
    shown = ft("compress", "runs/tiny/1", "--dtype", "bf16", "--out", "small.pt", cwd=home)
    assert "the file is smaller" in shown.out


def test_memory_is_measured_in_processes_that_load_and_answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "footprint", FOOTPRINT)
    told = compressed(home, "runs/tiny/1", "--dtype", "fp16", "--out", "half.pt")
    assert all(0 < row["memory_bytes"] < 500e6 for row in told["rows"])


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say how: --quantize"),
        (("--prune", "1"), "--prune 1: expected a share between 0 and 1"),
        (("--prune-channels", "0"), "--prune-channels 0: expected a share"),
        (("--prune-channels", "nan"), "--prune-channels nan: expected a share"),
        (("--quantize", "int4"), "--quantize int4: there are dynamic, static, weights"),
        (("--quantize", "static", "--calibrate", "0"), "the calibration set is empty"),
        (("--quantize", "weights", "--dtype", "fp16"), "say one of the two"),
        (("--quantize", "weights", "--calibrate", "9"), "--calibrate is for --quantize static"),
        (("--dtype", "fp8"), "--dtype fp8: there are fp16 and bf16"),
        (("--dtype", "fp16", "--heal", "1"), "stored types do not learn"),
        (("--prune", "0.3", "--distil"), "add --heal EPOCHS"),
        (("--prune", "0.3", "--heal", "0"), "--heal 0: expected epochs"),
        (("--prune", "0.3", "--max-drop", "accurcy=0.1"), "--max-drop accurcy: a drop can be tested of accuracy"),
        (("--prune", "0.3", "--gate-on", "lower_bound"), "add --max-drop"),
        (("--prune", "0.3", "train.lr=1"), "train.lr=… changes nothing here"),
        (("--prune", "0.3", "finetune.lr=1"), "finetune.lr=… changes nothing here"),
        (("--prune", "0.3", "--out", "a.onnx"), "this result is a .pt file"),
        (("--prune", "0.3", "--out", BEST), "this is what is compressed"),
        (("--prune-channels", "0.01"), "less than one channel"),
    ],
)
def test_wishes_that_cannot_be_are_refused_with_2_and_leave_nothing(
    made: Path, words: tuple[str, ...], said: str
) -> None:
    before = sorted(made.rglob("*"))
    answer = ft("compress", "runs/tiny/1", *words, cwd=made)
    assert (answer.code, said in answer.err) == (2, True), answer.err
    assert sorted(made.rglob("*")) == before


def test_what_is_compressed_already_is_refused_and_what_it_was_is_named(home: Path) -> None:
    assert ft("compress", "runs/tiny/1", "--prune", "0.3", "--out", "less.pt", "-q", cwd=home).code == 0
    answer = ft("compress", "less.pt", "--dtype", "fp16", cwd=home)
    assert answer.code == 2
    assert "less.pt is compressed already (prune 0.3)" in answer.err


@pytest.mark.parametrize("test", [1797, 1796])  # nothing to learn from, and less than a batch
def test_healing_without_training_data_is_refused_and_leaves_nothing(home: Path, test: int) -> None:
    words = ("runs/tiny/1", "--prune", "0.3", "--heal", "1", f"data.split={{test: {test}}}")
    answer = ft("compress", *words, cwd=home)
    assert (answer.code, "training" in answer.err) == (2, True), answer.err
    assert not list(home.glob("runs/tiny/1/checkpoints/best-*"))
    assert not (home / "runs/tiny/2").exists()
