"""Small columns side by side in one matrix of each type, so that a batch gathers once where it would gather per column.

A gather of a few hundred rows costs as much as its call: twenty of them are a third of a small model's step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

LIMIT = 1 << 30  # bytes of a stored column: a larger one is gathered and prepared batch by batch, not kept twice


@dataclass(frozen=True)
class Packed:
    """matrix: (N, sum of widths). names, shapes: of the columns in it, in order; a shape without the batch."""

    matrix: Tensor
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, columns: Mapping[str, Tensor]) -> Packed:
        """columns: (N, ...) each, of one dtype and device. A single one is taken as it is, without a copy."""
        flat = [column.flatten(1) if column.ndim > 1 else column[:, None] for column in columns.values()]
        matrix = flat[0] if len(flat) == 1 else torch.cat(flat, dim=1)
        return cls(matrix, tuple(columns), tuple(tuple(column.shape[1:]) for column in columns.values()))

    def gather(self, rows: Tensor, device: torch.device) -> dict[str, Tensor]:
        """rows: int64 (B,), where the matrix lies -> views (B, *shape) of one new tensor on the device, by name."""
        gathered = self.matrix.index_select(0, rows).to(device)
        if not any(self.shapes):  # nothing but scalars
            return dict(zip(self.names, gathered.unbind(1), strict=True))
        pieces = gathered.split_with_sizes([math.prod(shape) for shape in self.shapes], dim=1)
        return {
            name: piece if len(shape) == 1 else piece.view(len(rows), *shape)
            for name, shape, piece in zip(self.names, self.shapes, pieces, strict=True)
        }


def pack(columns: Mapping[str, Tensor]) -> list[Packed]:
    """One matrix for each dtype among the columns, (N, ...) each."""
    by_type: dict[torch.dtype, dict[str, Tensor]] = {}
    for name, column in columns.items():
        by_type.setdefault(column.dtype, {})[name] = column
    return [Packed.of(group) for group in by_type.values()]
