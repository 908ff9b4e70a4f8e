"""Tables for the rivals: read and written with Python's csv module, so that nothing of ft is trusted here."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Row = dict[str, str]


def read_rows(path: Path, delimiter: str = ",", header: Sequence[str] | None = None) -> list[Row]:
    """Every row by column name. Tab-separated files hold no quotes. header: where the file has none."""
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, header, delimiter=delimiter, quoting=quoting))


def write_rows(path: Path, rows: Iterable[Mapping[str, object]], delimiter: str = ",") -> None:
    """The columns are those of the first row."""
    rows = list(rows)
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, quoting=quoting, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
