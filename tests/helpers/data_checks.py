"""Sound data with one fault put in, and what a check says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ft.core.config.schema import InputColumn, OutputColumn
from ft.core.data.checks.findings import DataReport, Finding
from ft.core.data.checks.looks import check_dataset
from ft.core.data.table import Dataset, Table

INPUTS = TypeAdapter(dict[str, InputColumn])
OUTPUTS = TypeAdapter(dict[str, OutputColumn])
NUMBER, CATEGORY = {"type": "number"}, {"type": "category"}


def sound_columns(rows: int, seed: int) -> dict[str, Any]:
    """A number and two balanced classes, without repetition."""
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=rows), "y": np.where(np.arange(rows) % 2, "cat", "dog")}


def look(
    changes: Mapping[str, Mapping[str, Any]] | None = None,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
) -> DataReport:
    """The report on sound data with some columns of some splits replaced."""
    tables = {"train": sound_columns(60, 1), "val": sound_columns(20, 2), "test": sound_columns(20, 3)}
    for split, columns in (changes or {}).items():
        tables[split] = {**tables[split], **columns}
    dataset = Dataset({split: Table(columns) for split, columns in tables.items()}, ("train",), {}, "made here")
    given = INPUTS.validate_python(inputs or {"x": NUMBER})
    return check_dataset(dataset, given, OUTPUTS.validate_python(outputs or {"y": CATEGORY}))


def found(report: DataReport, kind: str) -> list[Finding]:
    """The findings of one kind."""
    return [finding for finding in report.findings if finding.kind == kind]
