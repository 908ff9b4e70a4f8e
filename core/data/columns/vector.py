"""An array of numbers for each example, all of one shape, normalised by its last axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor

from ft.core.config.schema import VectorInput
from ft.core.data.augment import Draws
from ft.core.data.columns.base import encode_numbers, flag_missing, mean_and_std, standardise
from ft.core.data.columns.quantile import Quantiles, fit_quantiles, normal_ranks
from ft.core.data.columns.reading import read_vectors
from ft.core.data.table import Values


@dataclass(frozen=True)
class VectorColumn:
    """size: the shape of one example in the data. mean, std: of each entry of the last axis, empty without them.

    quantiles: of each entry, for `normalize: quantile`, else empty. flag: missing numbers are let through and told to
    the model. instead: by entry, what the model gets for a missing number: the mean after normalisation.
    """

    size: tuple[int, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    quantiles: Quantiles = ()
    flag: bool = False
    instead: tuple[float, ...] = ()

    kind: ClassVar[str] = "vector"
    fixed: ClassVar[bool] = True
    cardinality: ClassVar[int | None] = None

    @property
    def shape(self) -> tuple[int, ...]:
        """As the model sees it: with flags the last axis is twice as long."""
        return (*self.size[:-1], 2 * self.size[-1]) if self.flag else self.size

    @classmethod
    def fit(
        cls, settings: VectorInput, values: Values, earlier: VectorColumn | None = None
    ) -> tuple[VectorColumn, Tensor]:
        values = replace(values, array=read_vectors(values))
        size = tuple(values.array.shape[1:])
        if 0 in size or not size:
            raise values.error("each example holds one value or none; a vector has several (one value: number)")
        flag = settings.missing == "flag"
        numbers = encode_numbers(values, settings.missing)
        if (lacking := numbers.isnan().flatten(0, -2).all(dim=0)).any():
            entry = int(lacking.long().argmax())
            raise values.error(f"entry {entry} of {size[-1]} is missing in every example; leave it out")
        column = cls._fitted(settings, numbers, size, earlier)
        return replace(column, flag=flag), column._ranked(numbers)

    @classmethod
    def _fitted(
        cls, settings: VectorInput, numbers: Tensor, size: tuple[int, ...], earlier: VectorColumn | None
    ) -> VectorColumn:
        zeros = (0.0,) * size[-1]
        if settings.normalize == "none":
            return cls(size, instead=mean_and_std(numbers)[0] if settings.missing == "flag" else zeros)
        by_rank = settings.normalize == "quantile"
        normalised = earlier is not None and bool(earlier.quantiles if by_rank else earlier.mean)
        if earlier is not None and normalised and earlier.size == size:
            return earlier
        if by_rank:
            return cls(size, quantiles=fit_quantiles(numbers), instead=zeros)
        return cls(size, *mean_and_std(numbers), instead=zeros)

    def encode(self, values: Values) -> Tensor:
        """(N, *size), lists or texts of numbers -> float32 (N, *size), as they are; with quantiles, as ranks."""
        numbers = encode_numbers(replace(values, array=read_vectors(values)), "flag" if self.flag else "fail")
        if tuple(numbers.shape[1:]) != self.size:
            raise values.error(f"each example has shape {tuple(numbers.shape[1:])}, in training it was {self.size}")
        return self._ranked(numbers)

    def _ranked(self, numbers: Tensor) -> Tensor:
        return normal_ranks(numbers, self.quantiles) if self.quantiles else numbers  # (N, *size)

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        numbers = standardise(stored, self.mean, self.std) if self.mean else stored  # (B, *size)
        return flag_missing(numbers, self.instead) if self.flag else numbers

    def to_state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"type": "vector", "shape": list(self.size)}
        state |= {"mean": list(self.mean), "std": list(self.std), "quantiles": [list(q) for q in self.quantiles]}
        return state | {"flag": self.flag, "instead": list(self.instead)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> VectorColumn:
        size = tuple(state["shape"])
        quantiles = tuple(tuple(entry) for entry in state.get("quantiles", ()))
        flag, instead = bool(state.get("flag", False)), tuple(state.get("instead", (0.0,) * size[-1]))
        return cls(size, tuple(state["mean"]), tuple(state["std"]), quantiles, flag, instead)
