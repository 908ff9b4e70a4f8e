"""Arrays in files, named by the experiment: `column: file`, or `column: file.npz:name`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ft.core.config.schema import ArraysData, ImageInput
from ft.core.data.sources.files import read_array
from ft.core.data.table import SPLITS, Dataset, Table, parts_to_read
from ft.core.errors import DataError


def load(section: ArraysData, pictures: Mapping[str, ImageInput], wanted: set[str] | None) -> Dataset:  # noqa: ARG001
    """Every column of the section, as its files hold them. Official splits: those the section lists."""
    written = {"train": section.train, "val": section.val, "test": section.test}
    files = {split: columns for split in SPLITS if (columns := written[split]) is not None}
    official = tuple(files)
    splits = {split: _read(section.root, split, files[split]) for split in parts_to_read(official, wanted)}
    return Dataset(splits, official, {}, f"arrays in {section.root}")


def _read(root: str, split: str, files: Mapping[str, str]) -> Table:
    columns: dict[str, np.ndarray] = {}
    for column, written in files.items():
        name, member = split_member(written)
        array = read_array(Path(root, name), member)
        if array.ndim == 0:
            raise DataError(f"{written} (column {column}, {split}): a single value; the first axis must count examples")
        columns[column] = array
    return Table(columns)


def split_member(written: str) -> tuple[str, str | None]:
    """`a.npz:name` -> file and name; anything else is a file, drive letters included."""
    stem, found, member = written.rpartition(".npz:")
    return (f"{stem}.npz", member) if found else (written, None)
