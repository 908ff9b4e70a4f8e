"""A column that shows its examples corrupted: where in their way to the model the change takes place.

Pictures and sounds change batch by batch, decoded and not yet normalised; they are kept and read as they are. Texts
change before they are cut into tokens and numbers in the user's units, so those are encoded again from the data.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ft.core.data import cells
from ft.core.data.augment import Draws
from ft.core.data.cells import Cells
from ft.core.data.columns import Column
from ft.core.data.columns.audio import AudioColumn
from ft.core.data.columns.image import ImageColumn
from ft.core.data.columns.number import NumberColumn
from ft.core.data.columns.reading import read_numbers, read_vectors
from ft.core.data.columns.text import TextColumn
from ft.core.data.columns.vector import VectorColumn
from ft.core.data.corrupt import corruption_of, pictures, sounds
from ft.core.data.stored import Stored
from ft.core.data.table import Values

FROM_VALUES = ("text", "number", "vector")  # kinds that are encoded again


def changing(column: Column, name: str, severity: int, key: int) -> Column:
    """A column of pictures or sounds that corrupts what it prepares with draws. key: keeps inputs apart."""
    corruption = corruption_of(column.kind, name)
    if isinstance(column, ImageColumn):
        return replace(column, corrupt=pictures.change(corruption, severity, key))
    assert isinstance(column, AudioColumn), column.kind
    return replace(column, corrupt=sounds.change(corruption, severity, key))


def encode_corrupted(column: Column, values: Values, name: str, severity: int, key: int, seed: int) -> Stored:
    """All rows of a column of texts or numbers, corrupted and encoded. What there is to note was told of the clean."""
    draws = Draws(seed, 0, torch.arange(len(values.array))).apart(key)
    corruption = corruption_of(column.kind, name)
    if isinstance(column, TextColumn):
        changed: Cells = _like(values.array, corruption(list(cells.texts(values.array)), severity, draws))
    else:
        assert isinstance(column, NumberColumn | VectorColumn), column.kind
        numbers = (read_numbers if isinstance(column, NumberColumn) else read_vectors)(values).astype(np.float64)
        mean, std = _statistics(column, numbers)
        changed = corruption(numbers, severity, draws, std)
        if not column.flag:  # the model cannot be told that a number is missing: someone fills it in
            changed = np.where(np.isnan(changed), mean, changed)
    return column.encode(replace(values, array=changed, notes=[]))


def _like(array: Cells, texts: list[str]) -> Cells:
    """As Arrow's texts where they were: NumPy gives every text the room of the longest."""
    if isinstance(array, np.ndarray):
        return np.array(texts, dtype=np.str_)
    import pyarrow as pa

    return pa.array(texts, pa.large_string())


def _statistics(column: NumberColumn | VectorColumn, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of training, (K,) or scalars; of these numbers where the column keeps none.

    A column by ranks keeps quantiles: those at equal distances stand for all.
    """
    if column.quantiles:
        quantiles = np.atleast_2d(np.asarray(column.quantiles))  # (K, Q)
        return quantiles.mean(1), quantiles.std(1)
    mean, std = np.atleast_1d(column.mean), np.atleast_1d(column.std)
    if len(mean) and not (isinstance(column, NumberColumn) and (column.mean, column.std) == (0.0, 1.0)):
        return mean, std
    flat = numbers.reshape(len(numbers), -1) if numbers.ndim == 1 else numbers.reshape(-1, numbers.shape[-1])
    return np.nanmean(flat, 0), np.nanstd(flat, 0)
