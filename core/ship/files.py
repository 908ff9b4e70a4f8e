"""The two forms in which a trained model is a graph: an ONNX file, and torch's own program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from ft.core.data.columns import Column
from ft.core.errors import ConfigError, MissingExtraError
from ft.core.ship import onnx_file
from ft.core.ship.graph import Graph
from ft.core.ship.replacing import replacing
from ft.core.ship.trace import blaming, quiet, trace

OPSET = 18  # the exporter's own, which it converts nothing for; ONNX Runtime reads it since 1.14
MOST_OF_ONE_FILE = 2**31 - 2**24  # bytes: protobuf ends there, and the graph takes some
DOCUMENT = "ft.json"  # inside a .pt2 file


def write_onnx(
    path: Path, graph: Graph, inputs: Mapping[str, Column], contents: Mapping[str, Any], told: Mapping[str, Any]
) -> None:
    """graph: made for ONNX. contents, told: plain values that stand in the file beside the graph, see `onnx_file`.

    Raises ConfigError naming the layer that cannot be exported, MissingExtraError without onnx and onnxscript.
    """
    _require_onnx()
    names = [*inputs, *graph.names]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"{twice[0]} would be the name of two tensors, which ONNX does not allow; rename the column")
    size = sum(each.nbytes for each in graph.state_dict().values())
    if size > MOST_OF_ONE_FILE:
        raise ConfigError(f"an ONNX file holds at most 2 GB and these weights are {size / 1e9:.1f} GB: take torch")
    with blaming("ONNX", graph, inputs, _to_onnx):
        program = _to_onnx(trace(graph, inputs), list(inputs), graph.names)
    model = program.model_proto
    _tidy(model)
    for key, value in onnx_file.metadata(contents, told).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
        onnx_file.seal(temporary)


def _to_onnx(program: ExportedProgram, inputs: list[str] | None = None, outputs: list[str] | None = None) -> Any:
    with quiet():
        return torch.onnx.export(
            program, dynamo=True, opset_version=OPSET, input_names=inputs, output_names=outputs, verbose=False
        )


def _tidy(model: Any) -> None:
    """Without what only debugging wants, such as the paths of source files; sizes that vary by the names of columns."""
    graph = model.graph
    for each in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *model.functions):
        del each.metadata_props[:]
    for function in model.functions:
        for node in function.node:
            del node.metadata_props[:]
    del graph.value_info[:]  # follows from the rest
    names = {}
    for value in graph.input:
        batch, *others = value.type.tensor_type.shape.dim
        names[batch.dim_param] = "batch"
        names |= {each.dim_param: f"{value.name}_length" for each in others if each.dim_param}
    for value in (*graph.input, *graph.output):
        for each in value.type.tensor_type.shape.dim:
            if each.dim_param:
                each.dim_param = names.get(each.dim_param, each.dim_param)


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("writing ONNX files", "export") from error


def write_torch(
    path: Path, graph: Graph, inputs: Mapping[str, Column], contents: Mapping[str, Any], told: Mapping[str, Any]
) -> None:
    """A .pt2 file, for torch.export.load; all values as JSON among its extra files. Raises ConfigError as above."""
    with blaming("a program of torch.export", graph, inputs, lambda program: program):
        program = trace(graph, inputs)
    with replacing(path) as temporary, quiet():
        torch.export.save(
            program, temporary, extra_files={DOCUMENT: json.dumps({**told, **contents}, ensure_ascii=False)}
        )
