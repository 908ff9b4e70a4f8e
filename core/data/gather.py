"""From the settings of data and columns to cut tables: load, check, leave out unreadable files, split, name.

What comes out holds one column for each input and output, under its own name, whatever it is called in the data;
nothing is fitted or encoded yet. Preparing, checking and predicting all begin here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ft.core.config.schema import (
    CategoryOutput,
    DataSection,
    FileInput,
    HistoryInput,
    InputColumn,
    OutputColumn,
    RankingOutput,
    Split,
    TableData,
    TextInput,
    VectorInput,
)
from ft.core.config.schema.outputs import OutputSection
from ft.core.config.suggest import did_you_mean
from ft.core.data.columns.names import name_values
from ft.core.data.columns.reading import read_numbers
from ft.core.data.files import named_by_file
from ft.core.data.outline import KNOWN, columns_of, own_words, source_columns
from ft.core.data.sources import load
from ft.core.data.sources.table_csv import Dialect, first_row
from ft.core.data.sources.table_encoding import find_encodings
from ft.core.data.sources.table_files import format_of, is_table
from ft.core.data.splits import split_columns, split_dataset, split_names
from ft.core.data.table import Dataset, Table, Values
from ft.core.errors import ConfigError, DataError, Problem, TreePath

ColumnSettings: TypeAlias = "InputColumn | OutputColumn"
Reads: TypeAlias = "Mapping[str, tuple[str, ...]]"
Probe: TypeAlias = "Callable[[Values, FileInput], dict[int, str]]"

# Which rows' files cannot be read, and why, by the kind of input.
PROBES = {"image": "ft.core.data.columns.image:probe", "audio": "ft.core.data.columns.audio:probe"}


@dataclass(frozen=True)
class Gathered:
    """dataset: the cut tables. titles: by ranking output and split, the column that says what an item is called.

    times: by split, the column that puts the choices of histories in order; empty where nothing asks for it.
    beside: by split and name, columns of the data that were asked for and that the model need not know.
    """

    dataset: Dataset
    titles: Mapping[str, Mapping[str, Values | None]]
    times: Mapping[str, Values]
    beside: Mapping[str, Mapping[str, Values]]


def gather(
    data: DataSection,
    settings: Mapping[str, ColumnSettings],
    only: set[str] | None = None,
    beside: Collection[str] = (),
) -> Gathered:
    """The examples of a source, cut as `data.split` says. settings: of inputs and outputs, by name. only: as for load.
    beside: more columns of the data.

    Raises ConfigError for columns that are not there, DataError for data that cannot be used.
    """
    reads = reads_of(data, settings)
    titles = {name: s.title for name, s in settings.items() if isinstance(s, RankingOutput) and s.title}
    everything = {column for columns in reads.values() for column in columns}
    time = choice_time(data, settings)
    needed = everything | split_columns(data.split) | set(titles.values()) | ({time} if time else set()) | {*beside}
    dataset = load(data, needed, only, only_texts(settings, reads))
    require_columns(dataset, settings, reads, titles, beside)
    dataset = _skip_unreadable(dataset, data.split, settings, reads)
    dataset = _cut(dataset, data, settings, reads)
    return Gathered(
        named(dataset, settings, reads),
        {name: {split: dataset.values(split, title) for split in dataset.splits} for name, title in titles.items()},
        {split: dataset.values(split, time) for split in dataset.splits} if time else {},
        {split: {column: dataset.values(split, column) for column in beside} for split in dataset.splits},
    )


def choice_time(data: DataSection, settings: Mapping[str, ColumnSettings]) -> str | None:
    """The data's column that puts the choices of histories in order; None for the rows' own order, or no history."""
    histories = [column for column in settings.values() if isinstance(column, HistoryInput)]
    return (histories[0].time or data.split.time) if histories else None


def gather_files(data: DataSection, settings: Mapping[str, InputColumn], files: Sequence[Path]) -> Dataset:
    """The rows of tables that nobody has labelled, in the order of the files: one split, `predict`.

    Read as data.source says where that is a table too: its delimiter, header, encoding, missing values and joins.
    Files of a table without a header may have one: they are read by it where it names all the inputs, else by place.
    Raises DataError for a file that lacks a column, and one without a header that has others than the table.
    """
    reads = {name: columns_of(name, column) for name, column in settings.items()}
    needed = {column for columns in reads.values() for column in columns}
    section = _section_of(data, files)
    if isinstance(section.header, list):
        section = _with_own_header(section, section.header, needed, files)
    dataset = load(section, needed, {"train"}, only_texts(settings, reads))
    table = dataset.splits["train"]
    has = (*table.columns, *table.others)
    for read in sorted(needed.difference(has)):
        raise DataError(f"{files[0]} has no column {read}, it has {', '.join(has)}{did_you_mean(read, has)}")
    dataset = replace(dataset, splits={"predict": table}, official=("predict",))
    return named(dataset, settings, reads)


def _section_of(data: DataSection, files: Sequence[Path]) -> TableData:
    """The settings that read these files as the experiment's own tables are read."""
    own = data if isinstance(data, TableData) else TableData(source="table", train="")
    joins = [
        each.model_copy(update={"files": [str(Path(own.root, file)) for file in _listed(each.files)]})
        for each in own.join
    ]
    changes = {"root": ".", "train": list(map(str, files)), "val": None, "test": None, "join": joins}
    return own.model_copy(update=changes | ({"format": None} if all(map(is_table, files)) else {}))


def _with_own_header(section: TableData, header: list[str], needed: set[str], files: Sequence[Path]) -> TableData:
    """The section as it is, or with `header: true` where the files' first rows name all that is needed of `header`."""
    inputs = [name for name in header if name in needed or name in {each.on for each in section.join}]
    kinds = {file: format_of(file, section.format, ("data", "format")) for file in files}
    plain = [file for file, kind in kinds.items() if kind in ("csv", "tsv")]
    own = []
    for file, encoding in zip(plain, find_encodings(plain, section.encoding), strict=True):
        first, _ = first_row(file, Dialect.of(section, kinds[file]), encoding)
        if set(inputs) <= set(first):
            own.append(file)
        elif len(first) != len(header):
            expected = f"{len(header)} as the model was trained with ({', '.join(header)})"
            named = f"a first row that names {', '.join(inputs)}"
            raise DataError(f"{file}: has {len(first)} columns; expected {expected}, or {named}")
    if own and len(own) < len(plain):
        other = next(file for file in plain if file not in own)
        raise DataError(f"{other}: has no first row that names {', '.join(inputs)}, and {own[0]} has; ask one by one")
    return section.model_copy(update={"header": True}) if own else section


def _listed(files: str | list[str]) -> list[str]:
    return [files] if isinstance(files, str) else files


def reads_of(data: DataSection, settings: Mapping[str, ColumnSettings]) -> dict[str, tuple[str, ...]]:
    """The data's columns of each input and output.

    A source of pictures or sounds has one input and mostly one output: they stand for the only ones of a checkpoint
    that calls them otherwise, so that it can be judged on another source.
    """
    reads = {name: columns_of(name, column) for name, column in settings.items()}
    known, has = KNOWN.get(data.source), source_columns(data) or ()
    if known is None:
        return reads
    outputs = [name for name, column in settings.items() if isinstance(column, OutputSection)]
    inputs = [name for name in settings if name not in outputs]
    for names, own in ((inputs, known.input), (outputs, "" if own_words(data) else known.label)):
        if len(names) == 1 and own and not set(reads[names[0]]) <= set(has):
            reads[names[0]] = (own,)
    return reads


def only_texts(settings: Mapping[str, ColumnSettings], reads: Reads) -> set[str]:
    """The data's columns that are read as texts and as nothing else: in them no text stands for a missing value."""
    texts = {column for name, s in settings.items() if isinstance(s, TextInput) for column in reads[name]}
    return texts - {column for name, s in settings.items() if not isinstance(s, TextInput) for column in reads[name]}


def require_columns(
    dataset: Dataset,
    settings: Mapping[str, ColumnSettings],
    reads: Reads,
    titles: Mapping[str, str],
    beside: Collection[str] = (),
) -> None:
    """Raises ConfigError for every column that is not there, at the setting that names it.

    One that only some splits have is told at those splits.
    """
    problems = []
    wanted = [(column, _place(name, settings[name])) for name, columns in reads.items() for column in columns]
    wanted += [(title, ("outputs", name, "title")) for name, title in titles.items()]
    wanted += [
        (s.time, ("inputs", name, "time")) for name, s in settings.items() if isinstance(s, HistoryInput) and s.time
    ]
    wanted += [(column, ("eval", "slices", column)) for column in beside]
    for column, place in wanted:
        lacking = [split for split, table in dataset.splits.items() if column not in table.columns]
        everywhere = len(lacking) == len(dataset.splits)
        for split in lacking[:1] if everywhere else lacking:
            has = (*dataset.splits[split].columns, *dataset.splits[split].others)
            message = f"{split} has no column {column}, it has {', '.join(has)}{did_you_mean(column, has)}"
            problems.append(Problem(message, place if everywhere else ("data", split)))
    if problems:
        raise ConfigError(*problems)


def _place(name: str, column: ColumnSettings) -> TreePath:
    place: TreePath = ("outputs" if isinstance(column, OutputSection) else "inputs", name)
    if column.column:
        return (*place, "column")
    return (*place, "columns") if _is_collected(column) else place


def _skip_unreadable(dataset: Dataset, split: Split, settings: Mapping[str, ColumnSettings], reads: Reads) -> Dataset:
    """Without the rows whose picture or sound cannot be read, where `on_error: skip` says so; each column tells.

    Training's are still together with those of the splits that are cut from it.
    """
    cut = [each for each in split_names(dataset, split) if each == "train" or each not in dataset.official]
    for name, column in settings.items():
        if isinstance(column, FileInput) and column.on_error == "skip":
            module, function = PROBES[column.type].split(":")
            probe: Probe = getattr(import_module(module), function)
            kept = {}
            for part, table in dataset.splits.items():
                values = dataset.values(part, reads[name][0])
                whole = replace(values, split=", ".join(cut)) if part == "train" else values
                kept[part] = _readable(whole, table, column, probe)
            dataset = replace(dataset, splits=kept)
    return dataset


def _readable(values: Values, table: Table, settings: FileInput, probe: Probe) -> Table:
    """The rows whose files can be read. Raises DataError when more than max_skipped cannot."""
    unreadable = probe(values, settings)
    if not unreadable:
        return table
    first, why = min(unreadable.items())
    limit = settings.max_skipped if isinstance(settings.max_skipped, int) else settings.max_skipped * len(table)
    if len(unreadable) > limit:
        count = f"{len(unreadable):,} of {len(table):,} files cannot be read"
        message = f"{count}, more than max_skipped ({settings.max_skipped}); the first: {why}"
        raise values.error(message, None if named_by_file(values, first) else first)
    called = f"row {first}" if table.names is None else table.names[first]
    told = why if named_by_file(values, first) else f"{called}: {why}"
    values.note(f"{len(unreadable):,} of {len(table):,} rows left out, their files cannot be read; {told}")
    return table.take(np.setdiff1d(np.arange(len(table)), list(unreadable)))


def _cut(dataset: Dataset, data: DataSection, settings: Mapping[str, ColumnSettings], reads: Reads) -> Dataset:
    """The dataset with validation and test set aside, stratified by the first category output."""
    return replace(dataset, splits=split_dataset(dataset, data.split, class_groups(dataset, settings, reads)))


def class_groups(dataset: Dataset, settings: Mapping[str, ColumnSettings], reads: Reads) -> np.ndarray | None:
    """What a split is stratified by: int64 (N,), the training rows' classes; None without a category output."""
    category = next((name for name, column in settings.items() if isinstance(column, CategoryOutput)), None)
    if category is None or "train" not in dataset.splits:
        return None
    return name_values(dataset.values("train", reads[category][0]))[0]


def named(dataset: Dataset, settings: Mapping[str, ColumnSettings], reads: Reads) -> Dataset:
    """The same with a column for each input and output under its own name; those of a vector become one array."""
    splits = {}
    for split, table in dataset.splits.items():
        columns = {
            name: _side_by_side(dataset, split, read) if _is_collected(settings[name]) else table.columns[read[0]]
            for name, read in reads.items()
            if read
        }
        splits[split] = replace(table, columns=columns, others=())
    classes = {name: dataset.classes[read[0]] for name, read in reads.items() if read and read[0] in dataset.classes}
    return replace(dataset, splits=splits, classes=classes)


def _is_collected(column: ColumnSettings) -> bool:
    return isinstance(column, VectorInput) and column.columns is not None


def _side_by_side(dataset: Dataset, split: str, columns: Sequence[str]) -> np.ndarray:
    """Columns of numbers -> float64 (N, K), NaN where missing. Raises DataError naming the column and row."""
    arrays = []
    for column in columns:
        values = dataset.values(split, column)
        numbers = read_numbers(values)
        if numbers.size != len(numbers):
            raise values.error(f"each example has shape {numbers.shape[1:]}; columns side by side are numbers")
        arrays.append(numbers.reshape(-1).astype(np.float64))
    return np.stack(arrays, axis=1)
