"""Any number of labels for each example, as a target: one 0 or 1 for each class. Labels meet by name, always.

Labels are lists, texts cut at the separator, or a matrix of 0 and 1 whose columns are the classes in order.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ft.core.config.schema import LabelsOutput
from ft.core.data.augment import Draws
from ft.core.data.columns.names import distinct_classes, no_such_class, sorted_names
from ft.core.data.columns.set import distinct_names, note_empty
from ft.core.data.table import Values


@dataclass(frozen=True)
class LabelsColumn:
    """classes: the labels there are, in index order. separator: between labels that stand in one text.

    counts: how many of the `rows` training examples have each label, for weights that balance them.
    """

    classes: tuple[str, ...]
    separator: str = "|"
    counts: tuple[int, ...] = ()
    rows: int = 0

    kind: ClassVar[str] = "labels"
    fixed: ClassVar[bool] = True
    cardinality: ClassVar[int | None] = None

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.classes),)

    @classmethod
    def fit(
        cls,
        settings: LabelsOutput,
        values: Values,
        earlier: LabelsColumn | None = None,  # noqa: ARG003  (a target's classes are the data's own)
    ) -> tuple[LabelsColumn, Tensor]:
        column = cls(_classes(settings, values), settings.separator)
        stored = column.encode(values)
        counts = stored.sum(dim=0).tolist()
        if not any(counts):
            raise values.error("no example has a label; there is nothing to learn")
        return replace(column, counts=tuple(counts), rows=len(stored)), stored

    def encode(self, values: Values) -> Tensor:
        """uint8 (N, K), 1 where an example has a label. Raises DataError naming the row of a label that is no class."""
        stored = self._from_matrix(values) if _is_matrix(values) else self._from_names(values)
        note_empty(values, int((stored.sum(dim=1) == 0).sum()))
        return stored

    def _from_names(self, values: Values) -> Tensor:
        index_of = {name: index for index, name in enumerate(self.classes)}
        rows, indices = array("q"), array("q")
        for row, found in enumerate(distinct_names(values, self.separator)):
            for name in found:
                if name not in index_of:
                    raise no_such_class(values, name, self.classes, row)
                rows.append(row)
                indices.append(index_of[name])
        stored = np.zeros((len(values.array), len(self.classes)), dtype=np.uint8)
        stored[np.asarray(rows), np.asarray(indices)] = 1
        return torch.from_numpy(stored)

    def _from_matrix(self, values: Values) -> Tensor:
        matrix = np.asarray(values.array)
        if matrix.shape[1] != len(self.classes):
            raise values.error(
                f"each example has {matrix.shape[1]} values; expected one for each of {self.shape[0]} classes"
            )
        strange = (matrix != 0) & (matrix != 1)
        if strange.any():
            row, place = map(int, np.argwhere(strange)[0])
            raise values.error(f"{matrix[row, place]} is neither 0 nor 1; a matrix of labels holds nothing else", row)
        return torch.from_numpy(matrix.astype(np.uint8))

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        return stored  # (B, K)

    def count(self, stored: Tensor) -> dict[str, int]:
        """How many examples have each label. stored: uint8 (N, K)."""
        return dict(zip(self.classes, stored.sum(dim=0).tolist(), strict=True))

    def to_state(self) -> dict[str, Any]:
        counted = {"counts": list(self.counts), "rows": self.rows}
        return {"type": "labels", "classes": list(self.classes), "separator": self.separator, **counted}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> LabelsColumn:
        return cls(tuple(state["classes"]), str(state["separator"]), tuple(state["counts"]), int(state["rows"]))


def _classes(settings: LabelsOutput, values: Values) -> tuple[str, ...]:
    """Those of the experiment, else of the source, else of the training examples; a matrix's are numbered."""
    if settings.classes is not None:
        return distinct_classes(settings.classes, values.column)
    if values.classes is not None:
        return values.classes
    if _is_matrix(values):
        return tuple(map(str, range(values.array.shape[1])))
    return sorted_names(name for found in distinct_names(values, settings.separator) for name in found)


def _is_matrix(values: Values) -> bool:
    return isinstance(values.array, np.ndarray) and values.array.ndim == 2 and values.array.dtype.kind in "buif"
