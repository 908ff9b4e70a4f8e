"""int8 files: what is stored of each weight, what the file still says, and how its answers change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ft.core.errors import ConfigError, MissingExtraError
from ft.core.ship import int8, onnx_file
from ft.core.ship.int8 import nonzero_weights, quantize, require_quantizer

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(5, 3, 3, 3)).astype(np.float32)
MATRIX = RNG.normal(size=(4, 20)).astype(np.float32)  # outputs first, as transB has it
LAST = RNG.normal(size=(4, 16)).astype(np.float32)  # outputs last
BIAS = RNG.normal(size=4).astype(np.float32)


def write(path: Path, *, weights: bool = True) -> Path:
    """bytes -> conv -> ReLU -> Gemm -> MatMul, as ft would have exported it."""
    make, array = onnx.helper.make_node, onnx.numpy_helper.from_array
    values = {"kernel": KERNEL, "matrix": MATRIX, "last": LAST, "bias": BIAS, "half": np.float32([0.01])}
    nodes = [make("Cast", ["x"], ["floats"], name="cast", to=1), make("Mul", ["floats", "half"], ["small"], name="mul")]
    if weights:
        nodes += [
            make("Conv", ["small", "kernel"], ["c"], name="conv"),
            make("Relu", ["c"], ["r"], name="relu"),
            make("Flatten", ["r"], ["f"], name="flatten"),
            make("Gemm", ["f", "matrix", "bias"], ["g"], name="gemm", transB=1),
            make("MatMul", ["g", "last"], ["y"], name="matmul"),
        ]
    else:
        nodes.append(make("Flatten", ["small"], ["y"], name="flatten"))
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "g",
        [info("x", onnx.TensorProto.UINT8, ["n", 3, 4, 4])],
        [info("y", onnx.TensorProto.FLOAT, ["n", None])],
        [array(value, name) for name, value in values.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    for key, value in onnx_file.metadata({"name": "net"}, {"inputs": ["x"]}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, path)
    onnx_file.seal(path)
    return path


def answers(path: Path, x: np.ndarray, *, as_written: bool = False) -> np.ndarray:
    """as_written: ONNX Runtime else multiplies rounded weights with rounded values, where it has an operator for it."""
    options = onnxruntime.SessionOptions()
    if as_written:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"x": x})[0]
    return found


def rounded(values: np.ndarray, axis: int) -> np.ndarray:
    """To 255 levels between the extremes of each output."""
    largest = np.abs(values).max(tuple(each for each in range(values.ndim) if each != axis), keepdims=True)
    found: np.ndarray = np.round(values / largest * 127) * largest / 127
    return found


def by_hand(x: np.ndarray, kernel: np.ndarray, matrix: np.ndarray, last: np.ndarray) -> np.ndarray:
    """In float64."""
    small = x.astype(np.float64) * np.float32(0.01)
    windows = np.lib.stride_tricks.sliding_window_view(small, (3, 3), axis=(2, 3))
    convolved = np.maximum(np.einsum("bihwkl,oikl->bohw", windows, kernel), 0)
    found: np.ndarray = (convolved.reshape(len(x), -1) @ matrix.T + BIAS) @ last
    return found


def some(count: int) -> np.ndarray:
    return RNG.integers(0, 256, size=(count, 3, 4, 4)).astype(np.uint8)


def test_weights_alone_are_rounded_output_by_output_and_all_else_is_computed_as_before(tmp_path: Path) -> None:
    quantize(write(tmp_path / "a.onnx"), tmp_path / "b.onnx", "weights")
    x = some(6)
    expected = by_hand(x, rounded(KERNEL, 0), rounded(MATRIX, 0), rounded(LAST, 1))
    assert np.allclose(answers(tmp_path / "b.onnx", x, as_written=True), expected, rtol=1e-4, atol=1e-3)
    stored = {each.name: each for each in onnx.load(tmp_path / "b.onnx").graph.initializer}
    assert [stored[f"{name}.int8"].data_type for name in ("kernel", "matrix", "last")] == [onnx.TensorProto.INT8] * 3


@pytest.mark.parametrize("way", ["static", "dynamic", "weights"])
def test_with_rounded_values_in_between_it_answers_nearly_the_same(tmp_path: Path, way: Any) -> None:
    calibration = [{"x": some(8)} for _ in range(4)] if way == "static" else []
    quantize(write(tmp_path / "a.onnx"), tmp_path / "b.onnx", way, calibration)
    x = some(32)
    expected = by_hand(x, KERNEL, MATRIX, LAST)
    off = np.abs(answers(tmp_path / "b.onnx", x) - expected).mean() / np.abs(expected).mean()
    assert 0 < off < 0.05


def test_the_file_says_what_it_said_and_what_was_done_and_is_sealed_anew(tmp_path: Path) -> None:
    quantize(write(tmp_path / "a.onnx"), tmp_path / "b.onnx", "dynamic", told={"compressed": {"quantize": "dynamic"}})
    entries = {each.key: each.value for each in onnx.load(tmp_path / "b.onnx").metadata_props}
    assert onnx_file.read(entries, tmp_path / "b.onnx") == {"name": "net", "compressed": {"quantize": "dynamic"}}
    assert json.loads(entries["inputs"]) == ["x"]


def test_bytes_are_brought_to_numbers_exactly(tmp_path: Path) -> None:
    """Nothing is rounded before the first layer, but once, where it reaches that layer."""
    quantize(write(tmp_path / "a.onnx"), tmp_path / "b.onnx", "static", [{"x": some(8)}])
    nodes = {each.name: each for each in onnx.load(tmp_path / "b.onnx").graph.node}
    assert list(nodes["mul"].input) == ["floats", "half"]


def test_weights_that_are_not_zero_are_counted_in_every_type(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.onnx")
    quantize(plain, tmp_path / "b.onnx", "weights")
    assert nonzero_weights(plain) == KERNEL.size + MATRIX.size + LAST.size
    zeros = sum(int((rounded(each, axis) == 0).sum()) for each, axis in ((KERNEL, 0), (MATRIX, 0), (LAST, 1)))
    assert nonzero_weights(tmp_path / "b.onnx") == nonzero_weights(plain) - zeros


def test_a_network_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to quantise"):
        quantize(write(tmp_path / "a.onnx", weights=False), tmp_path / "b.onnx", "weights")


def test_without_the_extra_what_to_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8, "find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(MissingExtraError, match=r"ft\[export\]"):
        require_quantizer()
