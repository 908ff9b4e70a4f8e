"""Examples as columns of NumPy arrays, before anything is fitted or encoded.

A source gives a `Dataset`: one `Table` for each split, as it found them. What the values mean is the columns' work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ft.core.errors import DataError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Values:
    """One column of one split, with what an error message needs to name a value.

    array: (N, ...). names: what each row is called, or None. classes: the names of integer values, in index order,
    where the source knows them.
    """

    array: np.ndarray
    column: str
    split: str
    names: Sequence[str] | None = None
    classes: tuple[str, ...] | None = None

    def error(self, message: str, row: int | None = None) -> DataError:
        """The error about this column, or about its value in one row. Raises nothing itself."""
        place = f"column {self.column}, {self.split}"
        if row is not None:
            place += f" row {row}" + (f" ({self.names[row]})" if self.names is not None else "")
        return DataError(f"{place}: {message}")


@dataclass(frozen=True)
class Table:
    """One split. columns: arrays (N, ...) of one length; names: what each example is called, or None."""

    columns: Mapping[str, np.ndarray]
    names: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, rows: np.ndarray) -> Table:
        """A table of these rows, copied. rows: int64 (M,)."""
        names = None if self.names is None else [self.names[row] for row in rows]
        return Table({name: array[rows] for name, array in self.columns.items()}, names)


@dataclass(frozen=True)
class Dataset:
    """What a source found.

    splits: the tables that were read. official: every split the source brings, read or not.
    classes: for integer columns, the source's own class names in index order. found: where it all came from, one line.
    Raises DataError when a table is empty or its columns differ in length.
    """

    splits: Mapping[str, Table]
    official: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]
    found: str

    def __post_init__(self) -> None:
        for split, table in self.splits.items():
            lengths = {name: len(array) for name, array in table.columns.items()}
            if len(set(lengths.values())) > 1:
                listed = ", ".join(f"{name} has {length:,}" for name, length in lengths.items())
                raise DataError(f"{split}: columns differ in length: {listed}; each example needs a value in each")
            if len(table) == 0:
                raise DataError(f"{split}: no examples in {self.found}")

    def values(self, split: str, column: str) -> Values:
        """One column of one split that was read."""
        table = self.splits[split]
        return Values(table.columns[column], column, split, table.names, self.classes.get(column))

    def renamed(self, names: Mapping[str, str]) -> Dataset:
        """The same with columns under other names. names: old -> new; columns left out keep theirs."""
        splits = {
            split: Table({names.get(name, name): array for name, array in table.columns.items()}, table.names)
            for split, table in self.splits.items()
        }
        classes = {names.get(name, name): classes for name, classes in self.classes.items()}
        return Dataset(splits, self.official, classes, self.found)


def parts_to_read(official: Sequence[str], wanted: set[str] | None) -> list[str]:
    """The official parts that the wanted splits need. A split that is not official is cut from training."""
    if wanted is None:
        return list(official)
    needed = {split if split in official else "train" for split in wanted}
    return [split for split in official if split in needed]
