"""Examples of which one input is exchanged among the rows: each keeps all else, and gets the value of another."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ft.core.data.loader import Examples
from ft.core.data.stored import Rows, Stored


@dataclass(frozen=True)
class Reordered:
    """The rows of a column in another order. order: int64 (N,), which row stands where."""

    rows: Rows
    order: Tensor

    def __len__(self) -> int:
        return len(self.order)

    def take(self, rows: Tensor) -> Tensor:
        return self.rows.take(self.order[rows])

    def digest(self) -> bytes:
        return self.rows.digest() + self.order.numpy().tobytes()

    @property
    def lengths(self) -> Tensor | None:
        found = self.rows.lengths
        return None if found is None else found[self.order]


def reordered(examples: Examples, name: str, order: Tensor) -> Examples:
    """The examples with row order[i] of the input `name` in row i. order: int64 (N,), on the CPU."""
    stored = examples.inputs[name]
    moved: Stored = stored[order] if isinstance(stored, Tensor) else Reordered(stored, order)
    return replace(examples, inputs={**examples.inputs, name: moved})
