"""jsonl and parquet files, whose values have types of their own: they are kept, and lists may be values.

JSON lines: one object a row; a key that a row leaves out is missing there. JSON knows no dates: texts that look like
some stay as they are written.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from ft.core.data.sources.table_csv import BLOCK, arrow_stream
from ft.core.data.sources.table_encoding import Encoding
from ft.core.data.sources.table_files import open_bytes
from ft.core.errors import DataError

if TYPE_CHECKING:
    import pyarrow

KINDS = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}


def read_jsonl(path: Path, encoding: Encoding, asked: Collection[str] | None) -> tuple[pyarrow.Table, list[str]]:
    """The asked columns that are there, and the names of all. Raises DataError naming file and line."""
    import pyarrow

    try:
        table = _parse(path, encoding, pyarrow.schema([]))
        written = [(field.name, _as_written(field.type)) for field in table.schema if _holds_moments(field.type)]
        if written:  # Arrow took texts for moments, and what was written is lost: once more
            columns = table.column_names
            table = _parse(path, encoding, pyarrow.schema(written)).select(columns)
    except pyarrow.ArrowInvalid as error:
        _refuse_line(path, encoding)
        raise DataError(f"{path}: cannot be read as JSON lines: {str(error).splitlines()[0]}") from error
    return _chosen(path, table, asked), table.column_names


def _parse(path: Path, encoding: Encoding, known: pyarrow.Schema) -> pyarrow.Table:
    """known: the types of columns that are not to be inferred."""
    from pyarrow import json as arrow_json

    with arrow_stream(path, encoding) as stream:
        return arrow_json.read_json(
            stream, arrow_json.ReadOptions(block_size=BLOCK), arrow_json.ParseOptions(explicit_schema=known)
        )


def _holds_moments(kind: pyarrow.DataType) -> bool:
    return "timestamp" in str(kind)


def _as_written(kind: pyarrow.DataType) -> pyarrow.DataType:
    """The same type with texts for moments, in lists too."""
    import pyarrow

    if pyarrow.types.is_list(kind):
        return pyarrow.list_(_as_written(kind.value_type))
    return pyarrow.string() if pyarrow.types.is_timestamp(kind) else kind


def read_parquet(path: Path, asked: Collection[str] | None) -> tuple[pyarrow.Table, list[str]]:
    """The asked columns that are there, and the names of all; other columns' bytes are not read."""
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path, memory_map=True)
        names = file.schema_arrow.names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise DataError(f"{path}: has more than one column {', '.join(repeated)}")
        taken = [name for name in names if asked is None or name in asked] or names[:1]
        return _chosen(path, file.read(columns=taken), asked), names
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as parquet: {str(error).splitlines()[0]}") from error


def _chosen(path: Path, table: pyarrow.Table, asked: Collection[str] | None) -> pyarrow.Table:
    if not len(table) or not table.num_columns:
        raise DataError(f"{path}: is empty; expected rows of examples")
    taken = [name for name in table.column_names if asked is None or name in asked]
    return table.select(taken or table.column_names[:1])


def _refuse_line(path: Path, encoding: Encoding) -> None:
    """Raises DataError for a file without lines, and at the first line that is no object or has a value of another kind
    than the lines before."""
    kinds: dict[str, tuple[str, int]] = {}
    with io.TextIOWrapper(open_bytes(path), encoding=encoding.codec) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{path} line {number:,}: is no JSON: {error}") from error
            if not isinstance(row, dict):
                kind = KINDS.get(type(row), "nothing")
                raise DataError(f"{path} line {number:,}: is {kind}; expected an object, {{column: value, ...}}")
            for name, value in row.items():
                kind = KINDS.get(type(value), "")
                before, first = kinds.setdefault(name, (kind, number)) if kind else ("", 0)
                if kind != before:
                    where = f"{path} line {number:,}, column {name}"
                    raise DataError(f"{where}: {json.dumps(value)[:40]} is {kind}, in line {first:,} it is {before}")
    if not kinds:
        raise DataError(f"{path}: is empty; expected rows of examples")
