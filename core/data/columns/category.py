"""One of several names for each example, kept as an index into the classes. Indices are found by name, always.

Integers get names first: the source's own (a picture set's label 3 is "cat"), else their digits. Only where the
experiment lists classes that are no integers for values that are, an integer is a position in that list; the column
remembers it, so that a checkpoint reads later files the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ft.core.config.schema import CategoryInput, CategoryOutput
from ft.core.config.suggest import did_you_mean
from ft.core.data.augment import Draws
from ft.core.data.columns.base import describe_dtype
from ft.core.data.table import Values
from ft.core.errors import ConfigError, Problem


@dataclass(frozen=True)
class CategoryColumn:
    """classes: the names, in index order.

    unknown: index 0 stands for every name not in `classes`, which then start at 1; for inputs only.
    positions: integer values are positions in `classes`.
    """

    classes: tuple[str, ...]
    unknown: bool = False
    positions: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return ()

    @property
    def cardinality(self) -> int:
        """How many indices there are, the unknown one included: the rows of an Embedding."""
        return len(self.classes) + self.unknown

    @classmethod
    def fit(
        cls, settings: CategoryInput | CategoryOutput, values: Values, earlier: CategoryColumn | None = None
    ) -> tuple[CategoryColumn, Tensor]:
        codes, names = name_values(values)
        if isinstance(settings, CategoryInput):
            column = earlier or cls(_sorted_names(names, codes), unknown=True)
        else:
            column = cls._for_output(settings, values, names, codes)
        return column, column.encode(values)

    @classmethod
    def _for_output(
        cls, settings: CategoryOutput, values: Values, names: Sequence[str], codes: np.ndarray
    ) -> CategoryColumn:
        present = np.unique(codes)
        if len(present) < 2:
            raise values.error(f"every example is {names[present[0]]!r}; learning to tell classes apart takes two")
        if settings.classes is None:
            return cls(values.classes or _sorted_names(names, codes))
        classes = tuple(settings.classes)
        for place, name in enumerate(classes):
            if name in classes[:place]:
                path = ("outputs", values.column, "classes", place)
                raise ConfigError(Problem(f"class {name!r} is listed twice", path))
        numbered = values.array.dtype.kind in "ui" and all(map(_is_integer, names))
        return cls(classes, positions=numbered and not all(map(_is_integer, classes)))

    def encode(self, values: Values) -> Tensor:
        """(N,) or (N, 1) of text or integers -> int64 (N,). Raises DataError for a name outside the classes."""
        codes, names = name_values(values)
        index_of = {name: index for index, name in enumerate(self.classes)}
        if self.positions and values.array.dtype.kind in "ui":
            places = [int(name) if _is_integer(name) and 0 <= int(name) < len(self.classes) else -1 for name in names]
        else:
            places = [index_of.get(name, -1) for name in names]
        indices = np.asarray(places, dtype=np.int64)[codes]  # (N,)
        if self.unknown:
            return torch.from_numpy(indices + 1)
        if (indices < 0).any():
            row = int((indices < 0).argmax())
            name = names[codes[row]]
            raise values.error(
                f"{name!r} is none of the classes {_listed(self.classes)}{did_you_mean(name, self.classes)}", row
            )
        return torch.from_numpy(indices)

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        return stored  # (B,)

    def count(self, stored: Tensor) -> dict[str, int]:
        """How often each class occurs. stored: int64 (N,)."""
        counts = torch.bincount(stored, minlength=self.cardinality)[int(self.unknown) :]
        return dict(zip(self.classes, counts.tolist(), strict=True))

    def to_state(self) -> dict[str, Any]:
        flags = {"unknown": self.unknown, "positions": self.positions}
        return {"type": "category", "classes": list(self.classes), **flags}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> CategoryColumn:
        return cls(tuple(state["classes"]), bool(state["unknown"]), bool(state["positions"]))


def name_values(values: Values) -> tuple[np.ndarray, Sequence[str]]:
    """Every value as a code into a list of names: int64 (N,) and the names, of which some may not occur.

    Raises DataError for values that are neither text nor integers, several for each example, or an integer that the
    source has no name for.
    """
    array = values.array
    if array.size != len(array):
        raise values.error(f"each example has shape {array.shape[1:]}; a category is one value, not scores or one-hot")
    array = array.reshape(-1)
    if array.dtype.kind not in "buiUS":
        raise values.error(f"the values are {describe_dtype(array)}; categories are text or integers")
    if values.classes is not None and array.dtype.kind in "ui":
        outside = (array < 0) | (array >= len(values.classes))
        if outside.any():
            row = int(outside.argmax())
            raise values.error(f"label {array[row]} is outside 0..{len(values.classes) - 1}", row)
        return array.astype(np.int64), values.classes
    found, codes = np.unique(array, return_inverse=True)
    return codes.astype(np.int64), [_name(value) for value in found.tolist()]


def _name(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _sorted_names(names: Sequence[str], codes: np.ndarray) -> tuple[str, ...]:
    """The names that occur, integers by number and others by letter."""
    present = [names[code] for code in np.unique(codes)]
    return tuple(sorted(present, key=int if all(map(_is_integer, present)) else str))


def _is_integer(name: str) -> bool:
    return name.removeprefix("-").isdecimal()


def _listed(classes: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(classes[:most])
    return f"{shown}, … ({len(classes)} in all)" if len(classes) > most else shown
