"""Which example comes when: a function of (seed, epoch) alone, so there is no sampler state to save or to resume."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from ft.core.data import hashing


def permutation(seed: int, epoch: int, n: int) -> Tensor:
    """The order of an epoch: the numbers 0..n-1, each once, int64 (n,), on the CPU."""
    return hashing.shuffled(n, hashing.ORDER, seed, epoch)


def count_batches(n: int, batch_size: int, world_size: int = 1) -> int:
    """Batches in an epoch of n examples, the last short one included."""
    return -(-n // (batch_size * world_size))


def batches(order: Tensor, batch_size: int, start: int = 0, rank: int = 0, world_size: int = 1) -> Iterator[Tensor]:
    """The order cut into batches from number `start` on; each rank gets its share of every global batch.

    order: int64 (N,) -> int64 (B,) each, B <= batch_size. Every rank yields equally often; in the last batch shares
    differ by at most one example and may be empty.
    """
    together = batch_size * world_size
    for first in range(start * together, len(order), together):
        yield order[first : first + together].tensor_split(world_size)[rank]
