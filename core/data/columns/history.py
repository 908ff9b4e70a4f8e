"""The items that a user chose before, as a set has its names: 0 is padding, 1 what is unknown, the items start at 2.

The values are not in the data as a column: they follow from who chose what and when. history.py puts them together;
here is only what the model and a checkpoint are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from ft.core.config.schema import HistoryInput
from ft.core.data.augment import Draws
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.columns.set import FIRST
from ft.core.data.stored import Stored
from ft.core.data.table import Values


@dataclass(frozen=True)
class HistoryColumn:
    """last: how many choices at most. items: how many different ones there are, the unknown left out."""

    last: int
    items: int

    kind: ClassVar[str] = "history"
    fixed: ClassVar[bool] = False

    @classmethod
    def of(cls, settings: HistoryInput, item: CategoryColumn) -> HistoryColumn:
        """item: the fitted column of what is chosen."""
        return cls(settings.last, len(item.classes))

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.last,)

    @property
    def cardinality(self) -> int:
        """As of a set: padding and the unknown included."""
        return self.items + FIRST

    def encode(self, values: Values) -> Stored:
        """Raises AssertionError: a history has no values of its own."""
        raise AssertionError(f"{values.column}: a history is not encoded")

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        return stored  # (B, T), T at most `last`

    def to_state(self) -> dict[str, Any]:
        return {"type": self.kind, "last": self.last, "items": self.items}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> HistoryColumn:
        return cls(int(state["last"]), int(state["items"]))
