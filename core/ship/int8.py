"""An exported ONNX file with 8-bit weights, mostly by ONNX Runtime's own quantiser.

torch.ao.quantization is deprecated and leaves torch (docs.pytorch.org/docs/2.13/quantization.html); torchao, its
successor, gives a network that only Python runs. A file of ONNX runs anywhere, and outlives both.

    dynamic   weights int8, a scale for each of a layer's outputs; what reaches a layer is scaled batch by batch
    static    the same, with scales that a calibration set fixes: whole chains of layers run on integers
    weights   weights int8, written to be brought back to float32 where they are used; what a runtime makes of that is
              its own: ONNX Runtime has operators for linear layers that multiply by int8
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ft.core.errors import ConfigError, MissingExtraError
from ft.core.ship import onnx_file

Way = Literal["dynamic", "static", "weights"]
WAYS: tuple[Way, ...] = ("dynamic", "static", "weights")
Batch = Mapping[str, NDArray[np.generic]]  # by input, as the file takes it

_WEIGHED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_BETWEEN = ("Add", "Relu", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Flatten", "Reshape", "Clip")
_FLOAT = 1  # onnx.TensorProto.FLOAT
_LEAST = 64  # values of a weight that is worth scales of its own


def quantize(
    source: Path, target: Path, way: Way, calibration: Sequence[Batch] = (), told: Mapping[str, Any] | None = None
) -> None:
    """Write `target`, with the metadata of `source`, which ft exported, and `told` among them. calibration: of static
    alone, which needs it.

    Raises MissingExtraError without what the extra `export` brings, ConfigError where no layer has weights.
    """
    require_quantizer()
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    model = onnx.load(source)
    if not _weights(model, onnx):
        raise ConfigError("--quantize: there is nothing to quantise; no convolution or linear layer has weights")
    with _quiet():
        if way == "weights":
            _store_weights(model, onnx)
            onnx.save(model, target)
        elif way == "dynamic":
            quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8)
        else:
            assert calibration, "checked by the caller"
            quantize_static(
                source,
                target,
                _Reader(calibration),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=[*_WEIGHED, *_BETWEEN],
                nodes_to_exclude=_preparing(model),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"]},  # logits of 256 levels tie
            )
    _keep_metadata(model, target, told or {}, onnx)


def require_quantizer() -> None:
    """Raise MissingExtraError without what the extra `export` brings."""
    if any(find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")):
        raise MissingExtraError("ft compress --quantize", "export")


class _Reader:
    """Calibration batches, as onnxruntime asks for them."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches: Iterator[Batch] = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.generic]] | None:
        batch = next(self._batches, None)
        return None if batch is None else dict(batch)


def _weights(model: Any, onnx: Any) -> dict[str, tuple[NDArray[np.float32], int]]:
    """The float weights of layers, by name: their values, and the axis of the layer's outputs."""
    own = {each.name: each for each in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type not in _WEIGHED or len(node.input) < 2 or node.input[1] not in own:
            continue
        tensor = own[node.input[1]]
        if tensor.data_type == _FLOAT and len(tensor.dims) > 1 and np.prod(tensor.dims) >= _LEAST:
            transposed = any(each.name == "transB" and each.i for each in node.attribute)
            axes = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0 if transposed else 1, "MatMul": len(tensor.dims) - 1}
            found[tensor.name] = (onnx.numpy_helper.to_array(tensor), axes[node.op_type])
    return found


def _store_weights(model: Any, onnx: Any) -> None:
    """w = q * scale, q int8 in -127..127, a scale for each output: DequantizeLinear brings the weights back."""
    graph = model.graph
    for name, (values, axis) in _weights(model, onnx).items():
        others = tuple(each for each in range(values.ndim) if each != axis)
        scale = (np.abs(values).max(others) / 127).astype(np.float32)
        scale[scale == 0] = 1
        shape = [-1 if each == axis else 1 for each in range(values.ndim)]
        small = np.clip(np.rint(values / scale.reshape(shape)), -127, 127).astype(np.int8)
        graph.initializer.remove(next(each for each in graph.initializer if each.name == name))
        for suffix, array in (("int8", small), ("scale", scale)):
            graph.initializer.append(onnx.numpy_helper.from_array(array, f"{name}.{suffix}"))
        parts = [f"{name}.int8", f"{name}.scale"]
        graph.node.insert(0, onnx.helper.make_node("DequantizeLinear", parts, [name], axis=axis))


def _preparing(model: Any) -> list[str]:
    """The nodes before the first layer with weights: they bring bytes to numbers, and stay exact."""
    behind: set[str] = set()
    found = []
    for node in model.graph.node:  # in the order of computing
        if node.op_type in _WEIGHED or behind & set(node.input):
            behind |= set(node.output)
        else:
            found.append(node.name)
    return found


def _keep_metadata(model: Any, target: Path, told: Mapping[str, Any], onnx: Any) -> None:
    """The quantiser drops them. The exporter's own notes stay behind, which are a good part of a small file."""
    small = onnx.load(target)
    del small.graph.value_info[:]
    for part in (*small.graph.node, *small.graph.initializer):
        del part.metadata_props[:]
    del small.metadata_props[:]
    small.metadata_props.extend(model.metadata_props)
    for entry in small.metadata_props:
        if entry.key == onnx_file.KEY:
            entry.value = json.dumps({**json.loads(entry.value), **told}, ensure_ascii=False)
        elif entry.key == onnx_file.CHECKSUM:
            entry.value = onnx_file.BLANK
    onnx.save(small, target)
    onnx_file.seal(target)


def nonzero_weights(path: Path) -> int:
    """How many values of an ONNX file's matrices and kernels, of whichever type, are not zero."""
    import onnx

    tensors = [onnx.numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer if len(each.dims) > 1]
    return sum(int(np.count_nonzero(each)) for each in tensors if each.size >= _LEAST)


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser advises on the root logger to simplify the graph first; the exporter has done that."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
