"""Each class equally often: the order of an epoch for classes of unlike sizes, a function of (seed, epoch) alone.

A class's examples come in turn, permutation after permutation and across epochs, so that none comes twice before all
came once. An epoch stays as long as it was; where the classes do not divide it, the extra examples go round.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ft.core.data import hashing


def balanced(classes: Tensor, seed: int, epoch: int) -> Tensor:
    """The order of an epoch over rows of these classes. classes: int64 (N,) -> int64 (N,), on the CPU.

    Each number is row + N * repeat, the repeat counting from 0 within the epoch: what augments a row tells them apart.
    A class without rows has no part.
    """
    found = torch.bincount(classes).nonzero()[:, 0].tolist()
    count = len(classes)
    each, extra = divmod(count, len(found))
    taken = []
    for index, label in enumerate(found):
        rows = (classes == label).nonzero()[:, 0]
        first, end = (e * each + _extras(e * extra, index, len(found)) for e in (epoch, epoch + 1))
        taken.append(_in_turn(rows, first, end, seed, label, count))
    order = torch.cat(taken)
    return order[hashing.shuffled(count, hashing.ORDER, seed, epoch)]


def _extras(given: int, index: int, classes: int) -> int:
    """How many of the extras given so far, dealt out in a circle, went to this class."""
    return (given - index + classes - 1) // classes


def _in_turn(rows: Tensor, first: int, end: int, seed: int, label: int, count: int) -> Tensor:
    """Places first..end of the endless sequence of the rows' permutations, with the repeats counted."""
    size = len(rows)
    rounds = range(first // size, -(-end // size))
    parts = [rows[hashing.shuffled(size, hashing.BALANCED, seed, label, turn)] for turn in rounds]
    chosen = torch.cat([*parts, rows[:0]])[first - rounds.start * size :][: end - first]
    by_row = chosen.argsort(stable=True)
    ordered = chosen[by_row]
    starts = torch.searchsorted(ordered, ordered)  # the first place of each row
    repeats = torch.empty_like(chosen)
    repeats[by_row] = torch.arange(len(chosen)) - starts
    return chosen + repeats * count
