"""What the attributions of one input belong to, in the user's words: tokens, names, entries, one value."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from ft.core.data import cells
from ft.core.data.cells import Cells
from ft.core.data.columns import Column
from ft.core.data.columns.set import FIRST, SetColumn
from ft.core.data.columns.text import TextColumn
from ft.core.data.columns.vector import VectorColumn
from ft.core.stages.explained import Piece

MISSING = "(missing)"
UNKNOWN = "(unknown)"


def pieces_of(
    column: Column, settings: Any, given: Cells, row: int, values: Tensor, attributions: Tensor
) -> tuple[Piece, ...]:
    """Of one example. settings: the input's. given: all values as the user gave them. values: as the model gets them.
    attributions: float64, as the values; of a text (T,), a value for each number of a token.
    """
    if isinstance(column, VectorColumn):
        return _entries(column, settings, attributions)
    if isinstance(column, SetColumn):
        names = (column.names[index - FIRST] if index >= FIRST else UNKNOWN for index in values.tolist())
        return tuple(
            Piece(name, share)
            for name, share, index in zip(names, attributions.tolist(), values.tolist(), strict=True)
            if index
        )
    (text,) = cells.texts(cells.take(given, np.array([row])))
    if not isinstance(column, TextColumn):
        missing = text in ("", "nan", "NaT") or bool(cells.is_missing(cells.take(given, np.array([row])))[0])
        return (Piece(MISSING if missing else text, float(attributions.sum())),)
    found, start = [], 0
    for piece, count in column.pieces(text):
        several = " " in piece if column.tokens == "words" else len(piece) > 1
        share = float(attributions[start : start + count].sum())
        found.append(Piece(piece, share, run=column.ngrams > 1 and several))
        start += count
    assert start == len(attributions) or not start, "a piece for every number; an empty text is one number of padding"
    return tuple(found)


def _entries(column: VectorColumn, settings: Any, attributions: Tensor) -> tuple[Piece, ...]:
    """One for each entry, with what says that it is missing; by the names of its columns where it has some."""
    if column.flag:
        attributions = attributions.reshape(*attributions.shape[:-1], 2, -1).sum(-2)
    names: list[str] | None = settings.columns
    places = np.ndindex(*attributions.shape)
    flat = attributions.flatten().tolist()
    if names is not None:
        return tuple(Piece(name, share) for name, share in zip(names, flat, strict=True))
    return tuple(Piece(str(list(place)), share) for place, share in zip(places, flat, strict=True))
