"""The files of a table: names and patterns -> paths, in a fixed order, each in a format that its name tells.

Says what lies there when nothing fits. Opens them as bytes, decompressed; what the bytes mean is for table_csv.py and
table_typed.py.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, DataError, MissingExtraError, Problem, TreePath

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
PLAIN = ("csv", "tsv")  # formats whose columns have names only where a first row holds them
SHOWN = 12  # names of what lies in a folder, in an error


def need_arrow() -> None:
    """Raises MissingExtraError where pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("reading tables", "table") from error


def list_files(root: Path, written: str | Sequence[str]) -> list[Path]:
    """The files of one setting, in the order written, those of a pattern sorted by name.

    Raises DataError for a name or pattern that fits no file, and for a file that is named twice.
    """
    found: list[Path] = []
    for pattern in [written] if isinstance(written, str) else written:
        files = _matches(root, pattern)
        for file in files:
            if file in found:
                raise DataError(f"{file}: is named twice; every row of it would count twice")
        found += files
    return found


def format_of(path: Path, asked: str | None, place: TreePath) -> str:
    """csv, tsv, jsonl or parquet: as asked, else by the name, without .gz. place: the setting that names the file."""
    if asked is not None:
        return asked
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in FORMATS:
        expected = "write data.format: csv, tsv, jsonl or parquet"
        raise ConfigError(Problem(f"{path}: its name does not tell its format; {expected}", place))
    return FORMATS[suffix]


def is_table(file: Path) -> bool:
    """Whether a file's name says that it holds rows of examples."""
    return Path(file.name.removesuffix(".gz")).suffix.lower() in FORMATS


def open_bytes(path: Path) -> IO[bytes]:
    """A file's content as a stream, decompressed when its name ends in .gz; damage shows when it is read."""
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def _matches(root: Path, pattern: str) -> list[Path]:
    if (root / pattern).is_file():  # a name may hold the signs of a pattern
        return [root / pattern]
    if any(sign in pattern for sign in "*?["):
        files = [path for path in sorted(root.glob(pattern)) if path.is_file()]
        if files:
            return files
        raise DataError(f"{root / pattern}: no file fits this pattern; {_lies_in((root / pattern).parent)}")
    if (root / pattern).is_dir():
        raise DataError(f"{root / pattern}: is a folder; write the files in it, e.g. {pattern.rstrip('/')}/*.csv")
    near = _near(root / pattern)
    raise DataError(f"{root / pattern}: no such file; {_lies_in((root / pattern).parent)}{near}")


def _lies_in(folder: Path) -> str:
    """What is in the nearest folder above that there is."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir() if not entry.name.startswith("."))
    shown = ", ".join(names[:SHOWN]) or "nothing"
    return f"{folder} holds {shown}" + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")


def _near(path: Path) -> str:
    return did_you_mean(path.name, sorted(e.name for e in path.parent.iterdir())) if path.parent.is_dir() else ""
