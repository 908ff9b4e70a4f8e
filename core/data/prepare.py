"""From the settings of data and columns to encoded examples: load, split, fit on training, encode.

`prepare_data` is for training. `prepare_with` is for judging a checkpoint: its columns bring their fitted state,
nothing is fitted again, and classes meet by name. Both read only the splits asked for where the source can.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from torch import Tensor

from ft.core.config.schema import CategoryOutput, DataSection, ImageInput, InputColumn, OutputColumn
from ft.core.config.suggest import did_you_mean
from ft.core.data.columns import Column, column_from_state, fit_column
from ft.core.data.columns.category import CategoryColumn, name_values
from ft.core.data.columns.image import ImageColumn
from ft.core.data.loader import Examples
from ft.core.data.outline import KNOWN, settle_columns
from ft.core.data.sources import load
from ft.core.data.splits import split_dataset, split_names
from ft.core.data.table import SPLITS, Dataset
from ft.core.errors import ConfigError, DataError, Problem


@dataclass(frozen=True)
class Data:
    """Encoded examples and the columns that encoded them.

    examples: by split, those asked for. splits: all there are, read or not. found: where they came from, one line.
    output_settings: as written or filled in by the source; empty when the columns came from a checkpoint.
    fingerprints: by split, SHA-256 of the encoded bytes and of the columns' names, types and classes.
    class_counts: of the training split if it was read, by category output and class.
    """

    examples: Mapping[str, Examples]
    inputs: Mapping[str, Column]
    outputs: Mapping[str, Column]
    splits: tuple[str, ...]
    found: str
    fingerprints: Mapping[str, str]
    class_counts: Mapping[str, Mapping[str, int]]
    output_settings: Mapping[str, OutputColumn] = field(default_factory=dict)

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


def prepare_data(
    data: DataSection,
    inputs: Mapping[str, InputColumn] | None,
    outputs: Mapping[str, OutputColumn] | None,
    *,
    only: set[str] | None = None,
    keep: Mapping[str, Mapping[str, Any]] | None = None,
) -> Data:
    """Load, split, fit on training and encode. inputs, outputs: None for the source's own.

    only: the splits to encode, "train" among them; None: all there are. keep: states of input columns of an earlier
    training, whose normalisation and classes stay where the settings leave them to fitting.
    Raises ConfigError when the settings are at fault, DataError when the data are.
    """
    input_settings, output_settings = settle_columns(data, inputs, outputs)
    settings: dict[str, InputColumn | OutputColumn] = {**input_settings, **output_settings}
    dataset = load(data, {name: s for name, s in input_settings.items() if isinstance(s, ImageInput)}, only)
    _require_columns(dataset, settings)
    if "train" not in dataset.splits:
        raise DataError(f"{dataset.found}: has no training examples, only {', '.join(dataset.official)}")
    dataset = _cut(dataset, data, [name for name, s in output_settings.items() if isinstance(s, CategoryOutput)])
    earlier = {name: column_from_state(state) for name, state in (keep or {}).items()}
    columns: dict[str, Column] = {}
    training: dict[str, Tensor] = {}
    for name in settings:
        columns[name], training[name] = fit_column(settings[name], dataset.values("train", name), earlier.get(name))
    fitted_inputs = {name: columns[name] for name in input_settings}
    fitted_outputs = {name: columns[name] for name in output_settings}
    encoded = _encode(dataset, data, fitted_inputs, fitted_outputs, only, training)
    return replace(encoded, output_settings=output_settings)


def prepare_with(
    data: DataSection, inputs: Mapping[str, Column], outputs: Mapping[str, Column], *, only: set[str] | None = None
) -> Data:
    """Load and encode with columns that a checkpoint brings.

    only: the splits to encode; one that there is not is left out. Cut splits come out as they did in training.
    A picture source's own two columns stand for the checkpoint's only input and only output, whatever their names.
    Raises DataError when a class is not among the checkpoint's, ConfigError when a column is not there.
    """
    names = _aliases(data, inputs, outputs)
    pictures = {own: inputs[name] for own, name in names.items() if name in inputs}
    dataset = load(data, {own: _as_settings(c) for own, c in pictures.items() if isinstance(c, ImageColumn)}, only)
    dataset = dataset.renamed(names)
    _require_columns(dataset, [*inputs, *outputs])
    dataset = _cut(dataset, data, [name for name, column in outputs.items() if isinstance(column, CategoryColumn)])
    return _encode(dataset, data, inputs, outputs, only, {})


def _aliases(data: DataSection, inputs: Mapping[str, Column], outputs: Mapping[str, Column]) -> dict[str, str]:
    """The source's own column names -> the checkpoint's, for a source that knows one input and one output."""
    known = KNOWN.get(data.source)
    pairs = ((known.image, inputs), (known.label, outputs)) if known else ()
    return {own: next(iter(columns)) for own, columns in pairs if len(columns) == 1}


def _cut(dataset: Dataset, data: DataSection, categories: list[str]) -> Dataset:
    """The dataset with validation and test set aside, stratified by the first category output."""
    groups = None
    if categories and "train" in dataset.splits:
        groups, _ = name_values(dataset.values("train", categories[0]))
    return replace(dataset, splits=split_dataset(dataset, data.split, groups))


def _require_columns(dataset: Dataset, names: Iterable[str]) -> None:
    problems = []
    for split, table in dataset.splits.items():
        for name in names:
            if name not in table.columns:
                has = ", ".join(table.columns)
                message = f"{split} has no column {name}, it has {has}{did_you_mean(name, table.columns)}"
                problems.append(Problem(message, ("data", split)))
    if problems:
        raise ConfigError(*problems)


def _as_settings(column: ImageColumn) -> ImageInput:
    """What a source that decodes files needs to know."""
    channels, height, width = column.shape
    return ImageInput(type="image", size=(height, width), channels=1 if channels == 1 else 3)


def _encode(
    dataset: Dataset,
    data: DataSection,
    inputs: Mapping[str, Column],
    outputs: Mapping[str, Column],
    only: set[str] | None,
    training: Mapping[str, Tensor],
) -> Data:
    """Encode the splits asked for. training: columns of the training split that are encoded already."""
    columns = {**inputs, **outputs}
    examples = {}
    for split in sorted(dataset.splits, key=SPLITS.index):
        if only is None or split in only:
            done = training if split == "train" else {}
            examples[split] = _encode_split(dataset, split, inputs, outputs, done)
    with ThreadPoolExecutor() as pool:  # hashlib lets go of the interpreter lock
        digests = pool.map(lambda split: _fingerprint(split, columns), examples.values())
        fingerprints = dict(zip(examples, digests, strict=True))
    splits = split_names(dataset, data.split)
    return Data(examples, inputs, outputs, splits, dataset.found, fingerprints, _count_classes(examples, outputs))


def _encode_split(
    dataset: Dataset,
    split: str,
    inputs: Mapping[str, Column],
    outputs: Mapping[str, Column],
    done: Mapping[str, Tensor],
) -> Examples:
    stored, targets = (
        {name: done[name] if name in done else column.encode(dataset.values(split, name)) for name, column in side}
        for side in (inputs.items(), outputs.items())
    )
    table = dataset.splits[split]
    return Examples(stored, targets, table.names, len(table))


def _count_classes(examples: Mapping[str, Examples], outputs: Mapping[str, Column]) -> dict[str, dict[str, int]]:
    if "train" not in examples:
        return {}
    targets = examples["train"].targets
    return {name: column.count(targets[name]) for name, column in outputs.items() if isinstance(column, CategoryColumn)}


def _fingerprint(examples: Examples, columns: Mapping[str, Column]) -> str:
    digest = hashlib.sha256()
    for name, stored in sorted({**examples.inputs, **examples.targets}.items()):
        column = columns[name]
        classes = column.classes if isinstance(column, CategoryColumn) else ()
        digest.update(repr((name, str(stored.dtype), tuple(stored.shape), classes)).encode())
        digest.update(np.ascontiguousarray(stored.numpy()).data)
    return digest.hexdigest()
