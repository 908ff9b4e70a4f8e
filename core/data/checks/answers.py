"""Answers and names: how many rows each class has, which classes training lacks, which are one in two spellings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ft.core.config.schema import CategoryInput, CategoryOutput, LabelsOutput, SetInput
from ft.core.data import cells
from ft.core.data.checks.findings import Finding, Level, called, listed, share
from ft.core.data.spelling import look_alikes
from ft.core.data.table import Dataset

FEW = 10  # examples of a class in training: with fewer, a network seldom learns it
Counts = dict[str, dict[str, int]]
Named = CategoryInput | CategoryOutput | SetInput | LabelsOutput


def count_names(dataset: Dataset, name: str, settings: Named) -> Counts:
    """Rows of each name by split, missing answers left out; classes of a source that numbers them by their names."""
    counts: Counts = {}
    for split, table in dataset.splits.items():
        column = table.columns[name]
        if isinstance(settings, SetInput | LabelsOutput):
            of_rows = names_in(column, settings, dataset.classes.get(name))
            counts[split] = dict(Counter(each for one in of_rows for each in set(one)))
            continue
        codes, names = cells.codes(column)
        known = dataset.classes.get(name)
        numbers = np.bincount(codes[codes >= 0], minlength=len(names)).tolist()
        counts[split] = {
            known[int(each)] if known and isinstance(column, np.ndarray) and column.dtype.kind in "iu" else each: number
            for each, number in zip(names, numbers, strict=True)
        }
    return counts


def names_in(
    column: cells.Cells, settings: SetInput | LabelsOutput, known: Sequence[str] | None
) -> Iterator[list[str]]:
    """The names of each row. known: the source's own, of the columns of a matrix of 0 and 1."""
    if not (isinstance(settings, LabelsOutput) and isinstance(column, np.ndarray) and column.ndim == 2):
        yield from cells.lists(column, settings.separator)
        return
    classes = settings.classes or known or [str(place) for place in range(column.shape[1])]
    if len(classes) != column.shape[1]:  # encoding says so; here the columns go by their numbers
        classes = [str(place) for place in range(column.shape[1])]
    for row in column:
        yield [classes[place] for place in np.flatnonzero(row).tolist()]


def missing_answers(dataset: Dataset, name: str) -> list[Finding]:
    """Rows without a class. An empty text is none either."""
    findings = []
    for split, table in dataset.splits.items():
        codes, names = cells.codes(table.columns[name])
        empty = np.array([not each.strip() for each in names] + [True])  # the last stands for code -1
        rows = np.flatnonzero(empty[codes])
        if len(rows):
            message = f"{share(len(rows), len(table))} answers are missing; remove such rows"
            findings.append(Finding("error", "missing", message, name, split, len(rows), called(table.names, rows)))
    return findings


def balance(name: str, settings: CategoryOutput | LabelsOutput, counts: Counts) -> list[Finding]:
    """Classes that training lacks or has few of, those of it that another split lacks, and a training of one class."""
    train = {each: number for each, number in counts.get("train", {}).items() if each.strip()}
    findings: list[Finding] = []
    if "train" not in counts:
        return findings
    if isinstance(settings, CategoryOutput) and len(train) < 2:
        message = f"training has {len(train)} class ({', '.join(train)}); there is nothing to tell apart"
        findings.append(Finding("error", "one-class", message, name, "train", len(train)))
    absent = [each for each in settings.classes or () if each not in train]
    if absent:
        message = f"no training example of {listed(absent)}, which classes names"
        findings.append(Finding("warning", "absent-class", message, name, "train", len(absent)))
    rare = [f"{each} ({number})" for each, number in train.items() if number < FEW]
    if rare:
        message = f"fewer than {FEW} training examples of {listed(rare)}"
        findings.append(Finding("warning", "rare-class", message, name, "train", len(rare)))
    known = set(settings.classes or train)
    for split, there in counts.items():
        unjudged = [each for each in train if each not in there]
        if unjudged and isinstance(settings, CategoryOutput):
            message = f"no example of {listed(unjudged)}; {split} cannot tell how well they are learned"
            findings.append(Finding("warning", "absent-class", message, name, split, len(unjudged)))
        new = [each for each in there if each not in known and each.strip()]
        if new:
            whose = "which classes does not name" if settings.classes else "which training lacks"
            message = f"{sum(there[each] for each in new):,} rows are of {listed(new)}, {whose}"
            findings.append(Finding("error", "unknown-class", message, name, split, sum(there[each] for each in new)))
    return findings


def spellings(name: str, settings: Named, counts: Counts) -> list[Finding]:
    """Names that differ only by case, spaces or Unicode form: an error among answers, else a warning."""
    rows: Counter[str] = Counter()
    for there in counts.values():
        rows.update(there)
    level: Level = "error" if isinstance(settings, CategoryOutput | LabelsOutput) else "warning"
    clashes = [sorted(group, key=lambda each: -rows[each]) for group in look_alikes(rows)]
    if not clashes:
        return []
    told = [" and ".join(f"{each!r} ({rows[each]:,})" for each in group) for group in clashes]
    message = f"names that differ only by case, spaces or Unicode form: {listed(told, '; ')}"
    return [Finding(level, "spelling", message, name, count=len(clashes))]


def largest_first(counts: Counts) -> Mapping[str, Mapping[str, int]]:
    """The same with the classes of each split by their number."""
    return {split: dict(sorted(there.items(), key=lambda item: -item[1])) for split, there in counts.items()}
