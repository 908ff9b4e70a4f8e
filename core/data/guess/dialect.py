"""How a text file of rows is written: its encoding, what stands between the values, whether the first row is names.

Looked at are the first 256 kB. Written down is only what the table source would not find by itself.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ft.core.data.sources.table_files import open_bytes
from ft.core.errors import DataError

BEGINNING = 262_144  # bytes
ROWS = 200  # rows that must agree
BETWEEN = ("\t", ",", ";", "|")
ENCODINGS = ("utf-8-sig", "gb18030", "latin-1")  # latin-1 reads everything, so it comes last
NAME_WORDS = 4  # the longest name of a column


@dataclass(frozen=True)
class Dialect:
    """encoding: a codec, None where UTF-8 or GB18030. header: whether the first row holds names. rows: the first."""

    encoding: str | None
    delimiter: str
    quoting: bool
    header: bool
    rows: list[list[str]]


def beginning(path: Path) -> bytes:
    """The first bytes of a file, unpacked. Raises DataError when it cannot be read or is empty."""
    try:
        with open_bytes(path) as file:
            found = file.read(BEGINNING)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    if not found.strip():
        raise DataError(f"{path}: the file is empty")
    return found


def guess_dialect(path: Path) -> Dialect:
    """Raises DataError for a file that is no text or in which rows do not agree on their values."""
    found = beginning(path)
    encoding, text = decoded(path, found)
    lines = text.splitlines() if len(found) < BEGINNING else text.splitlines()[:-1]
    sample = "\n".join(lines)
    for quoting in (True, False):
        best = max(BETWEEN, key=lambda delimiter: _agreement(_rows(sample, delimiter, quoting)))
        rows = _rows(sample, best, quoting)
        if _agreement(rows)[0] > 0:
            break
    else:
        raise DataError(
            f"{path}: no comma, tab, semicolon or bar cuts its rows into equally many values; "
            "a table needs at least one column to go in and one to come out"
        )
    return Dialect(None if encoding in ENCODINGS[:2] else encoding, best, quoting, has_header(rows), rows)


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: short, all different, no numbers, and unlike what is below."""
    first, below = rows[0], rows[1:]
    names = [cell.strip() for cell in first]
    if not below or len(set(names)) < len(names) or any(is_number(name) for name in names):
        return False
    if sum(not name for name in names) > 1 or any(len(name.split()) > NAME_WORDS for name in names):
        return False  # one empty name is the index column that some libraries write
    columns = list(zip(*below, strict=False))
    if any(values and sum(map(is_number, values)) > 0.6 * len(values) for values in columns):
        return True
    return not any(name in values for name, values in zip(names, columns, strict=False))


def is_number(text: str) -> bool:
    """Whether a cell is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def decoded(path: Path, found: bytes) -> tuple[str, str]:
    """The encoding that fits and the text. found: the beginning of a file. Raises DataError where it is no text."""
    if found.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", codecs.getincrementaldecoder("utf-16")().decode(found)
    if b"\0" in found:
        raise DataError(f"{path}: this is no text; tables are csv, tsv, jsonl or parquet")
    for encoding in ENCODINGS:
        try:
            return encoding, codecs.getincrementaldecoder(encoding)().decode(found)  # may end inside a letter
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 reads every byte")


def _rows(sample: str, delimiter: str, quoting: bool) -> list[list[str]]:
    quotes: Any = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quoting=quotes)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if len(rows) == ROWS:
                break
    except csv.Error:
        return []
    return rows


def _agreement(rows: list[list[str]]) -> tuple[float, int]:
    """Share of the rows that have the most common number of values, if it is above one; then that number."""
    if not rows:
        return 0.0, 0
    width, number = Counter(map(len, rows)).most_common(1)[0]
    share = number / len(rows)
    return (share, width) if width > 1 and share > 0.9 else (0.0, 0)
