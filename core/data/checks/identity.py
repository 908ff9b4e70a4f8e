"""Which rows are the same: a 64-bit hash for each row of some columns, from codes that equal values share.

Cells are compared as they are written, so 5 and 5.0 differ in a text file. Two different rows of 10 million have the
same hash with a probability of 3 in a million. Pictures and sounds bring digests of their contents instead of paths.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ft.core.data.cells import Cells
from ft.core.data.hashing import GOLDEN, scramble


def joined(parts: Sequence[Cells]) -> Cells:
    """The cells of one column in several splits, one after another."""
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate([np.asarray(part) for part in parts])
    import pyarrow

    return pyarrow.chunked_array([_plain(part) for part in parts]).combine_chunks()


def same(cells: Cells) -> np.ndarray:
    """int64 (N,): equal numbers for equal cells; missing ones are equal to each other."""
    if not isinstance(cells, np.ndarray):
        return _same_in_arrow(cells)
    if cells.ndim > 1:
        flat = np.ascontiguousarray(cells).reshape(len(cells), -1)
        digests = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in flat)
        return np.frombuffer(digests, dtype="<i8").astype(np.int64)
    _, inverse = np.unique(cells, return_inverse=True)
    return inverse.astype(np.int64)


def hashes(codes: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """int64 (N,): one hash for each row of the columns whose codes these are, int64 (N,) each."""
    mixed = torch.zeros(rows, dtype=torch.int64)
    for column in codes:
        mixed = scramble(mixed * GOLDEN + torch.from_numpy(column) + 1)
    return mixed.numpy()


def repeats(identities: np.ndarray) -> np.ndarray:
    """bool (N,): whether an earlier row has the same identity."""
    _, first = np.unique(identities, return_index=True)
    repeated = np.ones(len(identities), dtype=bool)
    repeated[first] = False
    return repeated


def _plain(cells: Any) -> Any:
    """Without a dictionary, which could differ from split to split."""
    import pyarrow

    return cells.dictionary_decode() if isinstance(cells, pyarrow.DictionaryArray) else cells


def _same_in_arrow(cells: Any) -> np.ndarray:
    import pyarrow

    try:
        indices = _plain(cells).dictionary_encode().indices
    except pyarrow.ArrowNotImplementedError:  # lists and structs: by what they print as
        indices = pyarrow.array([None if v is None else repr(v) for v in cells.to_pylist()]).dictionary_encode().indices
    codes: np.ndarray = indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes
