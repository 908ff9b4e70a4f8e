"""What a source gives as one column, and the few ways in which columns read it: as numbers, names, texts or lists.

A column is a NumPy array or, from a table, an Arrow array: text then stays in one buffer, not in a Python object for
each row, and may be missing. Nothing here imports Arrow; who holds such an array has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import pyarrow

Cells: TypeAlias = "np.ndarray | pyarrow.Array"
CHUNK = 16_384  # rows that are Python objects at one time


def take(cells: Cells, rows: np.ndarray) -> Cells:
    """The cells of some rows, copied. rows: int64 (M,)."""
    if isinstance(cells, np.ndarray):
        taken: np.ndarray = cells[rows]
        return taken
    return cells.take(rows)


def is_missing(cells: Cells) -> np.ndarray:
    """bool (N,): Arrow's nulls, NaN among floats and NaT among dates; an array of other kinds misses nothing."""
    if not isinstance(cells, np.ndarray):
        return np.asarray(cells.is_null(nan_is_null=True).to_numpy(zero_copy_only=False), dtype=bool)
    if cells.dtype.kind in "fM":
        return np.asarray(np.isnan(cells).reshape(len(cells), -1).any(axis=1))  # isnan knows NaT
    return np.zeros(len(cells), dtype=bool)


def codes(cells: Cells) -> tuple[np.ndarray, list[str]]:
    """Each cell as a code into a list of names: int64 (N,), -1 where missing. Names are in the order they come in.

    Numbers are named by their digits, truth by true and false. NumPy text, integers and truth, or any Arrow type.
    """
    if isinstance(cells, np.ndarray):
        found, inverse = np.unique(cells.reshape(-1), return_inverse=True)
        return inverse.astype(np.int64), [_name(value) for value in found.tolist()]
    encoded = cells.dictionary_encode() if not hasattr(cells, "dictionary") else cells
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return indices, [_name(value) for value in encoded.dictionary.to_pylist()]


def texts(cells: Cells, missing: str = "") -> Iterator[str]:
    """Each cell as text, `missing` where there is none; a few thousand Python objects at a time."""
    for start in range(0, len(cells), CHUNK):
        chunk = cells[start : start + CHUNK]
        values = chunk.tolist() if isinstance(chunk, np.ndarray) else chunk.to_pylist()
        yield from (missing if value is None else _name(value) for value in values)


def lists(cells: Cells, separator: str) -> Iterator[list[str]]:
    """Each cell as the names in it: the entries of a list, or a text cut at the separator; spaces around them go."""
    for start in range(0, len(cells), CHUNK):
        chunk = cells[start : start + CHUNK]
        values = chunk.tolist() if isinstance(chunk, np.ndarray) else chunk.to_pylist()
        for value in values:
            named = value if isinstance(value, list) or value is None else _name(value).split(separator)
            parts: Sequence[Any] = named or ()
            yield [name for part in parts if part is not None and (name := _name(part).strip())]


def _name(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value).lower() if isinstance(value, bool) else str(value)
