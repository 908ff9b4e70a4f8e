"""What `ft profile` found, as people read it: a headline, where the time goes, what else was tried, what to write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ft.core.stages.profile import Profile, as_tree


def view(result: Profile) -> list[RenderableType]:
    """Parts by time, alternatives in the order they were tried, and the lines to paste where any are worth it."""
    where = f"{result.device} ({result.precision}, {result.threads} thread{'s' if result.threads > 1 else ''})"
    head = f"{result.name}: a step of {result.batch_size:,} examples takes {result.milliseconds:.2f} ms on {where}"
    speed = f"  {result.examples_per_second:,.0f} examples a second"
    if result.peak_bytes:
        speed += f"; peak memory {result.peak_bytes / 1e6:,.0f} MB, data and libraries included"
    most = f"  most of a step is {result.bottleneck}: {result.advice}"
    shown: list[RenderableType] = [Text(head, "bold"), speed, most, _parts(result)]
    if result.alternatives:
        shown.append(_alternatives(result))
    if not result.faster:
        return [*shown, "  as it is, it is the fastest of these"]
    return [*shown, "  faster in every round; to write into the file:", *_lines(as_tree(result.faster))]


def _lines(tree: Mapping[str, Any], indent: str = "") -> list[str]:
    """As YAML, a setting a line."""
    lines = []
    for key, value in tree.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", *_lines(value, f"{indent}  ")]
        else:
            lines.append(f"{indent}{key}: {json.dumps(value) if isinstance(value, bool) else value}")
    return lines


def _parts(result: Profile) -> Table:
    table = _table("of a step", "ms", "share")
    whole = sum(result.parts.values())
    for name, milliseconds in result.parts.items():
        table.add_row(name, f"{milliseconds:.2f}", f"{milliseconds / whole:.0%}")
    return table


def _alternatives(result: Profile) -> Table:
    table = _table("with", "ms", "ratio", "of all rounds")
    for each in result.alternatives:
        rounds = f"{each.low:.2f} to {each.high:.2f}{'  faster' if each.faster else ''}"
        table.add_row(" ".join(each.settings), f"{each.milliseconds:.2f}", f"{each.ratio:.2f}", rounds)
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(first, box=None, padding=(0, 2, 0, 2), header_style="dim")
    for name in others:
        table.add_column(name, justify="left" if name == "of all rounds" else "right")
    return table
