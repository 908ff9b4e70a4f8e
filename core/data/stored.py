"""One encoded column of one split, as it lies in memory or in files: something that rows are taken from.

Most are plain tensors (N, ...). `Ragged` holds rows of different lengths without padding, `Windows` such rows that
overlap; `Files` (files.py) reads its rows when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor

PADDING = 0


class Rows(Protocol):
    """What takes rows in a way of its own, on the CPU."""

    def __len__(self) -> int: ...

    def take(self, rows: Tensor) -> Tensor:
        """rows: int64 (B,) on the CPU -> (B, ...). Raises DataError naming the file that cannot be read."""

    def digest(self) -> bytes:
        """What its contents come down to, for a fingerprint: the same for the same contents, wherever they lie."""

    @property
    def lengths(self) -> Tensor | None:
        """int64 (N,): how long each row is, where rows differ, for batches of like lengths; else None."""


Stored: TypeAlias = "Tensor | Rows"


@dataclass(frozen=True)
class Ragged:
    """Rows of token numbers, one after another. values: int32 (S,). offsets: int64 (N + 1,), where each row begins."""

    values: Tensor
    offsets: Tensor

    @classmethod
    def of(cls, lengths: np.ndarray, values: np.ndarray) -> Ragged:
        """lengths: (N,), which add up to the number of values."""
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(torch.from_numpy(values.astype(np.int32)), torch.from_numpy(offsets))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Tensor:
        return self.offsets.diff()

    def take(self, rows: Tensor) -> Tensor:
        """int64 (B, T), filled with 0 behind each row up to the longest, and never narrower than 1."""
        return _padded(self.values, self.offsets[rows], self.offsets[rows + 1])

    def owners(self) -> Tensor:
        """The row of each value: int64 (S,)."""
        return torch.arange(len(self)).repeat_interleave(self.lengths)

    def row(self, index: int) -> Tensor:
        """int32 (T,): one row as it is."""
        return self.values[int(self.offsets[index]) : int(self.offsets[index + 1])]

    def digest(self) -> bytes:
        return self.values.numpy().tobytes() + self.offsets.numpy().tobytes()


@dataclass(frozen=True)
class Windows:
    """Rows that are stretches of one long row and may overlap, as what somebody did before each thing they did.

    values: int32 (S,). starts, ends: int64 (N,), where each row begins and where it is over.
    """

    values: Tensor
    starts: Tensor
    ends: Tensor

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> Tensor:
        return self.ends - self.starts

    def take(self, rows: Tensor) -> Tensor:
        """As Ragged's."""
        return _padded(self.values, self.starts[rows], self.ends[rows])

    def digest(self) -> bytes:
        return b"".join(part.numpy().tobytes() for part in (self.values, self.starts, self.ends))


def _padded(values: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """The stretches of `values` from each start to its end, as int64 (B, T) of the longest and at least 1 wide."""
    if not len(values):
        return torch.full((len(starts), 1), PADDING)
    lengths = ends - starts
    places = torch.arange(max([1, *lengths.tolist()]))  # (T,)
    inside = places < lengths[:, None]  # (B, T)
    at = (starts[:, None] + places).mul_(inside)  # outside: any token, which becomes padding below
    return values.take(at).masked_fill_(~inside, PADDING).long()


def take(stored: Stored, rows: Tensor) -> Tensor:
    """Rows of a column. rows: int64 (B,), where the column lies: the CPU for all but tensors."""
    return stored.index_select(0, rows) if isinstance(stored, Tensor) else stored.take(rows)
