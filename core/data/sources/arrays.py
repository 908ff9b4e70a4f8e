"""Arrays in files, named by the experiment: `column: file`, or `column: file.npz:name`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from ft.core.config.schema import ArraysData
from ft.core.data.sources.files import read_array
from ft.core.data.table import SPLITS, Dataset, RowNames, Table, parts_to_read
from ft.core.errors import DataError


def load(section: ArraysData, needed: Collection[str] | None, wanted: set[str] | None) -> Dataset:
    """The needed columns, as their files hold them. Official splits: those the section lists."""
    written = {"train": section.train, "val": section.val, "test": section.test}
    files = {split: columns for split in SPLITS if (columns := written[split]) is not None}
    official = tuple(files)
    splits = {split: _read(section.root, split, files[split], needed) for split in parts_to_read(official, wanted)}
    return Dataset(splits, official, {}, f"arrays in {section.root}")


def _read(root: str, split: str, files: Mapping[str, str], needed: Collection[str] | None) -> Table:
    columns: dict[str, np.ndarray] = {}
    chosen = [column for column in files if needed is None or column in needed] or list(files)[:1]
    for column in chosen:
        written = files[column]
        name, member = split_member(written)
        array = read_array(Path(root, name), member)
        if array.ndim == 0:
            raise DataError(f"{written} (column {column}, {split}): a single value; the first axis must count examples")
        columns[column] = array
    rows = np.arange(len(columns[chosen[0]]))
    others = tuple(column for column in files if column not in columns)
    return Table(columns, RowNames([""], np.zeros(1, np.int64), rows), others=others)


def split_member(written: str) -> tuple[str, str | None]:
    """`a.npz:name` -> file and name; anything else is a file, drive letters included."""
    stem, found, member = written.rpartition(".npz:")
    return (f"{stem}.npz", member) if found else (written, None)
