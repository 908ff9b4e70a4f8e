"""One `.pt` file that holds everything: written whole or not at all, and known to be whole when read.

The file is a plain `torch.save` dict that loads with `weights_only=True`, so nothing in it can run. A flipped byte
inside a tensor loads without a word (torch checks no sums), so the dict carries a SHA-256 of its own contents: over
sorted (path, dtype, shape, bytes) of every tensor and a canonical JSON of everything else.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ft.core.errors import CheckpointError, ResourceError

FORMAT = "ft-checkpoint"
VERSION = 1


class NotACheckpointError(CheckpointError):
    """A whole torch file that ft did not write: plain weights, perhaps."""


def save_checkpoint(path: Path, contents: dict[str, Any], put: Callable[[Path], object] | None = None) -> None:
    """Write `contents` (nested dicts, lists, tensors, plain values) to `path`: beside it, fsynced, then renamed.

    Whatever happens, `path` is the old file or the new one. put: moves the whole new file to its place, where that is
    more than a rename. Raises ResourceError when it cannot be written.
    """
    whole = {"format": FORMAT, "format_version": VERSION, **contents}
    whole["sha256"] = digest(whole)
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            torch.save(whole, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)  # temporary files are private, a run's are not
        temporary.replace(path) if put is None else put(temporary)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:  # torch's zip writer reports a full disk as RuntimeError
        if isinstance(error.__context__, KeyboardInterrupt):  # the zip writer, closing half a file, hides it
            raise error.__context__ from None
        size, free = _size(contents), _free(path.parent)
        why = getattr(error, "strerror", None) or (f"the disk is full ({error})" if free < size else str(error))
        earlier = "; an earlier one is whole" if path.exists() else ""
        room = f"it takes {size / 1e6:,.1f} MB, {free / 1e6:,.1f} MB are free"
        raise ResourceError(f"cannot write the checkpoint {path} ({room}): {why}{earlier}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read and verify a checkpoint on the CPU. Raises CheckpointError: missing, cut short, altered, or not ft's."""
    try:
        whole = _read(path)
    except FileNotFoundError:
        raise CheckpointError(f"there is no checkpoint {path}") from None
    except IsADirectoryError:
        raise CheckpointError(f"{path} is a folder, not a checkpoint") from None
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path} is not a checkpoint of ft: it holds Python objects, which ft never loads, or is no torch file"
        ) from error
    except Exception as error:  # a damaged archive fails in a dozen ways, IndexError and TypeError among them
        raise CheckpointError(f"{path} cannot be read: it is cut short, damaged or no checkpoint") from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise NotACheckpointError(
            f"{path} holds no ft checkpoint (plain weights can start a fine-tuning: --from {path})"
        )
    if whole.get("format_version") != VERSION:
        raise CheckpointError(
            f"{path} has format version {whole.get('format_version')}; this ft reads version {VERSION}"
        )
    claimed = whole.pop("sha256", None)
    if claimed != digest(whole):
        raise CheckpointError(f"{path} is damaged: its contents do not match its checksum")
    return whole


def _read(path: Path) -> Any:
    with warnings.catch_warnings():  # torch remarks on pickles of other kinds before it refuses them
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def digest(contents: dict[str, Any]) -> str:
    """SHA-256, in hex, of a nested structure. The order of dict keys and the layout of tensors do not matter."""
    sha, plain = hashlib.sha256(), []
    for path, leaf in sorted(_leaves(contents, ""), key=lambda item: item[0]):
        if isinstance(leaf, Tensor):
            sha.update(f"{path}\0{leaf.dtype}\0{tuple(leaf.shape)}\0".encode())
            sha.update(_bytes(leaf))
        else:
            plain.append((path, leaf))
    sha.update(json.dumps(plain, ensure_ascii=True, separators=(",", ":")).encode())
    return sha.hexdigest()


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """(path, leaf) pairs. Keys show their type, so 1 and "1" differ; empty containers are leaves."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}/{key!r}")
    elif isinstance(value, (list, tuple)) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/[{index}]")
    else:
        yield path, list(value) if isinstance(value, tuple) else value


def _bytes(tensor: Tensor) -> bytes | memoryview:
    """The tensor's values in row-major order; through uint8 because numpy has no bfloat16."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return np.asarray(flat.view(torch.uint8)).data


def _size(contents: Any) -> int:
    """Bytes of all tensors; those that share their memory are written once."""
    tensors = (leaf for _, leaf in _leaves(contents, "") if isinstance(leaf, Tensor))
    return sum({each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}.values())


def _free(folder: Path) -> int:
    """Bytes free on the folder's disk; 0 where that cannot be told."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
