"""What of a network learned: a table of its layers, and the proof that the frozen ones did not move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ft.core.report.page import Block, Table


def learning_table(units: Sequence[Mapping[str, Any]]) -> list[Block]:
    """A row for each layer; empty where all layers learn alike, which is nothing to tell."""
    alike = {(tuple(unit["rates"]), tuple(unit["from_epochs"])) for unit in units if unit["parameters"]}
    if len(alike) < 2 and all(unit["trainable"] == unit["parameters"] for unit in units):
        return []
    rows = [
        [
            str(unit["index"]),
            unit["name"],
            f"{unit['parameters']:,}",
            f"{unit['trainable']:,}" if unit["trainable"] else "-",
            " and ".join(f"{rate:.3g}" for rate in unit["rates"]),
            " and ".join(map(str, unit["from_epochs"])),
        ]
        for unit in units
    ]
    head = ["", "layer", "values", "learn", "rate", "from epoch"]
    return [Table("How much of each layer learns", head, rows, right=(0, 2, 3))]


def frozen_fact(frozen: Mapping[str, Any]) -> str:
    """The proof in a sentence."""
    what = f"{frozen['tensors']:,} tensors ({frozen['values']:,} values)"
    return f"{what}, byte-identical to the start; SHA-256 of all {frozen['sha256']}"
