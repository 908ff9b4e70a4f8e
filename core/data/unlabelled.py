"""Rows that nobody has labelled, encoded by the columns that a checkpoint brings; those that cannot be are told apart.

Where an input says `on_error: skip`, a row whose picture or sound cannot be read is left out and named, so that whoever
asked gets an answer for every other row. `max_skipped` has no part in it: it guards what is trained on, and here every
such row is marked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

import numpy as np

from ft.core.config.schema import AudioInput, DataSection, ImageInput, InputColumn
from ft.core.data.cells import Cells
from ft.core.data.columns import Column
from ft.core.data.gather import PROBES, gather_files
from ft.core.data.loader import Examples
from ft.core.data.table import Dataset, Table

ASKED = "predict"  # what the one split is called


@dataclass(frozen=True)
class Unlabelled:
    """examples: the rows that can be answered. names: of all rows. places: int64, of the examples among all rows.
    skipped: why the other rows were left out, by place. notes: what was missing, unknown, empty, cut or left out.
    cells: the values of the examples as they were given, by input.
    """

    examples: Examples
    names: Sequence[str]
    places: np.ndarray
    skipped: Mapping[int, str]
    notes: tuple[str, ...]
    cells: Mapping[str, Cells] = field(default_factory=dict)


def read_rows(
    data: DataSection,
    inputs: Mapping[str, Column],
    settings: Mapping[str, InputColumn],
    files: Sequence[Path],
) -> Unlabelled:
    """The rows of tables, in the order of the files. data: the experiment's own section, for how its tables are
    written. Raises DataError when a file or a column of it cannot be used.
    """
    return encode_rows(gather_files(data, {name: settings[name] for name in inputs}, files), inputs, settings)


def encode_texts(
    texts: Mapping[str, Sequence[str]],
    names: Sequence[str],
    inputs: Mapping[str, Column],
    settings: Mapping[str, InputColumn],
) -> Unlabelled:
    """Rows from texts as they would stand in a table, by input. Files they name are relative to the working folder."""
    table = Table({name: np.array(texts[name]) for name in inputs}, names)
    return encode_rows(Dataset({ASKED: table}, (ASKED,), {}, "the command line"), inputs, settings)


def encode_rows(dataset: Dataset, inputs: Mapping[str, Column], settings: Mapping[str, InputColumn]) -> Unlabelled:
    """The one split of a dataset, its columns called as the inputs are. Raises DataError when no row is left."""
    table = dataset.splits[ASKED]
    skipped: dict[int, str] = {}
    for name in inputs:
        column = settings[name]
        if isinstance(column, ImageInput | AudioInput) and column.on_error == "skip":
            skipped = _unreadable(dataset, name, column) | skipped
    places = np.setdiff1d(np.arange(len(table)), list(skipped)).astype(np.int64)
    names = table.names or [f"row {row}" for row in range(1, len(table) + 1)]
    kept = replace(dataset, splits={ASKED: table.take(places) if skipped else table})
    given = {name: kept.values(ASKED, name) for name in inputs}
    stored = {name: column.encode(given[name]) for name, column in inputs.items()}
    examples = Examples(stored, {}, [names[place] for place in places.tolist()], len(places))
    cells = {name: values.array for name, values in given.items()}
    return Unlabelled(examples, names, places, skipped, tuple(dataset.notes), cells)


def _unreadable(dataset: Dataset, name: str, settings: ImageInput | AudioInput) -> dict[int, str]:
    """Why rows' files cannot be used, by row; counted in a note. Raises DataError when none can."""
    module, function = PROBES[settings.type].split(":")
    values = dataset.values(ASKED, name)
    faults: dict[int, str] = getattr(import_module(module), function)(values, settings)
    if faults:
        count, (first, why) = len(values.array), min(faults.items())
        if len(faults) == count:
            raise values.error(f"no file can be read; the first: {why}" if count > 1 else why, first)
        values.note(f"{len(faults):,} of {count:,} rows have no answer, their files cannot be read")
    return faults
