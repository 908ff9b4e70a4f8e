"""What every column can do, and the arithmetic of normalising that several share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ft.core.data.augment import Draws
from ft.core.data.table import Values


class Column(Protocol):
    """A frozen value: what was settled and fitted. Each type also has `fit` (see `fit_column`) and `from_state`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """One example as the model sees it: image (C, H, W), number (1,), vector its own, category ()."""

    def encode(self, values: Values) -> Tensor:
        """The form kept in memory, (N, ...) on the CPU. Raises DataError that names the column, split and row."""

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:
        """A batch of the stored form, on its device -> what the model gets. With draws, augmented."""

    def to_state(self) -> dict[str, Any]:
        """Plain values for a checkpoint; `type` among them."""


def encode_numbers(values: Values) -> Tensor:
    """Numbers of any shape -> float32 (N, ...). Raises DataError for other types and for NaN or infinity."""
    array = values.array
    if array.dtype.kind not in "buif":
        raise values.error(f"the values are {describe_dtype(array)}, numbers are expected")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is refused below
        numbers = array.astype(np.float32)
    finite = np.isfinite(numbers).reshape(len(array), -1).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        first = array[row][~np.isfinite(numbers[row])].flat[0] if array.ndim > 1 else array[row]
        more = int((~finite).sum()) - 1
        also = f" (and {more:,} rows more)" if more else ""
        raise values.error(f"{first} is not a finite number{also}; fill in or remove such rows", row)
    return torch.from_numpy(numbers)


def mean_and_std(numbers: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of each entry of the last axis, over all others, in float64. A deviation of zero becomes 1: it divides later.

    numbers: (N, ..., K). The deviation is the population's, as the whole training split is at hand.
    """
    std, mean = torch.std_mean(numbers.double().flatten(0, -2), dim=0, correction=0)  # (K,) each
    return tuple(mean.tolist()), nonzero(std.tolist())


def nonzero(std: Sequence[float]) -> tuple[float, ...]:
    """Deviations fit to divide by: values that never differ are left in their own units."""
    return tuple(value if value > 0 else 1.0 for value in std)


@lru_cache(maxsize=64)
def constant(values: tuple[float, ...], shape: tuple[int, ...], device: torch.device) -> Tensor:
    """A float32 tensor made once for each device, so that no batch waits for a copy. Never changed in place."""
    with torch.inference_mode(False):  # it outlives an evaluation that happens to ask first
        return torch.tensor(values, dtype=torch.float32, device=device).view(shape)


def standardise(numbers: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """float32 (B, ..., K) -> (numbers - mean) / std along the last axis, a new tensor."""
    shape = (len(mean),)
    return (numbers - constant(mean, shape, numbers.device)) / constant(std, shape, numbers.device)


def describe_dtype(array: np.ndarray) -> str:
    """What a person calls this kind of array."""
    kinds = {"O": "Python objects", "U": "text", "S": "bytes", "c": "complex numbers", "M": "dates", "m": "durations"}
    return kinds.get(array.dtype.kind, str(array.dtype))
