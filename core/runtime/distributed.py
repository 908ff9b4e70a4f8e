"""Which process this is, of how many, and sums over all of them.

Everything works, unchanged, in one process without torch.distributed; starting process groups is not done here.
"""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if _running() else 0


def world_size() -> int:
    """How many processes work together; 1 without torch.distributed."""
    return dist.get_world_size() if _running() else 1


def all_reduce_sum(tensor: Tensor) -> Tensor:
    """The sum of `tensor` over all processes, the same in each. The argument is not changed; not differentiable.

    Every process must call it, in the same order, with the same shape and dtype. One process gets its tensor back.
    """
    if world_size() == 1:
        return tensor
    total = tensor.detach().clone()
    dist.all_reduce(total, op=dist.ReduceOp.SUM)
    return total


def _running() -> bool:
    return dist.is_available() and dist.is_initialized()
