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
    "number": "ft.core.models.heads.number:NumberHead",
}

__all__ = ["HEADS", "Decoded", "Head", "make_head"]


def make_head(name: str, settings: OutputColumn, state: Mapping[str, Any], asked: Iterable[str] = ()) -> Head:
    """The head of the output `name`.

    state: what its column learned from the training data. category: `classes`, and `counts`, the training examples of
        each, when the weights are balanced. number: `mean` and `std`, when it is normalised.
    asked: metric names that the experiment mentions anywhere; a `top3` among them is then reported.
    Raises ConfigError at `outputs.<name>` when the settings do not fit the classes.
    """
    module, _, kind = HEADS[settings.type].partition(":")
    head: Head = getattr(import_module(module), kind).from_settings(name, settings, state, asked)
    return head
