"""One column at a time: what it holds, what is missing, what cannot be read, what never changes.

Sounds and pictures have files of their own (files.py), answers and their spelling too (answers.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from typing import Any, Literal

import numpy as np

from ft.core.config.schema import (
    CategoryInput,
    DateInput,
    InputColumn,
    NumberOutput,
    OutputColumn,
    SetInput,
    TextInput,
    VectorInput,
)
from ft.core.config.schema.outputs import OutputSection
from ft.core.data import cells
from ft.core.data.cells import Cells
from ft.core.data.checks.answers import names_in
from ft.core.data.checks.findings import ColumnFacts, Extent, Finding, Level, called, share
from ft.core.data.checks.identity import joined, same
from ft.core.data.checks.reading import read_dates, read_numbers
from ft.core.data.columns.reading import read_vectors
from ft.core.data.table import Dataset, Values
from ft.core.data.tokens.split import CUTS
from ft.core.errors import DataError

UNSEEN_SHARE = 0.05  # of a split's rows with a name that training lacks: from here on it is worth a warning
CUT_SHARE = 0.05  # of the texts of a column, likewise
MOMENTS = "seconds since 1970"
NAMED_EACH = 0.5  # different names for each row: from here on a category is more of a name than a kind
Settings = InputColumn | OutputColumn
Look = tuple[ColumnFacts, list[Finding]]


def look(dataset: Dataset, name: str, settings: Settings) -> Look:
    """What a column of numbers, dates, names or texts holds, and what is wrong with it, split by split."""
    column = joined([table.columns[name] for table in dataset.splits.values()])
    facts, findings = _KINDS[settings.type](dataset, name, settings, column)
    if facts.role == "input" and facts.distinct == 1 and not facts.missing:
        findings.append(Finding("warning", "constant", "is the same in every row, so it tells nothing", name))
    return facts, findings


def _numbers(dataset: Dataset, name: str, settings: Any, column: Cells) -> Look:
    dates = isinstance(settings, DateInput)
    findings: list[Finding] = []
    parts = []
    for split in dataset.splits:
        values = dataset.values(split, name)
        read = read_dates(values, settings.format) if dates else read_numbers(values)
        findings += _unreadable(values, read.bad, "a date" if dates else "a number")
        if isinstance(settings, NumberOutput) or settings.missing == "fail":
            findings += _missing(values, read.missing, settings)
        parts.append(read)
    numbers = np.concatenate([read.numbers for read in parts])
    missing = sum(int(read.missing.sum()) for read in parts)
    extent = Extent.of(numbers, MOMENTS if dates else "")
    return _facts(dataset, name, settings, missing, len(np.unique(same(column))), extent), findings


def _vectors(dataset: Dataset, name: str, settings: VectorInput, column: Cells) -> Look:
    """Read as the column reads them, which stops at the first that is no number."""
    findings: list[Finding] = []
    missing = 0
    for split in dataset.splits:
        values = dataset.values(split, name)
        try:
            numbers = read_vectors(values)
        except DataError as error:
            findings.append(Finding("error", "unreadable", _without_place(error, name), name, split, 1))
            continue
        absent = np.isnan(numbers).reshape(len(numbers), -1).any(axis=1)
        missing += int(absent.sum())
        if settings.missing == "fail":
            findings += _missing(values, absent, settings)
    return _facts(dataset, name, settings, missing, len(np.unique(same(column)))), findings


def _without_place(error: DataError, name: str) -> str:
    return str(error).removeprefix(f"column {name}, ")


def _names(dataset: Dataset, name: str, settings: Any, column: Cells) -> Look:
    missing = cells.is_missing(column)
    codes, names = cells.codes(column)
    findings = []
    if isinstance(settings, CategoryInput):
        findings += _unseen(dataset, name, codes)
        if len(names) > NAMED_EACH * len(codes) and len(codes) > 20:
            message = f"has {len(names):,} names in {len(codes):,} rows: most names of new rows will be unknown"
            findings.append(Finding("warning", "many-names", message, name, count=len(names)))
    return _facts(dataset, name, settings, int(missing.sum()), len(names)), findings


def _sets(dataset: Dataset, name: str, settings: Any, column: Cells) -> Look:
    found = list(names_in(column, settings, dataset.classes.get(name)))
    sizes = np.array([len(each) for each in found])
    names = {each for one in found for each in one}
    empty = int((sizes == 0).sum())
    unit = "names" if isinstance(settings, SetInput) else "labels"
    return _facts(dataset, name, settings, empty, len(names), Extent.of(sizes, unit)), []


def _texts(dataset: Dataset, name: str, settings: TextInput, column: Cells) -> Look:
    lengths = np.fromiter((len(text.strip()) for text in cells.texts(column)), dtype=np.int64, count=len(column))
    findings = []
    start = 0
    for split, table in dataset.splits.items():
        empty = np.flatnonzero(lengths[start : start + len(table)] == 0)
        start += len(table)
        if len(empty):
            message = f"{share(len(empty), len(table))} texts are empty"
            findings.append(
                Finding("warning", "empty-text", message, name, split, len(empty), called(table.names, empty))
            )
    findings += _cut(name, settings, column)
    distinct = len(np.unique(same(column)))
    missing = int((lengths == 0).sum())
    return _facts(dataset, name, settings, missing, distinct, Extent.of(lengths, "characters")), findings


def _cut(name: str, settings: TextInput, column: Cells) -> list[Finding]:
    """Texts longer than max_length. Byte pairs are not counted: how many there are is known only after fitting."""
    if settings.tokens == "bpe":
        return []
    tokens_of: Callable[[str], Sized] = CUTS.get(settings.tokens, str.encode)
    longest = 0
    cut = 0
    for text in cells.texts(column):
        if len(text.encode()) > settings.max_length:  # no text has more tokens than bytes
            tokens = len(tokens_of(text))
            cut += tokens > settings.max_length
            longest = max(longest, tokens)
    if not cut:
        return []
    level: Level = "warning" if cut > CUT_SHARE * len(column) else "info"
    message = (
        f"{share(cut, len(column))} texts have more than max_length = {settings.max_length} {settings.tokens} "
        f"and are cut; the longest has {longest:,}"
    )
    return [Finding(level, "cut-text", message, name, count=cut)]


def _unseen(dataset: Dataset, name: str, codes: np.ndarray) -> list[Finding]:
    """Names of val and test that training lacks: they all become one unknown."""
    parts = _apart(dataset, codes)
    if "train" not in parts:
        return []
    findings: list[Finding] = []
    for split, part in parts.items():
        new = ~np.isin(part, parts["train"])
        if split == "train" or not new.any():
            continue
        level: Level = "warning" if new.mean() > UNSEEN_SHARE else "info"
        message = f"{share(int(new.sum()), len(part))} rows have a name that training lacks; to the model it is unknown"
        rows = called(dataset.splits[split].names, np.flatnonzero(new))
        findings.append(Finding(level, "unseen-name", message, name, split, int(new.sum()), rows))
    return findings


def _apart(dataset: Dataset, joined_values: np.ndarray) -> dict[str, np.ndarray]:
    """What `joined` put together, by split again."""
    ends = np.cumsum([len(table) for table in dataset.splits.values()])[:-1]
    return dict(zip(dataset.splits, np.split(joined_values, ends), strict=True))


def _unreadable(values: Values, bad: np.ndarray, wanted: str) -> list[Finding]:
    rows = np.flatnonzero(bad)
    if not len(rows):
        return []
    first = next(iter(cells.texts(cells.take(values.array, rows[:1]))))
    hint = "; thousands separators are not read" if "," in first and wanted == "a number" else ""
    message = f"{share(len(rows), len(bad))} values cannot be read as {wanted}, such as {first!r}{hint}"
    named = called(values.names, rows)
    return [Finding("error", "unreadable", message, values.column, values.split, len(rows), named)]


def _missing(values: Values, missing: np.ndarray, settings: Any) -> list[Finding]:
    rows = np.flatnonzero(missing)
    if not len(rows):
        return []
    cure = "remove such rows" if isinstance(settings, NumberOutput) else "fill them in, or say missing: flag"
    message = f"{share(len(rows), len(missing))} values are missing; {cure}"
    named = called(values.names, rows)
    return [Finding("error", "missing", message, values.column, values.split, len(rows), named)]


def _facts(
    dataset: Dataset, name: str, settings: Settings, missing: int, distinct: int, extent: Extent | None = None
) -> ColumnFacts:
    rows = sum(map(len, dataset.splits.values()))
    role: Literal["input", "output"] = "output" if isinstance(settings, OutputSection) else "input"
    return ColumnFacts(name, role, settings.type, rows, missing, distinct, extent)


_KINDS: dict[str, Callable[[Dataset, str, Any, Cells], Look]] = {
    "number": _numbers,
    "vector": _vectors,
    "date": _numbers,
    "category": _names,
    "set": _sets,
    "labels": _sets,
    "text": _texts,
}
