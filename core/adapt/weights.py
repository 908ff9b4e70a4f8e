"""Reads weights from a file: .safetensors, a torch state dict, or a checkpoint of ft. Puts them nowhere.

Never executes what a file says: torch.load only with weights_only=True.
"""

from __future__ import annotations

import argparse
import pickle
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ft.core.errors import CheckpointError

CHECKPOINT_FORMAT = "ft-checkpoint"
# Where training scripts put their state dict; the first that is there counts.
_WRAPPERS = ("weights", "state_dict", "model_state_dict", "model", "module", "net", "network", "params")
_DEEPEST = 3  # wrappers around wrappers
_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and torch.compile


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, on the CPU, in the order of the file.

    Wrappers around a state dict and the prefixes of DataParallel and torch.compile are taken off. A file with several
    networks gives the names of all, each behind its own (`student.conv1.weight`). An ft checkpoint's hash is not
    checked here; whoever reads the whole checkpoint does that.

    Raises CheckpointError when the file is missing, cut short, not of these kinds, or holds more than tensors.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    if path.suffix == ".safetensors":
        return _unwrapped(_read_safetensors(path), path)
    content = _read_torch(path)
    if isinstance(content, Mapping) and content.get("format") == CHECKPOINT_FORMAT:
        weights: Any = content.get("weights")
        if not _is_state_dict(weights):
            raise CheckpointError(f"{path} says it is a checkpoint of ft, but holds no weights")
        return dict(weights)
    return _unwrapped(content, path)


def _read_safetensors(path: Path) -> Any:
    try:
        return load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} cannot be read as .safetensors: {_short(error)}") from error


def _read_torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch remarks on old forms of pickles that it then refuses or reads
            with torch.serialization.safe_globals([argparse.Namespace]):  # the settings beside many weights; no code
                return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        text = "it is damaged, or holds more than tensors; ft runs no code of a file, save model.state_dict() instead"
        raise CheckpointError(f"{path} cannot be read as weights: {text}") from error
    except Exception as error:  # zip, pickle and torch fail in a dozen ways on a damaged file, with words like "101"
        raise CheckpointError(f"{path} cannot be read as weights: it is no torch file, or cut short") from error


def _unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dict inside of what a file held."""
    found = _inside(content, _DEEPEST)
    if found is None:
        found = dict(_gathered(content, "", _DEEPEST))
    if not found:
        keys = ", ".join(map(str, list(content)[:8])) if isinstance(content, Mapping) else type(content).__name__
        raise CheckpointError(f"{path} holds no state dict (names with tensors); it holds: {keys or 'nothing'}")
    return _without_prefixes(found)


def _inside(content: Any, depth: int) -> Mapping[str, Tensor] | None:
    """What lies in the wrappers that people agree upon; None where there is no such thing."""
    if isinstance(content, Mapping) and depth:
        for key in _WRAPPERS:
            if isinstance(content.get(key), Mapping) and (found := _inside(content[key], depth - 1)) is not None:
                return found
    return content if _is_state_dict(content) else None


def _gathered(content: Any, before: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """All tensors of nested mappings, names joined by dots; what else lies there, as a score or an epoch, is left."""
    if isinstance(content, Mapping) and depth:
        for key, value in content.items():
            if isinstance(key, str) and isinstance(value, Tensor):
                yield f"{before}{key}", value
            elif isinstance(key, str):
                yield from _gathered(value, f"{before}{key}.", depth - 1)


def _is_state_dict(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )


def _without_prefixes(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A prefix goes only when every name has it, so that a user's own child called `module` stays."""
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in weights):
            return _without_prefixes({key.removeprefix(prefix): value for key, value in weights.items()})
    return dict(weights)


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
