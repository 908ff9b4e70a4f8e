"""Rows of validation or test that training holds too, told in a note whenever data are prepared.

Rows are compared as they lie encoded, by a 64-bit hash each: their words, mixed, times weights that a hash gives
(multilinear hashing: Carter and Wegman, Universal Classes of Hash Functions, 1979), then scrambled. That takes
some hundredths of a second for 70,000 small pictures. Files that are read only when asked for are not compared, nor is
a ranking, where a user may choose one thing twice. Which rows they are, and whether they are copies, `ft data check`
tells.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ft.core.data.checks.identity import hashes
from ft.core.data.checks.repeats import LEAKED
from ft.core.data.hashing import GOLDEN, scramble
from ft.core.data.loader import Examples
from ft.core.data.stored import Ragged, Stored

BLOCK = 1 << 20  # bytes hashed at once: they and their words stay in the processor's cache
ROWS = 4_096  # of texts, likewise
WORD = 8  # bytes
_SPREAD = np.uint64(GOLDEN & (2**64 - 1))
PAIRS = (("val", "train", "training"), ("test", "train", "training"), ("test", "val", "validation"))


def leak_notes(examples: Mapping[str, Examples]) -> list[str]:
    """A line for each two splits that share LEAKED of the rows or more, inputs and targets alike."""
    columns = [stored for some in examples.values() for stored in some.inputs.values()]
    if len(examples) < 2 or not all(isinstance(stored, Tensor | Ragged) for stored in columns):
        return []
    rows = {split: row_hashes(some) for split, some in examples.items()}
    notes = []
    for split, other, called in PAIRS:
        if split not in rows or other not in rows:
            continue
        count = int(np.isin(rows[split], rows[other]).sum())
        if count and count >= LEAKED * len(rows[split]):
            told = f"{count:,} of {len(rows[split]):,} rows equal {called} rows, inputs and answer alike"
            notes.append(f"{split}: {told}; ft data check shows them")
    return notes


def row_hashes(examples: Examples) -> np.ndarray:
    """int64 (N,): equal for rows whose inputs and targets are equal. The columns are tensors and Ragged."""
    columns = [*sorted(examples.inputs.items()), *sorted(examples.targets.items())]
    return hashes([_hashed(stored) for _, stored in columns], len(examples))


def _hashed(stored: Stored) -> np.ndarray:
    """int64 (N,): of one column."""
    if isinstance(stored, Tensor):
        return _of_words(np.ascontiguousarray(stored.numpy()).reshape(len(stored), -1))
    assert isinstance(stored, Ragged), "columns of files are not hashed"
    return np.concatenate([_of_tokens(stored, start) for start in range(0, len(stored), ROWS)])


def _of_words(array: np.ndarray) -> np.ndarray:
    """(N, K) of any dtype -> int64 (N,)."""
    width = array.shape[1] * array.itemsize
    weights = _weights(-(-width // WORD))
    result = np.empty(len(array), dtype=np.uint64)
    step = max(1, BLOCK // max(1, width))
    for start in range(0, len(array), step):
        raw = array[start : start + step].view(np.uint8)  # (n, width)
        if width % WORD:
            raw = np.pad(raw, ((0, 0), (0, -width % WORD)))
        words = raw.view(np.uint64)
        # A product carries upwards only, and floats often differ in high bits alone: these are folded down first.
        mixed = words ^ (words >> np.uint64(29))
        mixed *= _SPREAD
        mixed ^= mixed >> np.uint64(32)
        result[start : start + step] = mixed @ weights
    return result.view(np.int64)


def _of_tokens(stored: Ragged, start: int) -> np.ndarray:
    """int64 (n,), of some rows: a sum over the tokens of each, mixed with their places, and over its length."""
    offsets = stored.offsets[start : start + ROWS + 1]
    values = stored.values[int(offsets[0]) : int(offsets[-1])].long()  # (S,)
    offsets = offsets - offsets[0]
    lengths = offsets.diff()
    places = torch.arange(len(values)) - torch.repeat_interleave(offsets[:-1], lengths)
    mixed = scramble((places << 32 ^ values) * GOLDEN + 1)
    sums = torch.cat([mixed.new_zeros(1), mixed.cumsum(0)])  # wraps, and so do its differences; rows may be empty
    return (sums[offsets].diff() + scramble(lengths)).numpy()


def _weights(count: int) -> np.ndarray:
    """uint64 (count,), odd, so that no product loses a bit; the same every time."""
    weights: np.ndarray = scramble(torch.arange(1, count + 1) * GOLDEN).numpy().view(np.uint64)
    return weights | np.uint64(1)
