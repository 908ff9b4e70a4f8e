"""Settings with remarks -> YAML: one line for each setting that fits, what was thought behind it in a comment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ft.core.config.write import dump

LINE = 118  # characters; a comment that would go beyond stands above its setting
COLUMN = 46  # where comments begin, if the setting leaves room
_LAST = "last"


@dataclass(frozen=True)
class Remark:
    """A line of comment of its own; an empty one is a blank line."""

    text: str


@dataclass(frozen=True)
class Entry:
    """A setting. value: plain, or the entries below it. why: its comment."""

    key: str
    value: Any
    why: str = ""


def render(entries: Sequence[Entry | Remark], indent: int = 0) -> str:
    """The YAML text of some entries; without the comments it reads back to the plain values."""
    return "".join(_line(entry, indent) for entry in entries)


def _line(entry: Entry | Remark, indent: int) -> str:
    margin = " " * indent
    if isinstance(entry, Remark):
        return f"{margin}# {_printable(entry.text)}\n" if entry.text else "\n"
    if isinstance(entry.value, list) and any(isinstance(each, Entry | Remark) for each in entry.value):
        key = _lines(entry.key, None)[0].removesuffix(" null")
        return _commented(f"{margin}{key}", entry.why, margin) + render(entry.value, indent + 2)
    lines = _lines(entry.key, entry.value)
    first = _commented(f"{margin}{lines[0]}", entry.why, margin)
    return first + "".join(f"{margin}{line}\n" for line in lines[1:])


def _lines(key: str, value: Any) -> list[str]:
    """`key: value` as YAML, never in braces: a mapping is spread over lines when a value in it cannot be short."""
    return dump({key: value, _LAST: [[0]]}).split(f"{_LAST}:\n")[0].splitlines()


def _commented(line: str, why: str, margin: str) -> str:
    if not why:
        return f"{line}\n"
    whole = f"{line:<{COLUMN}}  # {_flat(why)}"
    return f"{whole}\n" if len(whole) <= LINE else f"{margin}# {_flat(why)}\n{line}\n"


def _flat(text: str) -> str:
    """On one line: a name from the data may hold anything."""
    return " ".join(_printable(text).split())


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
