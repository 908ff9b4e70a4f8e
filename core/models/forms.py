"""What a model knows of an input before any example arrives: its kind, its shape, how many indices. No data, no names.

So models never import columns: whoever assembles an experiment reads the forms off the columns and hands them over.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Shape = tuple[int, ...]

_UNEVEN = ("text", "set")  # their second axis is as long as a batch's longest row
_VALUES = {"number": 1, "date": 7}  # what lies behind them is the flag of a missing value


@dataclass(frozen=True)
class InputForm:
    """One input as the model sees it.

    kind: the type of its column: number, vector, category, set, text, date, image or audio.
    shape: of one example, without the batch; (max_length,) for a text, () for a category.
    cardinality: how many different indices an int64 input can take, padding and unknown among them; None for floats.
    """

    kind: str
    shape: Shape
    cardinality: int | None = None

    @property
    def flags(self) -> int:
        """How many of a number's or date's last values say that the value is missing: 0 or 1.

        A vector's flags are as many as its values and are not told apart from them here.
        """
        return self.shape[-1] - _VALUES[self.kind] if self.kind in _VALUES else 0

    @property
    def is_uneven(self) -> bool:
        """Whether batches differ in the length of the second axis."""
        return self.kind in _UNEVEN

    def zeros(self, count: int, device: torch.device | str = "cpu") -> Tensor:
        """(count, *shape): examples of nothing, float32 or int64, to try a network out with."""
        dtype = torch.float32 if self.cardinality is None else torch.int64
        return torch.zeros((count, *self.shape), dtype=dtype, device=device)
