"""Rows of csv, tsv, jsonl or parquet files: one set of files for each split, or one that is cut; columns joined on.

Only the columns that are asked for are kept, as Arrow arrays: text in one buffer and not an object for each row. What
their texts mean is the columns' work; here they only may be missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ft.core.config.schema import Join, TableData
from ft.core.config.suggest import did_you_mean
from ft.core.data.sources import table_csv, table_typed
from ft.core.data.sources.join import join
from ft.core.data.sources.table_encoding import CHINESE, Encoding, find_encodings
from ft.core.data.sources.table_files import PLAIN, format_of, list_files, need_arrow
from ft.core.data.table import SPLITS, Dataset, RowNames, Table, parts_to_read
from ft.core.errors import ConfigError, DataError, Problem, TreePath

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Rows:
    """What some files hold, one after another. columns: the names of all, read or not. counts: rows of each file."""

    table: pyarrow.Table
    columns: tuple[str, ...]
    files: Sequence[Path]
    counts: Sequence[int]


def load(
    section: TableData, needed: Collection[str] | None, wanted: set[str] | None, texts: Collection[str] = ()
) -> Dataset:
    """The needed columns of the wanted splits; one that a split lacks is not in its table. Official: those written.

    texts: columns that are text for the model; what stands for a missing value elsewhere stays as it is in them.
    Raises DataError for files that are not there, cannot be read or do not fit together, ConfigError for settings.
    """
    need_arrow()
    root = Path(section.root)
    notes: list[str] = []
    written = {split: files for split in SPLITS if (files := getattr(section, split)) is not None}
    asked = None if needed is None else {*needed, *(each.on for each in section.join)}
    others = [_read_join(section, place, each, asked, texts, notes) for place, each in enumerate(section.join)]
    splits, found = {}, ""
    for split in parts_to_read(tuple(written), wanted):
        rows = _read(section, list_files(root, written[split]), ("data", split), asked, texts, notes)
        table, columns = _joined(section.join, rows, others, split, asked, notes)
        splits[split] = _as_table(table, rows, columns, needed, root)
        found = found or _describe(rows.files, root)
        if section.header is True and needed and format_of(rows.files[0], section.format, ("data", split)) in PLAIN:
            table_csv.refuse_example_for_names(rows.files[0], rows.columns, columns, needed)
    return Dataset(splits, tuple(written), {}, found, list(dict.fromkeys(notes)))


def _read(
    section: TableData,
    paths: Sequence[Path],
    place: TreePath,
    asked: Collection[str] | None,
    texts: Collection[str],
    notes: list[str],
) -> Rows:
    """The rows of some files, which must have the same columns. place: of the setting that names them."""
    kinds = [format_of(path, section.format, place) for path in paths]
    plain = [path for path, kind in zip(paths, kinds, strict=True) if kind != "parquet"]
    encodings = dict(zip(plain, find_encodings(plain, section.encoding), strict=True))
    if section.encoding == "auto":
        chinese = [path.name for path, encoding in encodings.items() if encoding.codec == CHINESE]
        notes += [f"{name}: is not UTF-8, read as GB18030 (Chinese); data.encoding names another" for name in chinese]
    tables: list[pyarrow.Table] = []
    columns: list[str] = []
    for path, kind in zip(paths, kinds, strict=True):
        table, names = _read_file(section, path, kind, encodings.get(path), asked)
        columns = columns or names
        if set(names) != set(columns):
            raise _other_columns(path, names, paths[0], columns)
        tables.append(_settled(table.select(sorted(table.column_names, key=columns.index)), section.missing, texts))
    return Rows(_stacked(paths, tables), tuple(columns), paths, [len(table) for table in tables])


def _other_columns(path: Path, names: Sequence[str], first: Path, expected: Sequence[str]) -> DataError:
    more = ", ".join(name for name in names if name not in expected) or "no other column"
    less = ", ".join(name for name in expected if name not in names) or "no other"
    return DataError(f"{path}: has {more} where {first} has {less}; files read together need the same columns")


def _read_file(
    section: TableData, path: Path, kind: str, encoding: Encoding | None, asked: Collection[str] | None
) -> tuple[pyarrow.Table, list[str]]:
    if encoding is None:
        return table_typed.read_parquet(path, asked)
    if kind == "jsonl":
        return table_typed.read_jsonl(path, encoding, asked)
    return table_csv.read_csv(path, table_csv.Dialect.of(section, kind), encoding, asked)


def _settled(table: pyarrow.Table, missing: Sequence[str], texts: Collection[str]) -> pyarrow.Table:
    """Columns in the types that columns read: text large, dictionaries and decimals unpacked, missing texts null."""
    import pyarrow
    import pyarrow.compute as pc
    from pyarrow import types

    for place, name in enumerate(table.column_names):
        column = table[name]
        if types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if types.is_string(column.type):
            column = column.cast(pyarrow.large_string())
        elif types.is_decimal(column.type):
            column = column.cast(pyarrow.float64())
        if types.is_large_string(column.type) and name not in texts:
            stands = pc.is_in(column, value_set=pyarrow.array(missing, pyarrow.large_string()))
            column = pc.if_else(stands, pyarrow.scalar(None, pyarrow.large_string()), column)
        table = table.set_column(place, name, column)
    return table


def _stacked(paths: Sequence[Path], tables: Sequence[pyarrow.Table]) -> pyarrow.Table:
    """Whole and broken numbers go together, and a column that a file holds nothing of with whatever others hold.

    A column that no file holds anything of becomes text. Raises DataError naming the column and files whose types
    differ.
    """
    import pyarrow

    try:
        table = pyarrow.concat_tables(tables, promote_options="permissive")
        for place, field in enumerate(table.schema):
            if pyarrow.types.is_null(field.type):
                table = table.set_column(place, field.name, table[place].cast(pyarrow.large_string()))
        return table
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError) as error:
        for path, table in zip(paths, tables, strict=True):
            for name in table.column_names:
                first, found = tables[0].schema.field(name).type, table.schema.field(name).type
                if first != found:
                    raise DataError(f"{path}: column {name} is {found}, in {paths[0]} it is {first}") from error
        raise


def _read_join(
    section: TableData,
    place: int,
    settings: Join,
    asked: Collection[str] | None,
    texts: Collection[str],
    notes: list[str],
) -> Rows:
    key = settings.key or settings.on
    paths = list_files(Path(section.root), settings.files)
    wanted = None if asked is None else {*asked, key}
    own = settings_of_join(section, settings)
    rows = _read(own, paths, ("data", "join", place, "files"), wanted, texts, notes)
    if key not in rows.columns:
        refuse_key(paths[0], key, rows.columns, place, "key" if settings.key else "on")
    return rows


def _joined(
    joins: Sequence[Join],
    rows: Rows,
    others: Sequence[Rows],
    split: str,
    asked: Collection[str] | None,
    notes: list[str],
) -> tuple[pyarrow.Table, tuple[str, ...]]:
    """The rows with the columns of every join beside them, and the names of all columns there are now."""
    table, columns = rows.table, rows.columns
    for place, (settings, other) in enumerate(zip(joins, others, strict=True)):
        key = settings.key or settings.on
        if settings.on not in columns:
            refuse_key(rows.files[0], settings.on, columns, place, "on")
        name = ", ".join(path.name for path in other.files)
        table, note = join(table, other.table, settings.on, key, name=name, asked=asked)
        columns += tuple(column for column in other.columns if column != key)
        notes += [f"{split}: {note}"] if note else []
    return table, columns


def settings_of_join(section: TableData, join: Join) -> TableData:
    """How the files of a join are written, as the settings of a table."""
    dialect = {
        "format": join.format or section.format,
        "delimiter": join.delimiter or section.delimiter,
        "header": join.header,
    }
    return section.model_copy(update=dialect)


def refuse_key(path: Path, key: str, columns: Sequence[str], place: int, setting: str) -> None:
    """Raises ConfigError for a key of a join that a file does not have. setting: on or key."""
    message = f"{path} has no column {key}, it has {', '.join(columns)}{did_you_mean(key, columns)}"
    raise ConfigError(Problem(message, ("data", "join", place, setting)))


def _as_table(
    table: pyarrow.Table, rows: Rows, columns: tuple[str, ...], needed: Collection[str] | None, root: Path
) -> Table:
    kept = [name for name in table.column_names if needed is None or name in needed] or table.column_names[:1]
    read: Mapping[str, pyarrow.Array] = {name: table[name].combine_chunks() for name in kept}
    starts = np.concatenate([[0], np.cumsum(rows.counts)[:-1]]).astype(np.int64)
    names = RowNames([_below(path, root) for path in rows.files], starts, np.arange(len(table)))
    folders = {path.parent for path in rows.files}
    others = tuple(column for column in dict.fromkeys(columns) if column not in read)
    return Table(read, names, folders.pop() if len(folders) == 1 else None, others)


def _below(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _describe(files: Sequence[Path], root: Path) -> str:
    return f"table {files[0]}" if len(files) == 1 else f"table of {len(files):,} files in {root}"
