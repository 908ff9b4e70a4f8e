"""csv and tsv files: every asked column as text in one Arrow buffer, for the columns to make sense of.

Arrow's reader does the work. Python's own reader looks at the first row, for the names, and again only when something
is wrong, to say in which line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft.core.config.schema import TableData
from ft.core.data.guess.dialect import NAME_WORDS, is_number
from ft.core.data.sources.table_encoding import UTF8, Encoding
from ft.core.data.sources.table_files import open_bytes
from ft.core.errors import ConfigError, DataError, Problem

if TYPE_CHECKING:
    import pyarrow

BLOCK = 1 << 24  # bytes that Arrow parses at one time; no row may be longer
OTHER_DELIMITERS = {";": ";", "\t": "\\t", "|": "|", ",": ","}


@dataclass(frozen=True)
class Dialect:
    """How a file's rows are written. header: as in the settings."""

    delimiter: str
    quoting: bool
    header: bool | list[str]

    @classmethod
    def of(cls, section: TableData, kind: str) -> Dialect:
        """kind: csv or tsv."""
        return cls(section.delimiter or ("\t" if kind == "tsv" else ","), section.quoting, section.header)

    def rows(self, stream: io.TextIOBase, *, strict: bool = False) -> Any:
        """Python's reader of this dialect. strict: with an error for quotes that do not end with their value."""
        quoting: Any = csv.QUOTE_MINIMAL if self.quoting else csv.QUOTE_NONE
        return csv.reader(stream, delimiter=self.delimiter, quoting=quoting, strict=strict)


def read_csv(
    path: Path, dialect: Dialect, encoding: Encoding, asked: Collection[str] | None
) -> tuple[pyarrow.Table, list[str]]:
    """The asked columns that are there, large_string without nulls, and the names of all columns.

    Raises DataError naming the file, and the line where a row has too many or too few values; ConfigError at
    data.header when its names are not as many as the columns.
    """
    first, blank = first_row(path, dialect, encoding)
    names = column_names(path, dialect, first)
    taken = [name for name in names if asked is None or name in asked]
    if len(names) == 1 and (asked is None or not taken):
        refuse_other_delimiter(path, names[0])
    taken = taken or names[:1]  # the rows are counted by some column
    table = _parse(path, dialect, encoding, names, taken, blank)
    if not len(table):
        raise DataError(f"{path}: has a header and no rows; expected at least one example")
    if dialect.quoting and encoding.lines > len(table) + (dialect.header is True):
        _refuse_open_quote(path, dialect, encoding)
    return table, names


def first_row(path: Path, dialect: Dialect, encoding: Encoding) -> tuple[list[str], int]:
    """The first row that is not blank, and how many blank lines come before it. Raises DataError without one."""
    with _text(path, encoding) as stream, _telling(path):
        for blank, first in enumerate(dialect.rows(stream)):
            if first:
                return first, blank
    raise DataError(f"{path}: is empty; expected rows of examples")


def no_names(first: Sequence[str]) -> str:
    """What to do where a first row was taken for names and holds numbers or sentences; nothing where it does not."""
    if not any(is_number(cell) or len(cell.split()) > NAME_WORDS for cell in first):
        return ""
    told = "its first row looks like an example, not like names"
    return f"; {told}: data.header: false calls the columns 1, 2, ..., and a list names them"


def refuse_example_for_names(path: Path, first: Sequence[str], columns: Sequence[str], needed: Collection[str]) -> None:
    """Raises ConfigError where a needed column is not there and what was read as names looks like an example.

    columns: those of the file and of what is joined to it.
    """
    lacking = sorted(set(needed).difference(columns))
    cure = no_names(first) if lacking else ""
    if cure:
        message = f"{path} has no column {', '.join(lacking)}, it has {', '.join(columns)}{cure}"
        raise ConfigError(Problem(message, ("data", "header")))


def column_names(path: Path, dialect: Dialect, first: Sequence[str]) -> list[str]:
    """The columns' names. first: the first row. Raises DataError for names that repeat, ConfigError as read_csv."""
    if dialect.header is True:
        repeated = sorted({name for name in first if first.count(name) > 1})
        if repeated:
            cure = no_names(first) or "; rename them in its first row"
            raise DataError(f"{path}: has more than one column {', '.join(repeated)}{cure}")
        return list(first)
    if dialect.header is False:
        return [str(number) for number in range(1, len(first) + 1)]
    if len(dialect.header) != len(first):
        message = f"names {len(dialect.header)} columns, {path} has {len(first)}: {', '.join(first)[:80]}"
        raise ConfigError(Problem(message, ("data", "header")))
    return list(dialect.header)


def _parse(
    path: Path, dialect: Dialect, encoding: Encoding, names: list[str], taken: list[str], blank: int
) -> pyarrow.Table:
    import pyarrow
    from pyarrow import csv as arrow_csv

    reading = arrow_csv.ReadOptions(
        column_names=names,
        skip_rows=blank,
        skip_rows_after_names=int(dialect.header is True),
        block_size=BLOCK,
    )
    parsing = arrow_csv.ParseOptions(
        delimiter=dialect.delimiter,
        quote_char='"' if dialect.quoting else False,
        newlines_in_values=dialect.quoting,
    )
    converting = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(taken, pyarrow.large_string()),
        include_columns=taken,
        strings_can_be_null=False,
        check_utf8=False,  # all of it was decoded already
    )
    try:
        with arrow_stream(path, encoding) as stream:
            return arrow_csv.read_csv(stream, reading, parsing, converting)
    except pyarrow.ArrowInvalid as error:
        _refuse_ragged(path, dialect, encoding, names)
        reason = str(error).splitlines()[0]
        if "straddling" in reason:
            reason = f"a row is longer than {BLOCK >> 20} MiB; is a double quote opened and never closed?"
        raise DataError(f"{path}: cannot be read: {reason}") from error


@contextmanager
def arrow_stream(path: Path, encoding: Encoding) -> Iterator[Any]:
    """The file for Arrow, in UTF-8 without a mark, decompressed; mapped into memory where it is that already."""
    import pyarrow

    if encoding.codec == UTF8 and path.suffix != ".gz" and path.stat().st_size:
        with pyarrow.memory_map(str(path)) as mapped:
            yield mapped
        return
    with open_bytes(path) as content:
        stream = pyarrow.PythonFile(content, mode="r")
        yield stream if encoding.codec == UTF8 else pyarrow.transcoding_input_stream(stream, encoding.codec, UTF8)


@contextmanager
def _text(path: Path, encoding: Encoding) -> Iterator[io.TextIOWrapper]:
    with io.TextIOWrapper(open_bytes(path), encoding=encoding.codec, newline="") as stream:
        yield stream


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Python's reader refuses values of more than 128 KiB: in a first row, a quote that is never closed."""
    try:
        yield
    except csv.Error as error:
        raise DataError(f"{path}: cannot be read as csv: {error}; is a double quote never closed?") from error


def _refuse_ragged(path: Path, dialect: Dialect, encoding: Encoding, names: list[str]) -> None:
    """Raises DataError at the first row that has another number of values than the names."""
    with _text(path, encoding) as stream, _telling(path):
        reader = dialect.rows(stream)
        for row in reader:
            if row and len(row) != len(names):
                shown = dialect.delimiter.join(row)[:60]
                listed = ", ".join(names[:8]) + ", …" * (len(names) > 8)
                hint = (
                    "; data.quoting: false reads quotes as letters"
                    if dialect.quoting and not {'"', "\n"}.isdisjoint(shown)
                    else ""
                )
                raise DataError(
                    f"{path} line {reader.line_num:,}: {len(row)} value{'s' * (len(row) > 1)}, "
                    f"expected {len(names)} ({listed}): {shown!r}{hint}"
                )


def _refuse_open_quote(path: Path, dialect: Dialect, encoding: Encoding) -> None:
    """Raises DataError where a quote that is a letter has swallowed lines up to the next one.

    Their rows would be missing without a word. Looked for only in files with more lines than rows: it takes a second
    for each million rows.
    """
    with _text(path, encoding) as stream:
        reader = dialect.rows(stream, strict=True)
        try:
            for _ in reader:
                pass
        except csv.Error as error:
            if "limit" not in str(error):  # a value of more than 128 KiB is none of these
                raise DataError(
                    f"{path} line {reader.line_num:,}: a double quote opens a value before this line's end and closes "
                    "it inside a word, or never; double the quotes inside values, or set data.quoting: false"
                ) from error


def refuse_other_delimiter(path: Path, name: str) -> None:
    """Raises DataError where the name of a file's only column holds what stands between names elsewhere."""
    for letter, written in OTHER_DELIMITERS.items():
        if letter in name:
            raise DataError(f'{path}: has one column, {name[:80]!r}; is data.delimiter "{written}" meant?')
