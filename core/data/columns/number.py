"""A number for each example: an input reaches the model normalised, (B, 1); an output stays in its own units, (B,)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ft.core.config.schema import NumberInput, NumberOutput
from ft.core.data.augment import Draws
from ft.core.data.columns.base import encode_numbers, mean_and_std, standardise
from ft.core.data.table import Values


@dataclass(frozen=True)
class NumberColumn:
    """mean, std: of the training values, in their own units; 0 and 1 without normalisation."""

    mean: float = 0.0
    std: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        return (1,)

    @classmethod
    def fit(
        cls, settings: NumberInput | NumberOutput, values: Values, earlier: NumberColumn | None = None
    ) -> tuple[NumberColumn, Tensor]:
        stored = cls().encode(values)
        if settings.normalize == "none":
            return cls(), stored
        if earlier is not None:
            return earlier, stored
        (mean,), (std,) = mean_and_std(stored[:, None])
        return cls(mean, std), stored

    def encode(self, values: Values) -> Tensor:
        """(N,) or (N, 1) -> float32 (N,), in the user's units."""
        numbers = encode_numbers(values)
        if numbers.shape[1:].numel() != 1:
            raise values.error(
                f"each example has shape {tuple(numbers.shape[1:])}; a number is one value (else: vector)"
            )
        return numbers.reshape(-1)

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        return standardise(stored[:, None], (self.mean,), (self.std,))  # (B, 1)

    def to_state(self) -> dict[str, Any]:
        return {"type": "number", "mean": self.mean, "std": self.std}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> NumberColumn:
        return cls(float(state["mean"]), float(state["std"]))
