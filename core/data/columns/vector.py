"""An array of numbers for each example, all of one shape, normalised by its last axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ft.core.config.schema import VectorInput
from ft.core.data.augment import Draws
from ft.core.data.columns.base import encode_numbers, mean_and_std, standardise
from ft.core.data.table import Values


@dataclass(frozen=True)
class VectorColumn:
    """shape: of one example. mean, std: of each entry of the last axis, empty without normalisation."""

    shape: tuple[int, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls, settings: VectorInput, values: Values, earlier: VectorColumn | None = None
    ) -> tuple[VectorColumn, Tensor]:
        shape = tuple(values.array.shape[1:])
        if 0 in shape or not shape:
            raise values.error("each example holds one value or none; a vector has several (one value: number)")
        stored = cls(shape).encode(values)
        if settings.normalize == "none":
            return cls(shape), stored
        if earlier is not None and earlier.shape == shape:
            return earlier, stored
        return cls(shape, *mean_and_std(stored)), stored

    def encode(self, values: Values) -> Tensor:
        """(N, *shape) -> float32 of that shape."""
        numbers = encode_numbers(values)
        if tuple(numbers.shape[1:]) != self.shape:
            raise values.error(f"each example has shape {tuple(numbers.shape[1:])}, in training it was {self.shape}")
        return numbers

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        return standardise(stored, self.mean, self.std) if self.mean else stored  # (B, *shape)

    def to_state(self) -> dict[str, Any]:
        return {"type": "vector", "shape": list(self.shape), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> VectorColumn:
        return cls(tuple(state["shape"]), tuple(state["mean"]), tuple(state["std"]))
