"""A unit as the modules of `adapt` see it: all that a pattern needs to know of one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """The part of models.units.Unit that patterns read."""

    index: int
    name: str
    kind: str
    prefixes: tuple[str, ...]
