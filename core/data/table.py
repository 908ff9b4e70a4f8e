"""Examples as columns of NumPy or Arrow arrays, before anything is fitted or encoded.

A source gives a `Dataset`: one `Table` for each split, as it found them. What the values mean is the columns' work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np

from ft.core.data import cells
from ft.core.data.cells import Cells
from ft.core.errors import DataError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Values:
    """One column of one split, with what an error message needs to name a value.

    array: (N, ...), of NumPy or Arrow (see cells.py). names: what each row is called, or None. classes: the names of
    integer values, in index order, where the source knows them. folder: where files that the values name lie, None when
    in several places. notes: what `note` was told.
    """

    array: Cells
    column: str
    split: str
    names: Sequence[str] | None = None
    classes: tuple[str, ...] | None = None
    folder: Path | None = Path()
    notes: list[str] = field(default_factory=list, compare=False)

    def note(self, message: str) -> None:
        """Keep something that the user is told once the data are ready: what was missing, unknown, cut or skipped."""
        self.notes.append(f"column {self.column}, {self.split}: {message}")

    def error(self, message: str, row: int | None = None) -> DataError:
        """The error about this column, or about its value in one row. Raises nothing itself."""
        place = f"column {self.column}, {self.split}"
        if row is not None:
            place += f" row {row}" if self.names is None else f", {self.names[row]}"
        return DataError(f"{place}: {message}")


class RowNames(Sequence[str]):
    """What the rows of files are called, made when asked for: `films.csv row 3`, counted from 1 in each file.

    files: their names. starts: int64, the number of the first row of each. numbers: int64 (N,), of these rows, counted
    from 0 through all files; they stay a row's own when others are taken away.
    """

    def __init__(self, files: Sequence[str], starts: np.ndarray, numbers: np.ndarray) -> None:
        self.files, self.starts, self.numbers = files, starts, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> RowNames: ...
    def __getitem__(self, index: int | slice) -> str | RowNames:
        if isinstance(index, slice):
            return RowNames(self.files, self.starts, self.numbers[index])
        number = int(self.numbers[index])
        file = int(np.searchsorted(self.starts, number, side="right")) - 1
        return f"{self.files[file]} row {number - int(self.starts[file]) + 1}".strip()

    def take(self, rows: np.ndarray) -> RowNames:
        """The names of some rows."""
        return RowNames(self.files, self.starts, self.numbers[rows])


@dataclass(frozen=True)
class Table:
    """One split.

    columns: arrays (N, ...) of one length. names: what each example is called, or None. folder: where files lie that
    the values name; None when in several places. others: columns that the source has and that were not read.
    """

    columns: Mapping[str, Cells]
    names: Sequence[str] | None = None
    folder: Path | None = Path()
    others: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def take(self, rows: np.ndarray) -> Table:
        """A table of these rows, copied. rows: int64 (M,)."""
        names = self.names.take(rows) if isinstance(self.names, RowNames) else self.names
        if names is not None and names is self.names:
            names = [names[row] for row in rows]
        return replace(self, columns={name: cells.take(each, rows) for name, each in self.columns.items()}, names=names)


@dataclass(frozen=True)
class Dataset:
    """What a source found.

    splits: the tables that were read. official: every split the source brings, read or not.
    classes: for integer columns, the source's own class names in index order. found: where it all came from, one line.
    notes: what the user should know of the values, gathered while columns read them.
    Raises DataError when a table is empty or its columns differ in length.
    """

    splits: Mapping[str, Table]
    official: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]
    found: str
    notes: list[str] = field(default_factory=list, compare=False)

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
        cells = table.columns[column]
        return Values(cells, column, split, table.names, self.classes.get(column), table.folder, self.notes)

    def renamed(self, names: Mapping[str, str]) -> Dataset:
        """The same with columns under other names. names: old -> new; columns left out keep theirs."""
        splits = {
            split: replace(table, columns={names.get(name, name): array for name, array in table.columns.items()})
            for split, table in self.splits.items()
        }
        classes = {names.get(name, name): classes for name, classes in self.classes.items()}
        return replace(self, splits=splits, classes=classes)


def parts_to_read(official: Sequence[str], wanted: set[str] | None) -> list[str]:
    """The official parts that the wanted splits need. A split that is not official is cut from training."""
    if wanted is None:
        return list(official)
    needed = {split if split in official else "train" for split in wanted}
    return [split for split in official if split in needed]
