"""Weights as safetensors and beside them a JSON document with all else that a checkpoint holds: settings, classes, what
was fitted to the columns. Both are read without torch's own format; a checksum in the document is of both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ft.core.engine.checkpoint import digest
from ft.core.errors import CheckpointError
from ft.core.ship.replacing import replacing

FORMAT, VERSION = "ft-safetensors", 1
_TENSOR = "tensor:"  # a value of the JSON that lies among the tensors: this and its name there


def write_safetensors(path: Path, weights: Mapping[str, Tensor], contents: Mapping[str, Any]) -> None:
    """The weights, by their names in the network, and beside them `.json` with all else. contents: may hold tensors."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    told = _apart(contents, "", tensors)
    whole = {"format": FORMAT, "format_version": VERSION, **told}
    weights = {name: value.contiguous().clone() for name, value in weights.items()}  # tied ones may not share memory
    together = {**weights, **{f"{_TENSOR}{name}": value.contiguous() for name, value in tensors.items()}}
    whole["sha256"] = digest({"weights": together, "contents": told})
    with replacing(path) as temporary:
        temporary.write_bytes(save(together, {"format": "pt"}))
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_safetensors(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, of weights that lie beside their JSON. Raises CheckpointError."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    beside = path.with_suffix(".json")
    try:
        whole = json.loads(beside.read_text(encoding="utf-8"))
        tensors = load(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{error.filename} is missing: ft export writes weights and a .json beside them"
        ) from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} or {beside.name} cannot be read: cut short, damaged or no such file") from error
    if not isinstance(whole, dict) or (whole.pop("format", None), whole.pop("format_version", None)) != (
        FORMAT,
        VERSION,
    ):
        raise CheckpointError(f"{beside} was not written by this ft: export the model anew")
    if whole.pop("sha256", None) != digest({"weights": tensors, "contents": whole}):
        raise CheckpointError(f"{path} is damaged or {beside.name} belongs to other weights: the checksum differs")
    weights = {name: value for name, value in tensors.items() if not name.startswith(_TENSOR)}
    contents = _together(whole, tensors)
    assert isinstance(contents, dict)
    return {**contents, "weights": weights}


def _apart(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The value as JSON has it, its tensors put among the others."""
    if isinstance(value, Tensor):
        tensors[name] = value
        return f"{_TENSOR}{name}"
    if isinstance(value, Mapping):
        return {str(key): _apart(inner, f"{name}/{key}", tensors) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_apart(inner, f"{name}/{place}", tensors) for place, inner in enumerate(value)]
    return value


def _together(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, str) and value in tensors:
        return tensors[value]
    if isinstance(value, dict):
        return {key: _together(inner, tensors) for key, inner in value.items()}
    return [_together(inner, tensors) for inner in value] if isinstance(value, list) else value
