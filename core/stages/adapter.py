"""Checkpoints whose network has adapters: read as plain ones, kept small beside their base, merged for good.

A checkpoint with adapters needs nothing beside it: it holds the base's weights too. Whoever reads one (`plain`) gets
the weights with the adapters merged in, so judging, answering and further fine-tuning need to know nothing of them;
a run that goes on takes its loop's own state, in which they are apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ft.core.adapt.adapter_file import adapter_path, read_adapter, write_adapter
from ft.core.adapt.adapters import Adapters, is_adapter, merged_weights
from ft.core.engine.checkpoint import digest, load_checkpoint
from ft.core.errors import CheckpointError

FOLDER = "adapter"  # beside best.pt


@dataclass(frozen=True)
class Small:
    """An adapter of a base. tensors: its own and the last layers'. head: all else of the checkpoint it is a part of.

    base: digest of the weights it was trained beside.
    """

    path: Path
    tensors: dict[str, Tensor]
    head: dict[str, Any]
    base: str

    @property
    def adapters(self) -> Adapters:
        return Adapters.from_dict(self.head["adapter"])


def plain(checkpoint: dict[str, Any], path: Path) -> dict[str, Any]:
    """The checkpoint with its adapters merged into its weights; itself where it has none. Raises CheckpointError."""
    if checkpoint.get("adapter") is None:
        return checkpoint
    try:
        weights = merged_weights(checkpoint["weights"], Adapters.from_dict(checkpoint["adapter"]))
    except (KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{path}: its adapters do not fit its weights: {error}") from error
    return {**checkpoint, "weights": weights}


def keep_small(best: Path) -> Path:
    """Write the adapters of a checkpoint that has some beside it, in a folder of their own. Raises ResourceError."""
    checkpoint = load_checkpoint(best)
    adapters = Adapters.from_dict(checkpoint["adapter"])
    weights = checkpoint.pop("weights")
    checkpoint.pop("resume", None)
    own = {key: value for key, value in weights.items() if _is_own(key, adapters)}
    base = digest({key: value for key, value in weights.items() if key not in own})
    told = {"head": checkpoint, "base": base, "sha256": digest({"tensors": own, "head": checkpoint})}
    write_adapter(best.parent / FOLDER, own, adapters, checkpoint["parent"], told)
    return best.parent / FOLDER


def open_small(path: Path) -> Small:
    """Read an adapter. path: its file, its folder, or its run. Raises ConfigError, CheckpointError."""
    file = adapter_path(path)
    tensors, told = read_adapter(file)
    try:
        head, base, claimed = dict(told["head"]), str(told["base"]), told["sha256"]
        small = Small(file, tensors, head, base)
        whole = claimed == digest({"tensors": tensors, "head": head}) and bool(small.adapters.layers)
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{file} holds no adapter of this version of ft") from error
    if not whole:
        raise CheckpointError(f"{file} is damaged: its contents do not match its checksum")
    return small


def on_base(base: Mapping[str, Any], small: Small, path: Path) -> dict[str, Any]:
    """The plain checkpoint that base and adapter make: the adapter's settings, columns and classes on the base's
    weights. base: a plain checkpoint. Raises CheckpointError when the adapter was trained beside other weights.
    """
    kept = {key: value for key, value in base["weights"].items() if not _is_own(key, small.adapters)}
    if digest(kept) != small.base:
        parent = small.head.get("parent")
        raise CheckpointError(
            f"the adapter {small.path} was trained beside other weights than those of {path}"
            + (f"; it began with {parent}" if parent else "")
        )
    return plain({**small.head, "weights": {**kept, **small.tensors}}, small.path)


def _is_own(key: str, adapters: Adapters) -> bool:
    """Whether a name of the state dict is not the base's: an adapter's, or a last layer's."""
    return is_adapter(key, adapters.layers) or key.rpartition(".")[0] in adapters.heads
