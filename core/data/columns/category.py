"""One of several names for each example, kept as an index into the classes. Indices are found by name, always.

Integers get names first: the source's own (a picture set's label 3 is "cat"), else their digits. Only where the
experiment lists classes that are no integers for values that are, an integer is a position in that list; the column
remembers it, so that a checkpoint reads later files the same way. A missing value of an input has the empty name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ft.core.config.schema import CategoryInput, CategoryOutput
from ft.core.data.augment import Draws
from ft.core.data.columns.names import (
    distinct_classes,
    frequent_names,
    is_integer,
    name_values,
    no_such_class,
    note_unknown,
)
from ft.core.data.columns.reading import and_more
from ft.core.data.spelling import look_alikes
from ft.core.data.table import Values


@dataclass(frozen=True)
class CategoryColumn:
    """classes: the names, in index order.

    unknown: index 0 stands for every name not in `classes`, which then start at 1; for inputs only.
    positions: integer values are positions in `classes`.
    """

    classes: tuple[str, ...]
    unknown: bool = False
    positions: bool = False

    kind: ClassVar[str] = "category"
    fixed: ClassVar[bool] = True

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
        codes, names = _complete(values, as_input=isinstance(settings, CategoryInput))
        if isinstance(settings, CategoryInput):
            column = earlier or cls(frequent_names(names, codes, settings.min_count), unknown=True)
        else:
            column = cls._for_output(settings, values, names, codes)
            _note_look_alikes(values, column.classes)
        return column, column._index(values, codes, names)

    @classmethod
    def _for_output(
        cls, settings: CategoryOutput, values: Values, names: Sequence[str], codes: np.ndarray
    ) -> CategoryColumn:
        present = np.unique(codes)
        if len(present) < 2:
            raise values.error(f"every example is {names[present[0]]!r}; learning to tell classes apart takes two")
        if settings.classes is None:
            return cls(values.classes or frequent_names(names, codes, min_count=1))
        classes = distinct_classes(settings.classes, values.column)
        numbered = all(is_integer(names[code]) for code in present)
        return cls(classes, positions=numbered and not all(map(is_integer, classes)))

    def encode(self, values: Values) -> Tensor:
        """(N,) or (N, 1) of text or integers -> int64 (N,).

        Names that an input does not know are index 0 and told in a note. Raises DataError for a target that is missing
        or outside the classes.
        """
        return self._index(values, *_complete(values, as_input=self.unknown))

    def _index(self, values: Values, codes: np.ndarray, names: Sequence[str]) -> Tensor:
        places = np.asarray(self._places(names), dtype=np.int64)  # of each name, -1 for those outside the classes
        indices = places[codes]  # (N,)
        outside = indices < 0
        if self.unknown:
            found = np.unique(codes[outside])
            note_unknown(values, int(outside.sum()), (names[code] for code in found))
            return torch.from_numpy(indices + 1)
        if outside.any():
            row = int(outside.argmax())
            raise no_such_class(values, names[codes[row]], self.classes, row, int(outside.sum()))
        return torch.from_numpy(indices)

    def _places(self, names: Sequence[str]) -> list[int]:
        index_of = {name: index for index, name in enumerate(self.classes)}
        if not self.positions:
            return [index_of.get(name, -1) for name in names]
        written = range(len(self.classes))
        return [int(name) if is_integer(name) and int(name) in written else index_of.get(name, -1) for name in names]

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


def _note_look_alikes(values: Values, classes: Sequence[str]) -> None:
    """Tell classes that are most likely one, nothing when there are none."""
    for group in look_alikes(classes):
        listed = ", ".join(map(repr, group))
        values.note(f"classes {listed} differ only by case, spaces or Unicode form; one class misspelt?")


def _complete(values: Values, *, as_input: bool) -> tuple[np.ndarray, Sequence[str]]:
    """Codes and names with missing values named "", for an input. Raises DataError where a target is missing."""
    codes, names = name_values(values)
    missing = codes < 0
    if not missing.any():
        return codes, names
    count = int(missing.sum())
    if not as_input:
        message = f"the class is missing{and_more(count)}; fill in or remove such rows"
        raise values.error(message, int(missing.argmax()))
    values.note(f"{count:,} of {len(codes):,} rows have no name; that counts as a name of its own")
    names = [*names, ""]
    return np.where(missing, len(names) - 1, codes), names
