"""What every column can do, and the arithmetic of normalising that several share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from ft.core.data.augment import Draws
from ft.core.data.columns.reading import and_more, read_numbers
from ft.core.data.columns.reading import describe_dtype as describe_dtype  # for the columns, beside `constant`
from ft.core.data.stored import Stored
from ft.core.data.table import Values


class Column(Protocol):
    """A frozen value: what was settled and fitted. Each type also has `fit` (see `fit_column`) and `from_state`.

    kind: the settings' type. fixed: whether `prepare` is cheap and gives the same for a row every time, so that it
    may be done once for all rows.
    """

    kind: ClassVar[str]
    fixed: ClassVar[bool]

    @property
    def shape(self) -> tuple[int, ...]:
        """One example as the model sees it: image (C, H, W), number (1,), vector its own, category ()."""

    @property
    def cardinality(self) -> int | None:
        """How many different indices int64 values can be, from 0; None where the model sees floats."""

    def encode(self, values: Values) -> Stored:
        """The form that is kept, of N rows, on the CPU. Raises DataError that names the column, split and row."""

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:
        """A batch of the stored form, on its device -> what the model gets. With draws, augmented."""

    def to_state(self) -> dict[str, Any]:
        """Plain values for a checkpoint; `type` among them."""


def encode_numbers(values: Values, missing: Literal["fail", "flag"] = "fail") -> Tensor:
    """Numbers of any shape, or texts of them -> float32 (N, ...), with flag NaN where a value is missing.

    What is missing is counted in a note. Raises DataError for values that cannot be read, for infinities, and without
    flag for missing values; the first is named, the others are counted.
    """
    array = read_numbers(values)
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite, and is refused below
        numbers = array.astype(np.float32)
    by_row = numbers.reshape(len(numbers), -1)
    if (infinite := np.isinf(by_row)).any():
        row, entry = map(int, np.argwhere(infinite)[0])
        value = array.reshape(len(array), -1)[row, entry]
        rows = int(infinite.any(axis=1).sum())
        raise values.error(f"{value} is not a finite number{and_more(rows)}; fill in or remove such rows", row)
    lacking = np.asarray(np.isnan(by_row).any(axis=1))
    if rows := int(lacking.sum()):
        if missing == "fail":
            fault = f"a number is missing{and_more(rows)}; fill in or remove such rows, or for an input: missing: flag"
            raise values.error(fault, int(lacking.argmax()))
        values.note(f"{rows:,} of {len(lacking):,} rows lack a number")
    return torch.from_numpy(numbers)


def mean_and_std(numbers: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of each entry of the last axis, over all others, in float64. A deviation of zero becomes 1: it divides later.

    numbers: (N, ..., K); NaN is left out. The deviation is the population's, as the whole training split is at hand.
    """
    flat = numbers.double().flatten(0, -2)  # (N, K)
    if flat.isnan().any():
        mean = flat.nanmean(dim=0)  # (K,)
        std = (flat - mean).square().nanmean(dim=0).sqrt()
    else:  # without further copies of all numbers
        std, mean = torch.std_mean(flat, dim=0, correction=0)
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


def flag_missing(numbers: Tensor, instead: tuple[float, ...]) -> Tensor:
    """float (B, ..., K) with NaN -> (B, ..., 2 K): first the numbers, `instead` for NaN, then 1 where it was NaN."""
    lacking = numbers.isnan()
    known = torch.where(lacking, constant(instead, (len(instead),), numbers.device), numbers)
    return torch.cat([known, lacking.to(known.dtype)], dim=-1)
