"""A setting and why it was chosen; plain values that config/begin_text.py writes out as YAML with comments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Columns:
    """The columns of an experiment as guessed.

    inputs, outputs: name -> settings. why: name -> reason. left: names that do not go in, with the reason. rows: of
    the files that were looked at. group: a column whose values are persons or places that come again, or None.
    photos: whether the one input are pictures large enough for a network that was trained on photos.
    """

    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    group: str | None = None
    photos: bool = False


@dataclass
class Place:
    """What lies at a path: the `data` section without its split, and why.

    splits: those the files bring. kind: of the examples.
    """

    data: dict[str, Any]
    why: dict[str, str]
    splits: tuple[str, ...]
    kind: str
