"""Which example comes when: a function of (seed, epoch) alone, so there is no sampler state to save or to resume.

Where rows differ in length, batches of like lengths: padding is the cost of text.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ft.core.data import hashing

SORTED_TOGETHER = 50  # batches: enough that lengths in one hardly differ, few enough that batches vary between epochs
BATCHES = 1  # last part of a key: the order of batches, not of examples


def permutation(seed: int, epoch: int, n: int) -> Tensor:
    """The order of an epoch: the numbers 0..n-1, each once, int64 (n,), on the CPU."""
    return hashing.shuffled(n, hashing.ORDER, seed, epoch)


def bucketed(order: Tensor, lengths: Tensor, together: int, seed: int, epoch: int) -> Tensor:
    """An order whose batches of `together` hold examples of like lengths. order, lengths: int64 (N,) -> int64 (N,).
    A number of the order that is no row is one plus a multiple of N (balanced.py).

    Every 50 batches in a row are sorted by length and cut anew, then all batches are shuffled. What is left over for
    the last, short batch stays there: the last of the order, of any lengths.
    """
    full = len(order) // together * together
    spans = batches(order[:full], SORTED_TOGETHER * together)
    by_length = [span[lengths[span % len(lengths)].argsort(stable=True)] for span in spans]
    whole = torch.cat([*by_length, order[:0]]).view(-1, together)  # (batches, together)
    whole = whole[hashing.shuffled(len(whole), hashing.ORDER, seed, epoch, BATCHES)]
    return torch.cat([whole.flatten(), order[full:]])


def longest_first(lengths: Tensor) -> Tensor:
    """All rows, the longest first as it needs most memory, equal ones as they lie: int64 (N,)."""
    return lengths.argsort(descending=True, stable=True)


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
        whole = order[first : first + together]
        yield whole if world_size == 1 else whole.tensor_split(world_size)[rank]
