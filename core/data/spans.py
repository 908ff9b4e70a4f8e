"""Small columns gathered for many batches at once, of which each batch then is a view.

A gather of a few hundred rows costs as much as its call: one for each column and batch is a tenth of a small model's
step. Which batches are gathered together follows from their numbers alone, so that a resumed epoch has them at the same
places in memory: vectorised kernels may give other last bits at other alignments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

import torch
from torch import Tensor

from ft.core.runtime.device import send

Name = TypeVar("Name")

BYTES = 1 << 20  # of all columns in one span: what stays in a cache until it is used
MOST_BATCHES = 64


@dataclass(frozen=True)
class Spans(Generic[Name]):
    """columns: (N, ...) each, on `home`. batches: how many are gathered at once. device: where they go."""

    columns: Mapping[Name, Tensor]
    batches: int
    home: torch.device
    device: torch.device

    @classmethod
    def of(
        cls, columns: Mapping[Name, Tensor], batch_size: int, home: torch.device, device: torch.device
    ) -> Spans[Name]:
        row = sum(column[:1].nbytes for column in columns.values())
        return cls(columns, min(MOST_BATCHES, max(1, BYTES // max(1, row * batch_size))), home, device)

    def first(self, start: int) -> int:
        """The number of the batch with which the span of batch `start` begins."""
        return start - start % self.batches

    def take(self, rows: Tensor) -> dict[Name, Tensor]:
        """Some rows, int64 (B,), on the CPU, by column; their places in memory are their own."""
        at = send(rows, self.home)
        return {name: send(column.index_select(0, at), self.device) for name, column in self.columns.items()}

    def gather(self, cut: Iterator[Tensor]) -> Iterator[dict[Name, Tensor]]:
        """Each batch's rows, by column. cut: the rows of every batch from a `first` one on, int64 (B,), on the CPU."""
        while some := list(islice(cut, self.batches)):
            sizes = [len(rows) for rows in some]
            at = send(torch.cat(some), self.home)
            parts = {
                name: send(column.index_select(0, at), self.device).split_with_sizes(sizes)
                for name, column in self.columns.items()
            }
            for place in range(len(some)):
                yield {name: batches[place] for name, batches in parts.items()}
