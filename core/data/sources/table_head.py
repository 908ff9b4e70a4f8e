"""The columns of a table's files from their first lines, so that settings are held against them in a moment.

Rows are not read: one below the names must be there, and what is in it is not looked at. Rows of JSON lines may leave
keys out, so that only the whole of a file tells which it has: of one larger than 256 kB nothing is said to be missing.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection
from itertools import islice
from pathlib import Path

from ft.core.config.schema import TableData
from ft.core.data.guess.dialect import BEGINNING, beginning, decoded
from ft.core.data.sources.table import refuse_key, settings_of_join
from ft.core.data.sources.table_csv import Dialect, column_names, refuse_example_for_names, refuse_other_delimiter
from ft.core.data.sources.table_encoding import codec_of
from ft.core.data.sources.table_files import PLAIN, format_of, list_files
from ft.core.data.table import SPLITS
from ft.core.errors import DataError, MissingExtraError, TreePath


def find_files(section: TableData) -> dict[TreePath, list[Path]]:
    """The files that each setting names. Raises DataError for those that are not there."""
    root = Path(section.root)
    parts: dict[TreePath, list[Path]] = {
        ("data", split): list_files(root, files) for split in SPLITS if (files := getattr(section, split)) is not None
    }
    joins = {("data", "join", place, "files"): list_files(root, each.files) for place, each in enumerate(section.join)}
    return parts | joins


def columns_by_split(section: TableData, needed: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The names of the columns that each split has, those of joins too.

    Of several files the first is looked at: that the others agree, loading finds. Raises as loading would, as far as
    the first lines tell.
    """
    files = find_files(section)
    joined: list[str] = []
    for place, each in enumerate(section.join):
        at: TreePath = ("data", "join", place, "files")
        names = _names(settings_of_join(section, each), files[at][0], at, (*needed, each.key or each.on))
        key = each.key or each.on
        if key not in names:
            refuse_key(files[at][0], key, names, place, "key" if each.key else "on")
        joined += (name for name in names if name != key)
    found = {}
    for split in (split for split in SPLITS if ("data", split) in files):
        first = files["data", split][0]
        own = _names(section, first, ("data", split), (*needed, *(each.on for each in section.join)))
        for place, each in enumerate(section.join):
            if each.on not in (*own, *joined):
                refuse_key(first, each.on, own, place, "on")
        found[split] = (*own, *joined)
        if section.header is True and format_of(first, section.format, ("data", split)) in PLAIN:
            refuse_example_for_names(first, own, found[split], needed)
    return found


def names_itself(section: TableData, file: Path, needed: Collection[str]) -> bool:
    """Whether a file has a header of its own although the section lists the names: its first row has all of those that
    are needed and that no join brings."""
    kind = format_of(file, section.format, ("data", "format"))
    if not isinstance(section.header, list) or kind not in PLAIN:
        return False
    wanted = set(section.header) & {*needed, *(each.on for each in section.join)}
    return wanted <= set(_first_rows(file, Dialect.of(section, kind), section.encoding)[0])


def _names(section: TableData, path: Path, place: TreePath, needed: Collection[str]) -> tuple[str, ...]:
    kind = format_of(path, section.format, place)
    if kind == "parquet":
        return _of_parquet(path)
    if kind == "jsonl":
        return _of_json_lines(path, section.encoding, needed)
    dialect = Dialect.of(section, kind)
    rows = _first_rows(path, dialect, section.encoding)
    names = column_names(path, dialect, rows[0])
    if len(names) == 1:
        refuse_other_delimiter(path, names[0])
    if len(rows) < 2 and dialect.header is True:
        raise DataError(f"{path}: has a header and no rows; expected at least one example")
    return tuple(names)


def _first_rows(path: Path, dialect: Dialect, encoding: str) -> list[list[str]]:
    """One or two rows."""
    with io.StringIO(_text(path, encoding), newline="") as stream:
        try:
            rows = list(islice((row for row in dialect.rows(stream) if row), 2))
        except csv.Error as error:
            raise DataError(f"{path}: cannot be read as csv: {error}; is a double quote never closed?") from error
    if not rows:
        raise DataError(f"{path}: is empty; expected rows of examples")
    return rows


def _of_json_lines(path: Path, encoding: str, needed: Collection[str]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    lines = _text(path, encoding).split("\n")
    cut = len(beginning(path)) == BEGINNING
    for line in lines[:-1] if cut else lines:
        try:
            row = json.loads(line) if line.strip() else {}
        except ValueError as error:
            raise DataError(f"{path}: is no JSON: {error}: {line[:60]!r}") from error
        names |= dict.fromkeys(row if isinstance(row, dict) else ())
    return tuple(names | dict.fromkeys(needed)) if cut else tuple(names)


def _of_parquet(path: Path) -> tuple[str, ...]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingExtraError("reading tables", "table") from error
    try:
        return tuple(parquet.read_schema(path).names)
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as parquet: {str(error).splitlines()[0]}") from error


def _text(path: Path, encoding: str) -> str:
    """The beginning of a file. Letters that cannot be read are left for loading to find."""
    found = beginning(path)
    return decoded(path, found)[1] if encoding == "auto" else found.decode(codec_of(encoding), "replace")
