"""Inputs that lie in files of their own: every file is opened once, by threads, and its contents digested.

What is done with one file is the business of pictures.py and sounds.py; this names the files and gathers the faults.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from ft.core.data import cells
from ft.core.data.checks.findings import ColumnFacts, Extent, Finding, share
from ft.core.data.table import Dataset, Table
from ft.core.runtime.cores import cores

What = TypeVar("What")


class UnusableError(Exception):
    """A file that cannot be used, and why."""


@dataclass(frozen=True)
class Opened(Generic[What]):
    """One file. row: what the row is called that names it. what: as found, None where it could not be read, and `fault`
    says why. digest: int64 of its bytes.
    """

    path: str
    row: str
    digest: int
    size: int
    what: What | None
    fault: str = ""

    @property
    def place(self) -> str:
        """The file and the row that names it, once where rows are called as their files are."""
        return self.path if self.path == self.row else f"{self.path or 'the path'} in {self.row}"


def is_paths(column: cells.Cells) -> bool:
    """Whether a column of pictures or sounds names files, and does not hold them itself."""
    return not isinstance(column, np.ndarray) or column.dtype.kind in "UO"


def open_all(table: Table, name: str, examine: Callable[[bytes], What]) -> list[Opened[What]]:
    """Each file that a column names. examine: contents -> what they are; raises UnusableError."""
    folder = table.folder or Path()
    rows = table.names or [f"row {row}" for row in range(len(table))]
    threads = min(8, cores() or 1)
    with ThreadPoolExecutor(threads) as pool:  # decoders let go of the interpreter lock
        return list(pool.map(partial(_open, folder, examine), cells.texts(table.columns[name]), rows))


def open_splits(
    dataset: Dataset, name: str, examine: Callable[[bytes], What], *, skips: bool
) -> tuple[list[Opened[What]], list[Finding]]:
    """The files of all splits, one after another, and what is wrong with them whatever they hold. Else as open_all."""
    every: list[Opened[What]] = []
    findings: list[Finding] = []
    for split, table in dataset.splits.items():
        opened = open_all(table, name, examine)
        findings += faults(name, split, opened, skips=skips)
        every += opened
    return every, [*findings, *twins(name, every)]


def facts_of(name: str, kind: str, opened: list[Opened[What]], extent: Extent | None) -> tuple[ColumnFacts, np.ndarray]:
    """Facts, and what identity.same would say: int64 (N,), equal for equal files."""
    distinct = len({each.digest for each in opened if each.what})
    missing = sum(not each.path for each in opened)
    facts = ColumnFacts(name, "input", kind, len(opened), missing, distinct, extent)
    return facts, np.array([each.digest for each in opened], dtype=np.int64)


def faults(name: str, split: str, opened: list[Opened[What]], *, skips: bool) -> list[Finding]:
    """One finding on the files of a split that cannot be read. skips: the experiment leaves such examples out."""
    broken = [each for each in opened if each.fault]
    if not broken:
        return []
    message = f"{share(len(broken), len(opened))} files cannot be read: {broken[0].place} {broken[0].fault}"
    message += "; these examples are left out (on_error: skip)" if skips else ""
    rows = tuple(each.place for each in broken[1:3])
    return [Finding("warning" if skips else "error", "unreadable", message, name, split, len(broken), rows)]


def twins(name: str, opened: list[Opened[What]]) -> list[Finding]:
    """Files under several names: the same bytes."""
    paths: dict[int, list[str]] = {}
    for each in opened:
        if not each.fault:
            paths.setdefault(each.digest, []).append(each.path)
    several = [sorted(set(group)) for group in paths.values() if len(set(group)) > 1]
    if not several:
        return []
    count = sum(map(len, several))
    message = f"{count:,} files are {len(several):,} in truth, byte for byte, such as {' and '.join(several[0][:3])}"
    return [Finding("warning", "same-file", message, name, count=count)]


def _open(folder: Path, examine: Callable[[bytes], What], text: str, row: str) -> Opened[What]:
    if not text:
        return Opened(text, row, 0, 0, None, "is missing")
    path = folder / text
    try:
        contents = path.read_bytes()
    except OSError as error:
        return Opened(
            text, row, 0, 0, None, "is not there" if isinstance(error, FileNotFoundError) else str(error.strerror)
        )
    digest = int.from_bytes(hashlib.blake2b(contents, digest_size=8).digest(), "little", signed=True)
    if not contents:
        return Opened(text, row, digest, 0, None, "is empty")
    try:
        return Opened(text, row, digest, len(contents), examine(contents))
    except UnusableError as error:
        return Opened(text, row, digest, len(contents), None, str(error))
