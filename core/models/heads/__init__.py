"""One head per type of output column: how large the last layer is, the loss, how answers are read, the metrics.

`HEADS` is the whole family; a new type of output is one file and one line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from ft.core.config.schema import OutputColumn
from ft.core.models.heads.base import Decoded, Head

HEADS = {
    "category": "ft.core.models.heads.category:CategoryHead",
    "labels": "ft.core.models.heads.labels:LabelsHead",
    "number": "ft.core.models.heads.number:NumberHead",
    "ranking": "ft.core.models.heads.ranking:RankingHead",
}

__all__ = ["HEADS", "Decoded", "Head", "make_head"]


def make_head(name: str, settings: OutputColumn, state: Mapping[str, Any], asked: Iterable[str] = ()) -> Head:
    """The head of the output `name`.

    state: what its column learned from the training data. category and labels: `classes`, and when they are balanced
        `counts`, the training examples of each, for labels also `rows`, how many there were. number: `mean` and
        `std`, when it is normalised. ranking: nothing.
        What `decide` chose on validation, as `decisions`.
    asked: metric names that the experiment mentions anywhere, bare or with an output before them (`digit/top3`); those
        that are reported only when asked for are then reported by the output they name.
    Raises ConfigError at `outputs.<name>` when the settings do not fit the classes.
    """
    module, _, kind = HEADS[settings.type].partition(":")
    own = [metric for output, _, metric in (each.rpartition("/") for each in asked) if output in ("", name)]
    head: Head = getattr(import_module(module), kind).from_settings(name, settings, state, own)
    return head
