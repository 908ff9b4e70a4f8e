"""Any number of names for each example, such as tags or genres, kept as indices without padding.

Indices are found by name: 0 is padding, 1 every name that training does not have, the sorted names start at 2. A name
that an example says twice counts once. An example may have no name at all.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from ft.core.config.schema import SetInput
from ft.core.data import cells
from ft.core.data.augment import Draws
from ft.core.data.columns.names import frequent_names, note_unknown
from ft.core.data.columns.reading import is_text
from ft.core.data.stored import Ragged
from ft.core.data.table import Values

UNKNOWN = 1
FIRST = 2  # the index of the first name; 0 is padding
NOMINAL_LENGTH = 8  # an outline of the model needs some length; batches have their own


@dataclass(frozen=True)
class SetColumn:
    """names: those known, in index order. separator: between names that stand in one text."""

    names: tuple[str, ...]
    separator: str = "|"

    kind: ClassVar[str] = "set"
    fixed: ClassVar[bool] = False

    @property
    def shape(self) -> tuple[int, ...]:
        return (NOMINAL_LENGTH,)

    @property
    def cardinality(self) -> int:
        """How many indices there are, padding and the unknown included: the rows of an Embedding."""
        return len(self.names) + FIRST

    @classmethod
    def fit(cls, settings: SetInput, values: Values, earlier: SetColumn | None = None) -> tuple[SetColumn, Ragged]:
        if earlier is not None:
            column = cls(earlier.names, settings.separator)
            return column, column.encode(values)
        code_of: dict[str, int] = {}
        codes = array("q")
        for found in distinct_names(values, settings.separator):
            codes.extend(code_of.setdefault(name, len(code_of)) for name in found)
        if not codes:
            raise values.error("no example has a name; leave this column out")
        names = frequent_names(list(code_of), np.asarray(codes), settings.min_count)
        column = cls(names, settings.separator)
        return column, column.encode(values)

    def encode(self, values: Values) -> Ragged:
        """Lists of names, or texts cut at the separator -> indices of each row; names not known are told in a note."""
        index_of = {name: index for index, name in enumerate(self.names, FIRST)}
        indices, lengths = array("i"), array("q")
        unknown: set[str] = set()
        rows = 0
        for found in distinct_names(values, self.separator):
            new = [name for name in found if name not in index_of]
            unknown.update(new)
            rows += bool(new)
            indices.extend(index_of.get(name, UNKNOWN) for name in found)
            lengths.append(len(found))
        note_unknown(values, rows, unknown)
        note_empty(values, lengths.count(0))
        return Ragged.of(np.asarray(lengths), np.asarray(indices))

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        return stored  # (B, T)

    def to_state(self) -> dict[str, Any]:
        return {"type": "set", "names": list(self.names), "separator": self.separator}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SetColumn:
        return cls(tuple(state["names"]), str(state["separator"]))


def distinct_names(values: Values, separator: str) -> Iterator[list[str]]:
    """The names of each example, each once, in the order they are written."""
    if not is_text(values.array):
        return (list(dict.fromkeys(found)) for found in cells.lists(values.array, separator))
    codes, texts = cells.codes(values.array)  # the same text is cut once, however many rows say it
    each = [list(dict.fromkeys(found)) for found in cells.lists(np.array(texts, dtype=object), separator)]
    each.append([])  # of code -1: missing
    return (each[code] for code in codes.tolist())


def note_empty(values: Values, count: int) -> None:
    """Tell how many examples have no name at all; nothing when there are none."""
    if count:
        values.note(f"{count:,} of {len(values.array):,} rows have no name")
