"""What `ft export` wrote, opened again: an ONNX file or safetensors, judged and asked like a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ft.core.config.load import load_resolved
from ft.core.errors import CheckpointError, ConfigError
from ft.core.ship.onnx_model import OnnxModel
from ft.core.ship.tensors_file import read_safetensors
from ft.core.stages.subject import KEYS, Subject, open_subject

MADE_FOR_OTHERS = (".pt2",)
_ONNX_TAKES = {"device": ("auto", "cpu"), "precision": ("auto", "fp32")}


def open_judged(
    path: Path, overrides: Sequence[str] = (), python: Path | None = None, adapter: Path | None = None
) -> Subject:
    """As `open_subject`, and of what `ft export` wrote a subject that can be judged and asked, no more than that."""
    if path.suffix in MADE_FOR_OTHERS and path.is_file():
        raise ConfigError(f"{path} is for torch.export.load, which ft does not use: such files can hold code")
    if path.suffix not in (".onnx", ".safetensors") or path.is_dir():
        return open_subject(path, overrides, python, adapter)
    if not path.exists():
        raise ConfigError(f"there is no file or run {path}")
    if python is not None or adapter is not None:
        option = "--python" if python is not None else "--adapter"
        raise ConfigError(f"{option}: what is exported is whole and takes nothing beside it")
    return _onnx(path, overrides) if path.suffix == ".onnx" else _safetensors(path, overrides)


def _onnx(path: Path, overrides: Sequence[str]) -> Subject:
    model = OnnxModel.open(path, overrides)
    for given in model.loaded.overrides:
        name = str(given[0])
        wish = getattr(model.loaded.experiment, name)
        if name in _ONNX_TAKES and wish not in _ONNX_TAKES[name]:
            raise ConfigError(f"{name}={wish}: ft runs ONNX files on the CPU, in fp32")
    return Subject(model.loaded, {**model.contents, "onnx": model}, path)


def _safetensors(path: Path, overrides: Sequence[str]) -> Subject:
    checkpoint = read_safetensors(path)
    if missing := [key for key in KEYS if key not in checkpoint]:
        raise CheckpointError(f"{path} lacks {', '.join(missing)}: export the model anew")
    loaded = load_resolved(checkpoint["experiment"], overrides, name=str(path))
    if loaded.experiment.model.python is not None:
        raise ConfigError(f"the model in {path} is built by your own code: judge its checkpoint, with --python")
    return Subject(loaded, checkpoint, path)
