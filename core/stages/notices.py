"""Remarks of a stage, neither results nor progress: what was chosen and why, what was loaded, what is frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from ft.core.data.prepare import Data

Kind = Literal["stage", "choice", "data", "weights", "freeze", "warning", "saved"]


@dataclass(frozen=True)
class Notice:
    """One remark. text: one line. details: more lines (a table), shown under it."""

    kind: Kind
    text: str
    details: tuple[str, ...] = ()


def tell_data(data: Data, on_notice: Callable[[Notice], None]) -> None:
    """Where the data came from, how many there are, and what was missing, unknown, cut or left out of them."""
    on_notice(Notice("data", data.summary(), data.notes))


def warn(texts: Iterable[str], on_notice: Callable[[Notice], None]) -> None:
    """A warning each."""
    for text in texts:
        on_notice(Notice("warning", text))
