"""Adapters in files of their own, named as peft names them: a folder that `PeftModel.from_pretrained` reads too.

    adapter_model.safetensors   base_model.model.<layer>.lora_A.weight, …; the last layer's tensors, whole
    adapter_config.json         r, lora_alpha, target_modules, modules_to_save, use_dora, …

Whatever else ft needs to know stands in the metadata of the .safetensors file, which peft passes over, as JSON. Reads
tensors and text, so nothing in such a file can run. Knows nothing of checkpoints.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ft.core.adapt.adapters import Adapters
from ft.core.errors import CheckpointError, ConfigError, ResourceError

TENSORS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."
MAGNITUDE = ".lora_magnitude_vector"
KEY = "ft"  # of the metadata
_TENSOR = "$tensor"


def write_adapter(
    folder: Path, tensors: Mapping[str, Tensor], adapters: Adapters, base: str | None, told: Mapping[str, Any]
) -> None:
    """Write both files into `folder`, which is made; each is replaced whole.

    tensors: by their names in the network. base: what peft calls base_model_name_or_path. told: plain values and
    tensors that `read_adapter` gives back. Raises ResourceError when it cannot be written.
    """
    named = {f"{PREFIX}{name}": _as_peft(name, tensors).contiguous() for name in tensors}
    content = save(named, {"format": "pt", KEY: json.dumps(_plain(told))})
    try:
        folder.mkdir(exist_ok=True)
        _replace(folder / TENSORS, content)
        _replace(folder / CONFIG, (json.dumps(_config(adapters, base), indent=2) + "\n").encode())
    except OSError as error:
        raise ResourceError(f"cannot write the adapter {folder}: {error.strerror or error}") from error


def read_adapter(path: Path) -> tuple[dict[str, Tensor], Any]:
    """Tensors by their names in the network, and what `write_adapter` was told. path: the .safetensors file.

    Raises CheckpointError for what is cut short, or was not written by ft.
    """
    try:
        with safe_open(path, "pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        told = json.loads(metadata[KEY], object_hook=_tensor)
    except KeyError as error:
        raise CheckpointError(f"{path} holds no adapter of ft: what it was trained on does not stand in it") from error
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} cannot be read as an adapter: it is cut short, damaged or none") from error
    return {name.removeprefix(PREFIX): _from_peft(name, value) for name, value in tensors.items()}, told


def adapter_path(path: Path) -> Path:
    """The .safetensors file of a file, of an adapter's folder or of a run. Raises ConfigError where there is none."""
    for file in (path, path / TENSORS, path / "checkpoints" / "adapter" / TENSORS):
        if file.is_file():
            return file
    raise ConfigError(f"there is no adapter {path}: expected a .safetensors file, its folder, or a run that has one")


# ---------------------------------------------------------------- peft's form


def _config(adapters: Adapters, base: str | None) -> dict[str, Any]:
    """target_modules is an expression, for peft takes the names of a list as endings of paths too."""
    alpha = int(adapters.alpha) if adapters.alpha == int(adapters.alpha) else adapters.alpha
    return {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": base,
        "r": adapters.rank,
        "lora_alpha": alpha,
        "lora_dropout": adapters.dropout,
        "use_dora": adapters.dora,
        "target_modules": "|".join(map(re.escape, adapters.layers)),
        "modules_to_save": list(adapters.heads) or None,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "inference_mode": True,
    }


def _as_peft(name: str, tensors: Mapping[str, Tensor]) -> Tensor:
    """DoRA's magnitudes of a convolution have four axes there."""
    value = tensors[name]
    first = tensors.get(f"{name.removesuffix(MAGNITUDE)}.lora_A.weight")
    spread = name.endswith(MAGNITUDE) and first is not None and first.dim() == 4
    return value.reshape(1, -1, 1, 1) if spread else value


def _from_peft(name: str, value: Tensor) -> Tensor:
    return value.reshape(-1) if name.endswith(MAGNITUDE) else value


# ---------------------------------------------------------------- values and tensors as JSON


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Tensor):
        return {
            _TENSOR: str(value.dtype).removeprefix("torch."),
            "shape": list(value.shape),
            "values": value.flatten().tolist(),
        }
    return value


def _tensor(value: dict[str, Any]) -> Any:
    if _TENSOR not in value:
        return value
    return torch.tensor(value["values"], dtype=getattr(torch, value[_TENSOR])).reshape(value["shape"])


def _replace(path: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    temporary.chmod(0o644)  # temporary files are private, a run's are not
    temporary.replace(path)
