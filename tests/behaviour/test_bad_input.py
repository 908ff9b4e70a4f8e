"""What goes wrong for people: one clear message, at its place, the right exit code, and nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import TINY, changed, ft, write_config

NO_VAL = {"split": {"val": ...}}


def layers(*entries: Any) -> dict[str, Any]:
    return {"model": {"layers": list(entries)}}


SETTINGS: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown key", {"train": {"epocs": 1}}, "epocs", "did you mean epochs"),
    ("misplaced key", {"lr": 0.1}, "lr:", "did you mean train.lr"),
    ("wrong type", {"train": {"epochs": "many"}}, "epochs", "whole number"),
    ("out of range", {"train": {"lr": -1.0}}, "lr", "> 0"),
    ("not a number", {"train": {"lr": float("nan")}}, "lr", "> 0"),
    ("a device that is not there", {"device": "cuda:63"}, "device", "cuda:63 is not there"),
    ("fp16 on a CPU", {"precision": "fp16"}, "precision", "fp16 is for GPUs"),
    ("more threads than any machine has", {"threads": 100_000}, "threads", "at most"),
    ("a batch larger than the data", {"train": {"batch_size": 5000}}, "batch_size", "1297"),
    ("a split larger than the data", {"data": {"split": {"val": 5000}}}, "val", "1,797"),
    ("an optimizer that is none", {"train": {"optimizer": "adan"}}, "optimizer", "did you mean adam"),
    ("an argument it has not", {"train": {"optimizer": {"sgd": {"momentun": 0.9}}}}, "momentun", "momentum"),
    ("a schedule that is none", {"train": {"schedule": "cosin"}}, "schedule", "did you mean cosine"),
    ("plateau without validation", {"data": NO_VAL, "train": {"schedule": "plateau"}}, "schedule", "data.split.val"),
    ("patience without validation", {"data": NO_VAL, "train": {"patience": 2}}, "patience", "data.split.val"),
    ("an unknown monitor", {"train": {"monitor": "acuracy"}}, "monitor", "did you mean accuracy"),
    ("an unknown gate", {"eval": {"min": {"acc": 0.9}}}, "acc", "is not a metric"),
    ("a gate on a loss", {"eval": {"min": {"loss": 0.9}}}, "loss", "better when smaller"),
    ("a layer that is none", layers("Flatten", "Linaer"), "- Linaer", "did you mean Linear"),
    ("a layer's argument", layers("Flatten", {"Linear": {"out_featurs": 3}}, "Linear"), "out_featurs", "out_features"),
    ("a layer that does not fit", layers({"Conv2d": {"out_channels": 3, "kernel_size": 9}}, "Flatten", "Linear"),
     "- Conv2d", "layer 0: Conv2d does not fit the shape (1, 8, 8)"),
    ("a network without an end", layers({"Conv2d": {"out_channels": 3, "kernel_size": 3}}), "", "(10)"),
    ("a wrong last size", layers("Flatten", {"Linear": 7}), "- Linear", "leave out_features out"),
    ("one example in a batch norm", {**layers("Flatten", "BatchNorm1d", "Linear"), "train": {"batch_size": 1}},
     "batch_size", "batch norm"),
    ("weights that are not there", {"model": {"weights": "nowhere.pt"}}, "weights", "nowhere.pt"),
    ("a model file that is not there", {"model": {"layers": ..., "python": "no.py:f"}}, "python", "there is no file"),
    ("a column the source has not", {"outputs": {"label": {"type": "category"}}}, "label", "it has image, digit"),
    ("weights of a class that is none", {"outputs": {"digit": {"type": "category", "class_weights": {"x": 2.0}}}},
     "x: 2.0", "x is not a class"),
    ("two means for one channel", {"inputs": {"image": {"type": "image", "normalize": {
        "mean": [0.1, 0.2], "std": [1.0, 1.0]}}}}, "mean", "1 channel"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "key", "said"), [case[1:] for case in SETTINGS], ids=[case[0] for case in SETTINGS]
)
def test_a_setting_at_fault_is_named_with_its_place(tmp_path: Path, changes: dict, key: str, said: str) -> None:
    """The place is a line that holds the setting."""
    config = write_config(tmp_path / "c.yaml", changes)
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 2, answer.err
    assert said in answer.err
    assert "Traceback" not in answer.err
    file, line, column = answer.errors[0].split()[0].split(":")
    lines = config.read_text().splitlines()
    near = " ".join(lines[int(line) - 1 : int(line) + 1])  # the setting, or the mapping it stands in
    assert file == "c.yaml"
    assert int(column) >= 1
    assert key in near
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"seed": -1, "train": {"epocs": 1, "lr": "fast"}})
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert (answer.code, len(answer.errors)) == (2, 3)


# ---------------------------------------------------------------- data


def some_arrays(folder: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        folder / "a.npz",
        x=rng.normal(size=(60, 4)),
        y=np.arange(60) % 3,
        one=np.zeros(60, int),
        hole=np.where(np.arange(60) == 7, np.nan, 1.0),
        broken=rng.normal(size=60),
        short=np.arange(50),
        none=np.zeros((0, 4)),
        no_y=np.zeros(0, int),
        floats=rng.random((60, 4, 4)),
    )


VECTOR, NUMBER, CATEGORY = {"type": "vector"}, {"type": "number"}, {"type": "category"}
DATA = [
    ("a missing file", {"x": "b.npz:x"}, VECTOR, CATEGORY, "b.npz: no such file"),
    ("a missing array", {"x": "a.npz:xx"}, VECTOR, CATEGORY, "did you mean x"),
    ("no examples", {"x": "a.npz:none", "y": "a.npz:no_y"}, VECTOR, CATEGORY, "no examples"),
    ("one class", {"y": "a.npz:one"}, VECTOR, CATEGORY, "takes two"),
    ("other lengths", {"y": "a.npz:short"}, VECTOR, CATEGORY, "y has 50"),
    ("NaN in", {"x": "a.npz:hole"}, NUMBER, CATEGORY, "column x, train, row 8: a number is missing"),
    ("NaN out", {"y": "a.npz:hole"}, VECTOR, NUMBER, "column y, train, row 8: a number is missing"),
    ("float pictures", {"x": "a.npz:floats"}, {"type": "image"}, CATEGORY, "uint8"),
    ("a label out of range", {}, VECTOR, {**CATEGORY, "classes": ["0", "1"]}, "'2' is none of the classes 0, 1"),
    ("numbers as classes", {"y": "a.npz:broken"}, VECTOR, CATEGORY, "type: number"),
]


@pytest.mark.parametrize(("files", "given", "wanted", "said"), [case[1:] for case in DATA], ids=[c[0] for c in DATA])
def test_unusable_data_are_exit_4(tmp_path: Path, files: dict, given: dict, wanted: dict, said: str) -> None:
    some_arrays(tmp_path)
    data = {"source": "arrays", "train": {"x": "a.npz:x", "y": "a.npz:y", **files}}
    settings = {"data": data, "inputs": {"x": given}, "outputs": {"y": wanted}, "train": {"batch_size": 8}}
    write_config(tmp_path / "c.yaml", settings, changed(TINY, {"data": ...}))
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert (answer.code, len(answer.errors)) == (4, 1), answer.err
    assert said in answer.errors[0]
    assert not (tmp_path / "runs").exists()


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train"], "name an experiment file"),
        (["train", "nowhere.yaml"], "nowhere.yaml"),
        (["train", "a.yaml", "b.yaml"], "one file at a time"),
        (["train", "checkpoint.pt"], "no experiment file"),
        (["run", "."], "no experiment file"),
        (["eval", "tiny.yaml"], "judges a checkpoint"),
        (["eval", "nowhere.pt"], "nowhere.pt"),
        (["eval", "."], "not the folder of a run"),
        (["eval", "checkpoint.pt", "--split", "tset"], "train, val and test"),
        (["eval", "checkpoint.pt", "--min", "accuracy"], "METRIC=VALUE"),
        (["eval", "checkpoint.pt", "--min", "accuracy=nan"], "METRIC=VALUE"),
        (["eval", "checkpoint.pt", "--min", "acuracy=1"], "acuracy"),
        (["eval", "checkpoint.pt", "--data", "nowhere"], "digits reads no folder"),
        (["eval", "checkpoint.pt", "--out", "no/where.json"], "there is no folder"),
        (["eval", "checkpoint.pt", "--python", "net.py"], "needs no code of yours"),
        (["eval", "checkpoint.pt", "evl.split=val"], "did you mean eval"),
        (["eval", "checkpoint.pt", "outputs={digit: {type: number}}"], "brings its own outputs"),
        (["finetune"], "no finished training"),
        (["finetune", "checkpoint.pt", "--freeze", "9"], "9 matches no layer"),
        (["finetune", "checkpoint.pt", "--freeze", "0-2"], "nothing to learn"),
        (["finetune", "checkpoint.pt", "--freeze", "lineer_1"], "did you mean linear_1"),
        (["finetune", "checkpoint.pt", "--freeze", ","], "names no unit"),
        (["finetune", "checkpoint.pt", "--from", "nowhere.pt"], "nowhere.pt"),
        (["predict", "checkpoint.pt", "nowhere.png"], "nowhere.png"),
        (["train", "tiny.yaml", "train.epocs=2"], "did you mean epochs"),
        (["train", "tiny.yaml", "train.epochs=two"], "whole number"),
        (["train", "tiny.yaml", "model.layers.9.Linear=3"], "0 to 2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_request_that_cannot_be_honoured_is_exit_2(checkpoint: Path, words: list[str], said: str) -> None:
    home = checkpoint.parent
    write_config(home / "tiny.yaml")
    answer = ft(*words, cwd=home)
    assert answer.code == 2, answer.err
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert not (home / "runs").exists()


def test_settings_that_change_a_trained_network_are_refused(checkpoint: Path) -> None:
    answer = ft("eval", checkpoint.name, "model.layers.1.Linear.out_features=5", cwd=checkpoint.parent)
    assert (answer.code, len(answer.errors)) == (2, 1)


def test_code_of_the_user_that_ends_the_process_is_no_gate(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("def build():\n    raise SystemExit(3)\n")
    write_config(tmp_path / "c.yaml", {"model": {"layers": ..., "python": "net.py:build"}})
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 2
    assert "net.py:2: SystemExit: 3" in answer.err
