"""From the settings of data and columns to encoded examples: gather, fit on training, encode.

`prepare_data` is for training. `prepare_with` is for judging a checkpoint: its columns bring their fitted state,
nothing is fitted again, and classes meet by name. Both read only the splits asked for where the source can.
Rows that nobody has labelled are unlabelled.py's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor

from ft.core.config.schema import DataSection, HistoryInput, InputColumn, OutputColumn, RankingOutput
from ft.core.data.catalog import Catalog
from ft.core.data.catalog_fit import fit_catalog
from ft.core.data.checks.findings import listed
from ft.core.data.checks.repeats import JUDGES
from ft.core.data.columns import MADE_OF_OTHERS, Column, column_from_state, fit_column
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.columns.history import HistoryColumn
from ft.core.data.gather import Gathered, gather
from ft.core.data.history import choice_order, with_histories
from ft.core.data.leaks import leak_notes
from ft.core.data.loader import Examples
from ft.core.data.outline import settle_columns
from ft.core.data.positions import with_names
from ft.core.data.ranking import ranking_notes
from ft.core.data.splits import split_names
from ft.core.data.stored import Stored
from ft.core.data.table import SPLITS, Dataset, Values
from ft.core.errors import DataError
from ft.core.runtime.timings import phase


@dataclass(frozen=True)
class Data:
    """Encoded examples and the columns that encoded them.

    examples: by split, those asked for. splits: all there are, read or not. found: where they came from, one line.
    output_settings: as written or filled in by the source; empty when the columns came from a checkpoint.
    fingerprints: by split, SHA-256 of the encoded bytes and of the columns' names, types and classes.
    class_counts: of the training split if it was read, by output and class or label.
    notes: what the user should know of the values: what was missing, unknown, cut, left out or in two splits.
    beside: by split and name, further columns of the data, row by row as the examples.
    """

    examples: Mapping[str, Examples]
    inputs: Mapping[str, Column]
    outputs: Mapping[str, Column]
    splits: tuple[str, ...]
    found: str
    fingerprints: Mapping[str, str]
    class_counts: Mapping[str, Mapping[str, int]]
    output_settings: Mapping[str, OutputColumn] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    beside: Mapping[str, Mapping[str, Values]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Of what training sees, train and val, so that it does not depend on whether the test was read; else of all.

        File names and times have no part in it.
        """
        seen = sorted({"train", "val"} & set(self.fingerprints) or self.fingerprints)
        lines = (f"{split} {self.fingerprints[split]}\n" for split in seen)
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def summary(self) -> str:
        """Where the data came from and how many examples each split has, in one line."""
        sizes = ", ".join(f"{split} {len(examples):,}" for split, examples in self.examples.items())
        return f"{self.found}: {sizes}"


@phase("data")
def prepare_data(
    data: DataSection,
    inputs: Mapping[str, InputColumn] | None,
    outputs: Mapping[str, OutputColumn] | None,
    *,
    only: set[str] | None = None,
    keep: Mapping[str, Mapping[str, Any]] | None = None,
    allow: Callable[[int], None] | None = None,
    beside: Collection[str] = (),
) -> Data:
    """Load, split, fit on training and encode. inputs, outputs: None for the source's own.

    only: the splits to encode, "train" among them; None: all there are. keep: states of columns of an earlier training,
    whose normalisation, classes of inputs and catalogues stay where the settings leave them to fitting. allow: raises
    where there are too few training rows; it is given their number before any is decoded. beside: further columns.
    Raises ConfigError when the settings are at fault, DataError when the data are.
    """
    input_settings, output_settings = settle_columns(data, inputs, outputs)
    settings: dict[str, InputColumn | OutputColumn] = {**input_settings, **output_settings}
    gathered = gather(data, settings, only, beside)
    dataset = gathered.dataset
    if "train" not in dataset.splits:
        raise DataError(f"{dataset.found}: has no training examples, only {', '.join(dataset.official)}")
    if allow is not None:
        allow(len(dataset.splits["train"]))
    earlier = {name: column_from_state(state) for name, state in (keep or {}).items()}
    columns: dict[str, Column] = {}
    training: dict[str, Stored] = {}
    for name in settings:
        if settings[name].type not in MADE_OF_OTHERS:
            values = dataset.values("train", name)
            columns[name], training[name] = fit_column(settings[name], values, earlier.get(name))
    columns |= _histories(input_settings, output_settings, columns)
    fitted_inputs = {name: columns[name] for name in input_settings}
    examples = _encode(dataset, fitted_inputs, {n: columns[n] for n in output_settings if n in columns}, only, training)
    orders = _orders(gathered, examples)
    for name, ranking in output_settings.items():
        if isinstance(ranking, RankingOutput):
            titles, before = gathered.titles.get(name, {}), earlier.get(name)
            known = before if isinstance(before, Catalog) else None
            kept = {n for n, column in fitted_inputs.items() if n in earlier and _same(column, earlier[n])}
            columns[name] = fit_catalog(name, ranking, fitted_inputs, examples, titles, known, kept, orders)
    fitted_outputs = {name: columns[name] for name in output_settings}
    examples = with_histories(examples, fitted_inputs, _catalog(fitted_outputs), orders)
    prepared = _as_data(dataset, data, fitted_inputs, fitted_outputs, _with_choices(examples, fitted_outputs))
    return replace(prepared, output_settings=output_settings, beside=gathered.beside)


@phase("data")
def prepare_with(
    data: DataSection,
    inputs: Mapping[str, Column],
    outputs: Mapping[str, Column],
    settings: Mapping[str, InputColumn | OutputColumn],
    *,
    only: set[str] | None = None,
    beside: Collection[str] = (),
    classes: Mapping[str, Sequence[str]] | None = None,
) -> Data:
    """Load and encode with columns that a checkpoint brings. settings: of each of them, by name.

    only: the splits to encode; one that there is not is left out. Cut splits come out as they did in training.
    beside: further columns of the data.
    classes: what integers of an output stand for in these data, where that is another list than the checkpoint's.
    A picture source's own two columns stand for the checkpoint's only input and only output, whatever their names.
    Raises DataError when a class is not among the checkpoint's, ConfigError when a column is not there.
    """
    gathered = gather(data, {name: settings[name] for name in (*inputs, *outputs)}, only, beside)
    dataset = with_names(gathered.dataset, classes or {})
    read = {name: column for name, column in outputs.items() if not isinstance(column, Catalog)}
    examples = _encode(dataset, inputs, read, only, {})
    examples = with_histories(examples, inputs, _catalog(outputs), _orders(gathered, examples))
    prepared = _as_data(dataset, data, inputs, outputs, _with_choices(examples, outputs))
    return replace(prepared, beside=gathered.beside)


def _histories(
    inputs: Mapping[str, InputColumn], outputs: Mapping[str, OutputColumn], columns: Mapping[str, Column]
) -> dict[str, HistoryColumn]:
    """The columns of histories: of what the ranking's user chose. columns: the fitted ones, by name."""
    items = [columns[output.item] for output in outputs.values() if isinstance(output, RankingOutput)]
    found = {}
    for name, settings in inputs.items():
        if isinstance(settings, HistoryInput):
            (item,) = items
            assert isinstance(item, CategoryColumn), "checked by settle_columns"
            found[name] = HistoryColumn.of(settings, item)
    return found


def _catalog(outputs: Mapping[str, Column]) -> Catalog | None:
    return next((column for column in outputs.values() if isinstance(column, Catalog)), None)


def _orders(gathered: Gathered, examples: Mapping[str, Examples]) -> dict[str, Tensor]:
    """By split, the row numbers in the order of choice."""
    return {split: choice_order(gathered.times.get(split), len(some)) for split, some in examples.items()}


def _encode(
    dataset: Dataset,
    inputs: Mapping[str, Column],
    outputs: Mapping[str, Column],
    only: set[str] | None,
    training: Mapping[str, Stored],
) -> dict[str, Examples]:
    """Encode the splits asked for. training: columns of the training split that are encoded already."""
    return {
        split: _encode_split(dataset, split, inputs, outputs, training if split == "train" else {})
        for split in sorted(dataset.splits, key=SPLITS.index)
        if only is None or split in only
    }


def _encode_split(
    dataset: Dataset,
    split: str,
    inputs: Mapping[str, Column],
    outputs: Mapping[str, Column],
    done: Mapping[str, Stored],
) -> Examples:
    stored, targets = (
        {
            name: done[name] if name in done else column.encode(dataset.values(split, name))
            for name, column in side
            if not isinstance(column, HistoryColumn)  # made of the others, once they are all there
        }
        for side in (inputs.items(), outputs.items())
    )
    table = dataset.splits[split]
    return Examples(stored, {name: _in_memory(target) for name, target in targets.items()}, table.names, len(table))


def _in_memory(stored: Stored) -> Tensor:
    assert isinstance(stored, Tensor), "targets, and categories, are tensors"
    return stored


def _same(column: Column, earlier: Column) -> bool:
    """Whether both encode alike."""
    return column.to_state() == earlier.to_state()


def _with_choices(examples: Mapping[str, Examples], outputs: Mapping[str, Column]) -> dict[str, Examples]:
    """The same with the target of every ranking: int64 (N,), the code of the item that each row's user chose."""
    rankings = {name: column.item for name, column in outputs.items() if isinstance(column, Catalog)}
    return {
        split: replace(
            some, targets={**some.targets, **{name: _in_memory(some.inputs[item]) for name, item in rankings.items()}}
        )
        for split, some in examples.items()
    }


def _as_data(
    dataset: Dataset,
    data: DataSection,
    inputs: Mapping[str, Column],
    outputs: Mapping[str, Column],
    examples: Mapping[str, Examples],
) -> Data:
    columns = {**inputs, **outputs}
    with ThreadPoolExecutor() as pool:  # hashlib lets go of the interpreter lock
        digests = pool.map(lambda split: _fingerprint(split, columns), examples.values())
        fingerprints = dict(zip(examples, digests, strict=True))
    splits, counts = split_names(dataset, data.split), _count_classes(examples, outputs)
    ranks = any(isinstance(column, Catalog) for column in outputs.values())
    notes = [*dataset.notes, *(_notes_of_rankings(examples, outputs) if ranks else leak_notes(examples))]
    notes += _absent_classes(examples, outputs)
    return Data(examples, inputs, outputs, splits, dataset.found, fingerprints, counts, notes=tuple(notes))


def _notes_of_rankings(examples: Mapping[str, Examples], outputs: Mapping[str, Column]) -> list[str]:
    rankings = {name: column for name, column in outputs.items() if isinstance(column, Catalog)}
    told = [ranking_notes(name, rankings[name], some, split) for name in rankings for split, some in examples.items()]
    return [note for notes in told for note in notes]


def _absent_classes(examples: Mapping[str, Examples], outputs: Mapping[str, Column]) -> list[str]:
    """A line for each split that judges without an example of some class."""
    notes = []
    categories = {name: column for name, column in outputs.items() if isinstance(column, CategoryColumn)}
    for name, column in categories.items():
        for split in (split for split in JUDGES if split in examples):
            absent = [each for each, rows in column.count(examples[split].targets[name]).items() if not rows]
            if absent:
                told = f"no example of {listed(absent)}; {split} cannot tell how well they are learned"
                notes.append(f"column {name}, {split}: {told}")
    return notes


def _count_classes(examples: Mapping[str, Examples], outputs: Mapping[str, Column]) -> dict[str, dict[str, int]]:
    """Of the outputs whose columns can count: categories and labels."""
    if "train" not in examples:
        return {}
    targets = examples["train"].targets
    return {name: column.count(targets[name]) for name, column in outputs.items() if hasattr(column, "count")}


def _fingerprint(examples: Examples, columns: Mapping[str, Column]) -> str:
    digest = hashlib.sha256()
    for name, stored in sorted({**examples.inputs, **examples.targets}.items()):
        meaning = _meaning(columns[name])
        if isinstance(stored, Tensor):
            digest.update(repr((name, str(stored.dtype), tuple(stored.shape), meaning)).encode())
            digest.update(np.ascontiguousarray(stored.numpy()).data)
        else:
            digest.update(repr((name, len(stored), meaning)).encode())
            digest.update(stored.digest())
    return digest.hexdigest()


def _meaning(column: Column) -> object:
    """What the indices of a column stand for: the same numbers under other names are other data."""
    names = getattr(column, "classes", ()) or getattr(column, "names", ())
    return column.to_state() if column.kind == "text" else names
