"""Remarks of a stage, neither results nor progress: what was chosen and why, what was loaded, what is frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["stage", "choice", "data", "weights", "freeze", "warning", "saved"]


@dataclass(frozen=True)
class Notice:
    """One remark. text: one line. details: more lines (a table), shown under it."""

    kind: Kind
    text: str
    details: tuple[str, ...] = ()
