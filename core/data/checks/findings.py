"""What a check says: findings with their level, what each column holds, and the report of both.

Levels. An *error* would spoil a run: encoding would refuse it (a value or file that cannot be read, a missing answer, a
class that training lacks, one class alone), or the score would not mean what it says (a column that is the answer,
rows of validation or test that training holds too, one class under two spellings). A *warning* is worth a look and may
be right: constant inputs, rare classes, repeated rows, blank pictures. An *info* is what a reader may want to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Level = Literal["error", "warning", "info"]
LEVELS: tuple[Level, ...] = ("error", "warning", "info")
SHOWN = 3  # rows or names a finding lists


@dataclass(frozen=True)
class Finding:
    """One thing found.

    kind: a short stable word for programs, e.g. `unreadable`. message: a sentence without the place. column, split:
    the place, None for all. count: how many rows, files or names it is about. rows: what the first of them are called.
    """

    level: Level
    kind: str
    message: str
    column: str | None = None
    split: str | None = None
    count: int = 0
    rows: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.column and f"column {self.column}", self.split) if part)
        named = f" ({', '.join(self.rows)}{', ...' if self.count > len(self.rows) else ''})" if self.rows else ""
        return f"{place}: {self.message}{named}" if place else f"{self.message}{named}"


@dataclass(frozen=True)
class Extent:
    """Of numbers, or of what can be measured of texts, pictures and sounds. unit: empty for plain numbers."""

    minimum: float
    maximum: float
    mean: float
    unit: str = ""

    @classmethod
    def of(cls, numbers: np.ndarray | Sequence[float], unit: str = "") -> Extent | None:
        """None without any. numbers: (N,), NaN where there is none."""
        there = np.asarray(numbers, dtype=np.float64)
        there = there[~np.isnan(there)]
        return cls(float(there.min()), float(there.max()), float(there.mean()), unit) if len(there) else None


@dataclass(frozen=True)
class ColumnFacts:
    """What one column of the experiment holds, all splits together.

    missing, distinct: rows without a value, and different values. extent: of what can be measured.
    """

    name: str
    role: Literal["input", "output"]
    type: str
    rows: int
    missing: int
    distinct: int
    extent: Extent | None = None

    @property
    def missing_share(self) -> float:
        """0..1."""
        return self.missing / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class DataReport:
    """Everything a check found. Findings come errors first.

    splits: rows of each. classes: by category or labels output and split, the rows of each class, largest class first.
    repeated: rows that repeat an earlier one in every column of the source. unused: columns that the experiment leaves.
    """

    found: str
    splits: Mapping[str, int]
    columns: Sequence[ColumnFacts]
    classes: Mapping[str, Mapping[str, Mapping[str, int]]]
    repeated: int
    unused: Sequence[str]
    findings: Sequence[Finding] = field(default_factory=tuple)

    def count(self, level: Level) -> int:
        """How many findings of a level."""
        return sum(finding.level == level for finding in self.findings)


def by_level(findings: Sequence[Finding]) -> list[Finding]:
    """Errors first, else in the order they were found."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))


def called(names: Sequence[str] | None, rows: np.ndarray) -> tuple[str, ...]:
    """What the first few of some rows are called. rows: int (M,)."""
    first = [int(row) for row in rows[:SHOWN]]
    return tuple(f"row {row}" if names is None else names[row] for row in first)


def listed(names: Iterable[str], between: str = ", ") -> str:
    """The first few names, and how many more there are."""
    every = list(names)
    more = f"{between}and {len(every) - SHOWN:,} more" if len(every) > SHOWN else ""
    return between.join(every[:SHOWN]) + more


def share(count: int, whole: int) -> str:
    """`12 of 50 (24 %)`."""
    percent = 100 * count / whole if whole else 0.0
    return f"{count:,} of {whole:,} ({percent:.2g} %)" if percent < 10 else f"{count:,} of {whole:,} ({percent:.0f} %)"
