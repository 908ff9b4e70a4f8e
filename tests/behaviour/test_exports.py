"""`ft export`: files that answer like the checkpoint they were made of, in any runtime, and are held against it."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from command_line import TINY, changed, ft, write_config
from PIL import Image
from small_tables import guests, write_rows
from torch import nn

pytest.importorskip("onnxscript", reason="exporting needs onnxscript")
onnxruntime = pytest.importorskip("onnxruntime", reason="running ONNX files needs onnxruntime")

FORMATS = ("--format", "onnx", "--format", "torch", "--format", "safetensors")
EXPORT = "runs/tiny/1/export"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibrated model of digits and all that `ft export` makes of it. Not to be changed but for new files."""
    folder = tmp_path_factory.mktemp("exported")
    write_config(folder / "c.yaml", {"outputs": {"digit": {"type": "category", "calibrate": "temperature"}}})
    for command in (["train", "c.yaml"], ["export", "runs/tiny/1", *FORMATS, "--license", "MIT"]):
        answer = ft(*command, cwd=folder)
        assert answer.code == 0, answer.err
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).save(folder / EXPORT / "picture.png")
    return folder


def by_hand(checkpoint: dict[str, Any], pixels: np.ndarray) -> dict[str, np.ndarray]:
    """The network of TINY in float64, from the checkpoint's weights and what was fitted. pixels: uint8 (B, 1, 8, 8)."""
    state, weights = checkpoint["columns"]["inputs"]["image"], list(checkpoint["weights"].values())
    x = (torch.from_numpy(pixels).double() / 255 - state["mean"][0]) / state["std"][0]
    first, bias, last, end = (each.double() for each in weights)
    raw = (x.flatten(1) @ first.T + bias).relu() @ last.T + end
    shares = (raw / checkpoint["decisions"]["digit"]["temperature"]).softmax(1)
    return {"digit": raw.argmax(1).numpy(), "digit.probabilities": shares.numpy(), "digit.raw": raw.numpy()}


@pytest.mark.parametrize("batch", [1, 2, 5, 33])
def test_onnx_and_torch_files_answer_raw_bytes_as_the_weights_say(folder: Path, batch: int) -> None:
    checkpoint = torch.load(folder / "runs/tiny/1/checkpoints/best.pt", weights_only=True)
    pixels = np.random.default_rng(batch).integers(0, 256, (batch, 1, 8, 8), dtype=np.uint8)
    wanted = by_hand(checkpoint, pixels)
    session = onnxruntime.InferenceSession(folder / EXPORT / "model.onnx")
    by_onnx = dict(zip(wanted, session.run(list(wanted), {"image": pixels}), strict=True))
    program = torch.export.load(folder / EXPORT / "model.pt2").module()
    by_torch = program(torch.from_numpy(pixels))
    for name, value in wanted.items():
        np.testing.assert_allclose(by_onnx[name], value, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(by_torch[name].numpy(), value, rtol=1e-4, atol=1e-4)


def test_the_file_names_its_columns_sizes_and_classes_and_no_path_of_this_machine(folder: Path) -> None:
    file = folder / EXPORT / "model.onnx"
    session = onnxruntime.InferenceSession(file)
    assert [(each.name, each.shape) for each in session.get_inputs()] == [("image", ["batch", 1, 8, 8])]
    assert [each.name for each in session.get_outputs()] == ["digit", "digit.probabilities", "digit.raw"]
    told = json.loads(session.get_modelmeta().custom_metadata_map["outputs"])["digit"]
    assert told["classes"] == [str(digit) for digit in range(10)]
    for exported in (file, file.with_suffix(".pt2")):
        assert sys.prefix.encode() not in exported.read_bytes()


@pytest.mark.parametrize("file", ["model.onnx", "model.safetensors"])
def test_an_exported_file_is_judged_and_asked_like_its_checkpoint(folder: Path, file: str) -> None:
    judged = [json.loads(ft("eval", each, "--json", cwd=folder).out) for each in ("runs/tiny/1", f"{EXPORT}/{file}")]
    assert judged[1]["metrics"]["accuracy"] == judged[0]["metrics"]["accuracy"]
    assert judged[1]["metrics"]["loss"] == pytest.approx(judged[0]["metrics"]["loss"], rel=1e-5)
    asked = [
        json.loads(ft("predict", each, f"{EXPORT}/picture.png", "--json", cwd=folder).out)["predictions"][0]
        for each in ("runs/tiny/1", f"{EXPORT}/{file}")
    ]
    assert asked[1]["value"] == asked[0]["value"]
    assert asked[1]["probabilities"] == pytest.approx(asked[0]["probabilities"], abs=1e-5)


def test_a_mirrored_second_view_is_the_same_of_a_file(folder: Path) -> None:
    asked = [("eval", each, "eval.tta=flip", "--json") for each in ("runs/tiny/1", f"{EXPORT}/model.onnx")]
    checkpoint, file = (json.loads(ft(*words, cwd=folder).out)["metrics"] for words in asked)
    assert file["loss"] == pytest.approx(checkpoint["loss"], rel=1e-5)


def test_views_of_evaluation_are_no_matter_of_the_file(folder: Path) -> None:
    answer = ft("export", "runs/tiny/1", "eval.tta.views=2", "eval.tta.augment.crop=1", "--out", "t.onnx", cwd=folder)
    assert answer.code == 0, answer.err


def test_the_lines_in_the_card_run_without_ft(folder: Path) -> None:
    card = (folder / EXPORT / "card.md").read_text()
    [lines] = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    assert "import ft" not in lines
    assert "from ft" not in lines
    out = io.StringIO()
    with contextlib.chdir(folder / EXPORT), contextlib.redirect_stdout(out):
        exec(compile(lines, "card.md", "exec"), {})
    asked = ft("predict", "runs/tiny/1", f"{EXPORT}/picture.png", "--json", cwd=folder)
    assert out.getvalue().split()[:2] == ["digit", json.loads(asked.out)["predictions"][0]["value"]]


def test_the_card_tells_scores_with_intervals_the_licence_and_what_is_rare(folder: Path) -> None:
    card = (folder / EXPORT / "card.md").read_text()
    judged = json.loads(ft("eval", f"{EXPORT}/model.onnx", "--json", cwd=folder).out)
    low, high = judged["intervals"]["accuracy"]
    assert re.search(rf"accuracy +\| +{judged['metrics']['accuracy']:.4f} \| {low:.4f} to {high:.4f}", card)
    assert "licence: MIT" in card
    assert "1,297 training examples" in card
    assert "temperature" in card


def test_a_file_that_answers_otherwise_ends_with_3_and_is_named(folder: Path) -> None:
    class Wrong(nn.Module):
        def __init__(self, _: object) -> None:
            super().__init__()

        def forward(self, kept: torch.Tensor) -> torch.Tensor:
            return kept.float()

    with patch.dict("ft.core.ship.graph.PREPARING", {"image": Wrong}):
        answer = ft("export", "runs/tiny/1", "--out", "wrong.onnx", "--json", cwd=folder)
    assert answer.code == 3
    document = json.loads(answer.out)
    assert not document["passed"]
    assert any("digit.raw differs by" in each for each in document["failures"])
    assert "wrong.onnx: digit.raw differs by" in answer.errors[0]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["export", "c.yaml"], 2, "is a file of settings"),
        (["export", "runs/tiny/1", "--format", "tflite"], 2, "there are onnx, torch, safetensors"),
        (["export", "runs/tiny/1", "--out", "m.onnx", "--format", "torch"], 2, "one file of the format onnx"),
        (["export", "runs/tiny/1", "--out", "m.h5"], 2, "ends with .onnx, .pt2, .safetensors"),
        (["export", "runs/tiny/1", "--no-check", "--split", "val"], 2, "--split is of the check"),
        (["export", "runs/tiny/1", "--tolerance", "-1"], 2, "--tolerance -1"),
        (["eval", f"{EXPORT}/model.pt2"], 2, "such files can hold code"),
        (["eval", f"{EXPORT}/model.onnx", "device=cuda"], 2, "ft runs ONNX files on the CPU"),
        (["eval", f"{EXPORT}/model.onnx", "eval.tta.views=2"], 2, "only flip can change them before"),
        (["eval", "nowhere.onnx"], 2, "there is no file or run"),
        (["predict", f"{EXPORT}/model.onnx", "--adapter", "a", "c.yaml"], 2, "takes nothing beside it"),
        (["finetune", f"{EXPORT}/model.onnx"], 4, "not a checkpoint"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, words: list[str], code: int, message: str) -> None:
    answer = ft(*words, cwd=folder)
    assert (answer.code, message in answer.err) == (code, True), answer.err


def test_a_damaged_file_and_one_of_a_stranger_are_refused(folder: Path) -> None:
    import onnx

    data = bytearray((folder / EXPORT / "model.onnx").read_bytes())
    weights = torch.load(folder / "runs/tiny/1/checkpoints/best.pt", weights_only=True)["weights"]
    place = data.index(next(iter(weights.values())).numpy().tobytes()[:16])
    data[place] ^= 1
    (folder / "flipped.onnx").write_bytes(data)
    (folder / "cut.onnx").write_bytes(data[:2000])
    model = onnx.load(folder / EXPORT / "model.onnx")
    del model.metadata_props[:]
    onnx.save(model, folder / "stranger.onnx")
    told = {"flipped": "its checksum", "cut": "cannot be read as ONNX", "stranger": "not written by ft export"}
    for name, message in told.items():
        answer = ft("eval", f"{name}.onnx", cwd=folder)
        assert (answer.code, message in answer.err) == (4, True), answer.err


def test_without_the_extra_one_line_says_what_to_install(folder: Path) -> None:
    with patch.dict(sys.modules, {"onnxscript": None}):
        answer = ft("export", "runs/tiny/1", "--out", "n.onnx", cwd=folder)
    assert (answer.code, answer.errors) == (
        2,
        ["writing ONNX files needs an optional library; install it with: pip install 'ft[export]'"],
    )


CODE = """
from torch import nn

class Picky(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x

def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), Picky(), nn.Linear(16, 10))
"""


def test_a_layer_that_cannot_be_exported_is_named_with_its_number(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(CODE)
    write_config(tmp_path / "c.yaml", {"model": {"layers": ..., "python": "net.py:build"}, "train": {"max_steps": 2}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    answer = ft("export", "runs/tiny/1", "--python", "net.py", cwd=tmp_path)
    assert answer.code == 2
    assert re.search(r"layer 2 \(2, Picky\) cannot be exported as ONNX", answer.errors[0]), answer.err
    assert not list((tmp_path / "runs/tiny/1/export").glob("*.onnx"))


def test_every_kind_of_table_column_and_output_goes_through_a_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="tables need pyarrow")
    write_rows(tmp_path / "guests.csv", guests(90))
    inputs = {
        "nights": {"type": "number", "missing": "flag"},
        "both": {"type": "vector", "columns": ["price", "rate"], "normalize": "quantile", "missing": "flag"},
        "city": {"type": "category"},
        "tags": {"type": "set", "separator": "|"},
        "day": {"type": "date", "format": "%Y-%m-%d", "missing": "flag"},
        "review": {"type": "text", "max_length": 6},
    }
    outputs = {
        "happy": {"type": "category", "loss": "binary_cross_entropy", "threshold": "f1"},
        "score": {"type": "number", "column": "stars"},
        "praise": {"type": "labels", "separator": "|", "threshold": 0.4},
    }
    settings = {
        "data": {"source": "table", "train": "guests.csv", "missing": ["", "none"], "split": {"val": 0.2, "test": 0.2}},
        "inputs": inputs,
        "outputs": outputs,
        "model": {"layers": ..., "encoders": {"review": {"text": {"kind": "gru", "dim": 6, "width": 4}}}},
        "train": {"batch_size": 16},
    }
    write_config(tmp_path / "c.yaml", settings, changed(TINY, {"data": ...}))
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 0, answer.err
    answer = ft("export", "runs/tiny/1", "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    [file] = json.loads(answer.out)["files"]
    assert file["parity"]["raw"].keys() == {"happy.raw", "score.raw", "praise.raw"}
    metrics = [
        json.loads(ft("eval", each, "--json", cwd=tmp_path).out)["metrics"] for each in ("runs/tiny/1", file["path"])
    ]
    assert metrics[1] == pytest.approx(metrics[0], rel=1e-4)
    refused = ft("export", "runs/tiny/1", "--format", "torch", cwd=tmp_path)
    assert refused.code == 2
    assert "(encoders.review, text) cannot be exported as a program of torch.export" in refused.err


def test_rankings_are_refused_in_one_line_and_go_as_safetensors(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="tables need pyarrow")
    rows = [{"user": f"u{u}", "item": f"i{(u * 3 + k) % 12}", "when": k} for u in range(12) for k in range(5)]
    write_rows(tmp_path / "choices.csv", rows)
    settings = {
        "data": {
            "source": "table",
            "train": "choices.csv",
            "split": {"val": 1, "test": 1, "per": "user", "time": "when"},
        },
        "inputs": {"user": {"type": "category"}, "item": {"type": "category"}},
        "outputs": {"chosen": {"type": "ranking", "user": "user", "item": "item"}},
        "model": {"layers": ..., "fusion": {"dot": {"dim": 4}}},
        "train": {"batch_size": 16},
    }
    write_config(tmp_path / "c.yaml", settings, changed(TINY, {"data": ...}))
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    answer = ft("export", "runs/tiny/1", cwd=tmp_path)
    assert (answer.code, len(answer.errors), "chosen ranks" in answer.errors[0]) == (2, 1, True)
    answer = ft("export", "runs/tiny/1", "--format", "safetensors", cwd=tmp_path)
    assert answer.code == 0, answer.err
    judged = [
        json.loads(ft("eval", each, "--json", cwd=tmp_path).out)
        for each in ("runs/tiny/1", f"{EXPORT}/model.safetensors")
    ]
    assert judged[1]["metrics"] == judged[0]["metrics"]
