"""A dispatch mode that refuses on the CPU what other devices cannot do, or cannot do without waiting for the host."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Strict(TorchDispatchMode):
    """Refuses what MPS lacked, adding int64 by index, and what makes a GPU wait for the host."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        assert name not in ("_local_scalar_dense", "nonzero", "bincount"), f"{name} waits for the device"
        if name in ("index_add", "index_add_", "scatter_add", "scatter_add_", "index_put", "index_put_"):
            assert args[0].dtype in (torch.float32, torch.int32), f"{name} of {args[0].dtype}"
        return func(*args, **(kwargs or {}))
