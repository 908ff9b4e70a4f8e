"""A number for each example: an input reaches the model normalised, (B, 1); an output stays in its own units, (B,)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor

from ft.core.config.schema import NumberInput, NumberOutput
from ft.core.data.augment import Draws
from ft.core.data.columns.base import encode_numbers, flag_missing, mean_and_std, standardise
from ft.core.data.columns.quantile import fit_quantiles, normal_ranks
from ft.core.data.table import Values


@dataclass(frozen=True)
class NumberColumn:
    """mean, std: of the training values, in their own units; 0 and 1 without normalisation or with quantiles.

    quantiles: of the training values, for `normalize: quantile`, else empty. flag: missing values are let through and
    told to the model. instead: what the model gets for a missing value: the mean after normalisation.
    """

    mean: float = 0.0
    std: float = 1.0
    quantiles: tuple[float, ...] = ()
    flag: bool = False
    instead: float = 0.0

    kind: ClassVar[str] = "number"
    fixed: ClassVar[bool] = True
    cardinality: ClassVar[int | None] = None

    @property
    def shape(self) -> tuple[int, ...]:
        return (2,) if self.flag else (1,)

    @classmethod
    def fit(
        cls, settings: NumberInput | NumberOutput, values: Values, earlier: NumberColumn | None = None
    ) -> tuple[NumberColumn, Tensor]:
        flag = isinstance(settings, NumberInput) and settings.missing == "flag"
        numbers = cls(flag=flag).encode(values)[:, None]  # (N, 1)
        if numbers.isnan().all():
            raise values.error("every number is missing; leave this column out")
        (mean,), (std,) = mean_and_std(numbers)
        by_rank = settings.normalize == "quantile"
        if settings.normalize == "none":
            column = cls(flag=flag, instead=mean if flag else 0.0)
        elif earlier is not None and bool(earlier.quantiles) == by_rank:
            column = replace(earlier, flag=flag)
        elif by_rank:
            column = cls(quantiles=fit_quantiles(numbers)[0], flag=flag)
        else:
            column = cls(mean, std, flag=flag)
        return column, column._ranked(numbers)[:, 0]

    def encode(self, values: Values) -> Tensor:
        """(N,) or (N, 1) of numbers or texts -> float32 (N,), in the user's units; with quantiles, already as ranks."""
        numbers = encode_numbers(values, "flag" if self.flag else "fail")
        if numbers.shape[1:].numel() != 1:
            raise values.error(
                f"each example has shape {tuple(numbers.shape[1:])}; a number is one value (else: vector)"
            )
        return self._ranked(numbers.reshape(-1, 1))[:, 0]

    def _ranked(self, numbers: Tensor) -> Tensor:
        return normal_ranks(numbers, (self.quantiles,)) if self.quantiles else numbers  # (N, 1)

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        numbers = standardise(stored[:, None], (self.mean,), (self.std,))  # (B, 1)
        return flag_missing(numbers, (self.instead,)) if self.flag else numbers

    def to_state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"type": "number", "mean": self.mean, "std": self.std}
        if self.flag:
            state |= {"flag": True, "instead": self.instead}
        return state | ({"quantiles": list(self.quantiles)} if self.quantiles else {})

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> NumberColumn:
        flag, instead = bool(state.get("flag", False)), float(state.get("instead", 0.0))
        return cls(float(state["mean"]), float(state["std"]), tuple(state.get("quantiles", ())), flag, instead)
