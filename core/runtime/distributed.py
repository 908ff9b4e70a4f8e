"""Which process this is, of how many; sums over all of them, and rows of all of them.

Everything works, unchanged, in one process without torch.distributed; starting process groups is not done here.
"""

from __future__ import annotations

import torch
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


def all_gather_rows(tensor: Tensor) -> Tensor:
    """The rows of all processes, (N, ...) each, one after the other in the order of the ranks; the same in each.

    Processes may bring different numbers of rows, also none; the other axes and the dtype must agree. Costs the
    largest number of rows, times the processes. One process gets its tensor back.
    """
    if world_size() == 1:
        return tensor
    own = tensor.detach().contiguous()
    counts = [torch.zeros(1, dtype=torch.int64, device=own.device) for _ in range(world_size())]
    dist.all_gather(counts, torch.tensor([len(own)], device=own.device))
    rows = [int(count) for count in counts]
    padded = own.new_zeros((max(rows), *own.shape[1:]))  # backends gather equal shapes only
    padded[: len(own)] = own
    parts = [torch.empty_like(padded) for _ in rows]
    dist.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, rows, strict=True)])


def _running() -> bool:
    return dist.is_available() and dist.is_initialized()
