"""What a model knows of an input before any example arrives: its kind, its shape, how many indices. No data, no names.

So models never import columns: whoever assembles an experiment reads the forms off the columns and hands them over.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Shape = tuple[int, ...]

_UNEVEN = ("text", "set", "history")  # their second axis is as long as a batch's longest row


@dataclass(frozen=True)
class InputForm:
    """One input as the model sees it.

    kind: the type of its column: number, vector, category, set, history, text, date, image or audio.
    shape: of one example, without the batch; (max_length,) for a text, () for a category.
    cardinality: how many different indices an int64 input can take, padding and unknown among them; None for floats.
    flagged: whether the last axis ends with flags that say which values are missing.
    """

    kind: str
    shape: Shape
    cardinality: int | None = None
    flagged: bool = False

    @property
    def flags(self) -> int:
        """How many of the last axis are flags: a date has one, a number or vector one for each value."""
        if not self.flagged:
            return 0
        return 1 if self.kind == "date" else self.shape[-1] // 2

    @property
    def is_uneven(self) -> bool:
        """Whether batches differ in the length of the second axis."""
        return self.kind in _UNEVEN

    def zeros(self, count: int, device: torch.device | str = "cpu") -> Tensor:
        """(count, *shape): examples of nothing, float32 or int64, to try a network out with."""
        dtype = torch.float32 if self.cardinality is None else torch.int64
        return torch.zeros((count, *self.shape), dtype=dtype, device=device)
