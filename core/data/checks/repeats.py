"""Rows that come twice: inside a split, in training and in what judges it, and with different answers.

Rows of validation or test that training holds too, answer and all, make a score too good: an error from 1 % of a split
and three rows on. Where equal inputs come with different answers as well, rows are alike and not copies, as persons are
in a table of few coarse columns; then it is a warning. How often they do is judged by the lower end of an interval: one
contradiction among a few repeated rows does not make copies harmless.
"""

from __future__ import annotations

import numpy as np

from ft.core.data.checks.findings import Finding, Level, called, share
from ft.core.data.checks.identity import hashes, repeats
from ft.core.data.table import Dataset
from ft.core.metrics.intervals import wilson

LEAKED = 0.01  # of a split's rows
LEAST = 3  # such rows at least: one or two may be chance
ALIKE = 0.05  # share of the repeated rows with another answer, surely above which rows are alike and not copies
JUDGES = ("val", "test")


def look(dataset: Dataset, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> list[Finding]:
    """Findings on repeated rows. inputs, outputs: what identity.same says of each column, all splits joined."""
    rows = sum(map(len, dataset.splits.values()))
    if not inputs:
        return []
    given = hashes(inputs, rows)
    whole = hashes([*inputs, *outputs], rows)
    contradictions = _contradicted(given, whole)
    ends = np.cumsum([len(table) for table in dataset.splits.values()])[:-1]
    by_split = {
        split: (part, of_whole)
        for split, part, of_whole in zip(dataset.splits, np.split(given, ends), np.split(whole, ends), strict=True)
    }
    findings = _inside(dataset, by_split)
    if outputs and contradictions.any():
        message = f"{share(int(contradictions.sum()), rows)} rows have the inputs of another row and a different answer"
        findings.append(Finding("warning", "contradiction", message, count=int(contradictions.sum())))
    return findings + _across(dataset, by_split, _are_alike(given, whole))


def _inside(dataset: Dataset, by_split: dict[str, tuple[np.ndarray, np.ndarray]]) -> list[Finding]:
    findings = []
    for split, (given, _) in by_split.items():
        again = np.flatnonzero(repeats(given))
        if len(again):
            message = f"{share(len(again), len(given))} rows repeat the inputs of an earlier row"
            named = called(dataset.splits[split].names, again)
            findings.append(Finding("warning", "duplicate", message, None, split, len(again), named))
    return findings


def _across(dataset: Dataset, by_split: dict[str, tuple[np.ndarray, np.ndarray]], alike: bool) -> list[Finding]:
    """alike: whether equal inputs often have different answers."""
    findings: list[Finding] = []
    for split in (split for split in JUDGES if split in by_split and "train" in by_split):
        given, whole = by_split[split]
        same_inputs = np.isin(given, by_split["train"][0])
        copies = np.flatnonzero(np.isin(whole, by_split["train"][1]))
        if not same_inputs.any():
            continue
        level: Level = "error" if len(copies) >= max(LEAST, LEAKED * len(given)) and not alike else "warning"
        message = f"{share(int(same_inputs.sum()), len(given))} rows have the inputs of a training row, "
        message += f"{len(copies):,} with its answer" if len(copies) else "none with its answer"
        if level == "error":
            message += ": a leak"
        elif len(copies) and alike:
            message += ". Equal inputs often have different answers here, so such rows need not be copies"
        rows = called(dataset.splits[split].names, copies if len(copies) else np.flatnonzero(same_inputs))
        findings.append(Finding(level, "leak", message, None, split, int(same_inputs.sum()), rows))
    return findings


def _are_alike(given: np.ndarray, whole: np.ndarray) -> bool:
    """Whether of the rows that repeat the inputs of another, surely more than ALIKE differ from the usual answer there.

    Rows are counted and not whole groups: one odd answer among ten copies is one, not eleven.
    """
    groups, group = np.unique(given, return_inverse=True)
    _, first, rows = np.unique(whole, return_index=True, return_counts=True)
    usual = np.zeros(len(groups), dtype=np.int64)  # rows of each group that have its commonest answer
    np.maximum.at(usual, group[first], rows)
    repeated, other = len(given) - len(groups), len(given) - int(usual.sum())
    return repeated > 0 and wilson(other, repeated)[0] > ALIKE


def _contradicted(given: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """bool (N,): rows whose inputs come with more than one answer."""
    _, first, inverse = np.unique(given, return_index=True, return_inverse=True)
    differs = whole != whole[first[inverse]]
    contradicted = np.zeros(len(first), dtype=bool)
    contradicted[inverse[differs]] = True
    result: np.ndarray = contradicted[inverse]
    return result
