"""All looks at one dataset: every column, the answers, repeated rows, columns that tell; one report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ft.core.config.schema import (
    AudioInput,
    CategoryInput,
    CategoryOutput,
    ImageInput,
    InputColumn,
    LabelsOutput,
    NumberInput,
    NumberOutput,
    OutputColumn,
    RankingOutput,
    SetInput,
)
from ft.core.data.checks import answers, columns, pictures, repeats, sounds, telling
from ft.core.data.checks.findings import ColumnFacts, DataReport, Finding, by_level
from ft.core.data.checks.identity import joined, same
from ft.core.data.checks.reading import read_numbers
from ft.core.data.table import Dataset

TELLS = "tells {answer} exactly: the answer itself, or something known only after it? Leave it out of inputs"
Named = CategoryInput | CategoryOutput | SetInput | LabelsOutput


@dataclass
class _Looked:
    """What was gathered so far. identities: what identity.same says of each column, all splits joined."""

    findings: list[Finding]
    facts: list[ColumnFacts] = field(default_factory=list)
    identities: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)


def check_dataset(
    dataset: Dataset,
    inputs: Mapping[str, InputColumn],
    outputs: Mapping[str, OutputColumn],
    earlier: Sequence[Finding] = (),
) -> DataReport:
    """Everything that can be said of cut tables whose columns are called as inputs and outputs are.

    earlier: what was found before. A ranking output has no column of its own: every row is one choice.
    """
    looked = _Looked(list(earlier))
    for name, settings in {**inputs, **outputs}.items():
        if not isinstance(settings, RankingOutput):
            _look(dataset, name, settings, looked)
    looked.findings += _telling(dataset, inputs, outputs, looked.identities)
    given, wanted = ([looked.identities[n] for n in side if n in looked.identities] for side in (inputs, outputs))
    looked.findings += repeats.look(dataset, given, wanted)
    splits = {split: len(table) for split, table in dataset.splits.items()}
    return DataReport(dataset.found, splits, looked.facts, looked.classes, 0, (), by_level(looked.findings))


def _look(dataset: Dataset, name: str, settings: InputColumn | OutputColumn, looked: _Looked) -> None:
    """One column."""
    if isinstance(settings, ImageInput):
        facts, findings, identity = pictures.look(dataset, name, settings)
    elif isinstance(settings, AudioInput):
        facts, findings, identity = sounds.look(dataset, name, settings)
    else:
        identity = same(joined([table.columns[name] for table in dataset.splits.values()]))
        facts, findings = columns.look(dataset, name, settings)
    if isinstance(settings, Named):
        counts = answers.count_names(dataset, name, settings)
        findings = findings + answers.spellings(name, settings, counts)
        if isinstance(settings, CategoryOutput | LabelsOutput):
            looked.classes[name] = answers.largest_first(counts)
            findings += answers.balance(name, settings, counts)
        if isinstance(settings, CategoryOutput):
            findings += answers.missing_answers(dataset, name)
            facts = replace(facts, distinct=len({each for there in counts.values() for each in there}))
    looked.facts.append(facts)
    looked.findings += findings
    looked.identities[name] = identity


def _telling(
    dataset: Dataset,
    inputs: Mapping[str, InputColumn],
    outputs: Mapping[str, OutputColumn],
    identities: Mapping[str, np.ndarray],
) -> list[Finding]:
    """Input columns of names or numbers that tell an output exactly."""
    findings = []
    for answer, settings in outputs.items():
        for name, given in inputs.items():
            if not isinstance(given, CategoryInput | NumberInput):
                continue
            if isinstance(settings, CategoryOutput | NumberOutput) and _tells(
                dataset, name, answer, settings, identities
            ):
                findings.append(Finding("error", "tells", TELLS.format(answer=answer), name))
    return findings


def _tells(
    dataset: Dataset, name: str, answer: str, settings: OutputColumn, identities: Mapping[str, np.ndarray]
) -> bool:
    if telling.tells(identities[name], identities[answer]):
        return True
    if not isinstance(settings, NumberOutput):
        return False
    splits = tuple(dataset.splits)
    x, y = (
        np.concatenate([read_numbers(dataset.values(split, each)).numbers for split in splits])
        for each in (name, answer)
    )
    return telling.is_multiple(x, y)
