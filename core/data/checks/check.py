"""`ft data check` from the settings: read everything, cut it as training would, and look at all of it.

Reading and cutting are those of gather.py, but for values: what would stop it there is a finding here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ft.core.config.schema import DataSection, InputColumn, OutputColumn, RankingOutput
from ft.core.data.checks.findings import DataReport, Finding, by_level, share
from ft.core.data.checks.identity import hashes, joined, same
from ft.core.data.checks.looks import check_dataset
from ft.core.data.checks.repeats import JUDGES
from ft.core.data.columns_there import look_at_columns
from ft.core.data.gather import (
    ColumnSettings,
    Reads,
    choice_time,
    class_groups,
    named,
    only_texts,
    reads_of,
    require_columns,
)
from ft.core.data.outline import settle_columns
from ft.core.data.sources import load
from ft.core.data.splits import split_columns, split_dataset
from ft.core.data.table import SPLITS, Dataset
from ft.core.errors import DataError


def check_data(
    data: DataSection, inputs: Mapping[str, InputColumn] | None, outputs: Mapping[str, OutputColumn] | None
) -> DataReport:
    """Every split of an experiment's data. inputs, outputs: None for the source's own.

    Raises ConfigError for settings at fault, DataError only for files of rows that cannot be read at all.
    """
    look_at_columns(data, inputs, outputs)
    given, wanted = settle_columns(data, inputs, outputs)
    settings: dict[str, ColumnSettings] = {**given, **wanted}
    reads = reads_of(data, settings)
    dataset = load(data, None, None, only_texts(settings, reads))
    titles = {name: s.title for name, s in settings.items() if isinstance(s, RankingOutput) and s.title}
    require_columns(dataset, settings, reads, titles)
    findings = [Finding("info", "note", note) for note in dataset.notes]
    cut, faults = _cut(dataset, data, settings, reads)
    findings += [*faults, *(_groups(cut, data.split.group) if data.split.group else [])]
    clear, faults = _named(cut, settings, reads)
    report = check_dataset(
        clear,
        {name: column for name, column in given.items() if _is_there(clear, name)},
        {
            name: column
            for name, column in wanted.items()
            if _is_there(clear, name) or isinstance(column, RankingOutput)
        },
        [*findings, *faults],
    )
    used = {column for columns in reads.values() for column in columns} | split_columns(data.split) | {*titles.values()}
    used |= {time} if (time := choice_time(data, settings)) else set()
    has = next(iter(dataset.splits.values())).columns
    repeated = repeated_rows(dataset)
    findings = list(report.findings)
    if repeated:
        message = (
            f"{share(repeated, sum(map(len, dataset.splits.values())))} rows repeat an earlier one in every column"
        )
        findings.append(Finding("info", "repeated", f"{message} of the data", count=repeated))
    unused = tuple(name for name in has if name not in used)
    return replace(report, repeated=repeated, unused=unused, findings=by_level(findings))


def repeated_rows(dataset: Dataset) -> int:
    """Rows that repeat an earlier one in every column of the source, whatever their splits."""
    tables = list(dataset.splits.values())
    shared = [name for name in tables[0].columns if all(name in table.columns for table in tables)]
    codes = [same(joined([table.columns[name] for table in tables])) for name in shared]
    whole = hashes(codes, sum(map(len, tables)))
    return len(whole) - len(np.unique(whole))


def _cut(
    dataset: Dataset, data: DataSection, settings: Mapping[str, ColumnSettings], reads: Reads
) -> tuple[Dataset, list[Finding]]:
    """The splits as training would have them, as far as they can be cut, in their usual order."""
    findings: list[Finding] = []
    groups = None
    try:
        groups = class_groups(dataset, settings, reads)
    except DataError as error:
        findings.append(Finding("error", "unreadable", str(error)))
    try:
        tables = split_dataset(dataset, data.split, groups)
    except DataError as error:
        findings.append(Finding("error", "split", str(error)))
        tables = dict(dataset.splits)
    return replace(dataset, splits={split: tables[split] for split in SPLITS if split in tables}), findings


def _named(dataset: Dataset, settings: Mapping[str, ColumnSettings], reads: Reads) -> tuple[Dataset, list[Finding]]:
    """Columns under their own names; one that cannot be put together from others is told and left out."""
    findings = []
    whole = {}
    for name, column in settings.items():
        try:
            if reads[name]:  # a ranking reads none
                named(dataset, {name: column}, {name: reads[name]})
            whole[name] = column
        except DataError as error:
            findings.append(Finding("error", "unreadable", str(error)))
    return named(dataset, whole, {name: reads[name] for name in whole}), findings


def _is_there(dataset: Dataset, name: str) -> bool:
    return all(name in table.columns for table in dataset.splits.values())


def _groups(dataset: Dataset, group: str) -> list[Finding]:
    """A group on both sides of the splits."""
    if any(group not in table.columns for table in dataset.splits.values()) or "train" not in dataset.splits:
        return []
    parts = [table.columns[group] for table in dataset.splits.values()]
    ends = np.cumsum([len(part) for part in parts])[:-1]
    codes = dict(zip(dataset.splits, np.split(same(joined(parts)), ends), strict=True))
    findings = []
    for split in (split for split in JUDGES if split in codes):
        both = np.isin(codes[split], codes["train"])
        if both.any():
            message = f"{share(int(both.sum()), len(both))} rows are of a group ({group}) that training has too"
            findings.append(Finding("error", "group", message, group, split, int(both.sum())))
    return findings
