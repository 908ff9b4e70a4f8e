"""Column types: how a value becomes a tensor, with what was fitted on the training examples.

A new type is one file here and one line in COLUMNS. Inputs and outputs are the same kinds of objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ft.core.config.schema import InputColumn, OutputColumn
from ft.core.data.columns.base import Column
from ft.core.data.stored import Stored
from ft.core.data.table import Values

__all__ = ["COLUMNS", "MADE_OF_OTHERS", "Column", "column_from_state", "fit_column"]

COLUMNS = {
    "image": "ft.core.data.columns.image:ImageColumn",
    "audio": "ft.core.data.columns.audio:AudioColumn",
    "text": "ft.core.data.columns.text:TextColumn",
    "number": "ft.core.data.columns.number:NumberColumn",
    "vector": "ft.core.data.columns.vector:VectorColumn",
    "category": "ft.core.data.columns.category:CategoryColumn",
    "set": "ft.core.data.columns.set:SetColumn",
    "history": "ft.core.data.columns.history:HistoryColumn",
    "date": "ft.core.data.columns.date:DateColumn",
    "labels": "ft.core.data.columns.labels:LabelsColumn",
    "ranking": "ft.core.data.catalog:Catalog",
}

MADE_OF_OTHERS = ("history", "ranking")  # no values of the data: history.py and catalog_fit.py make them


def fit_column(
    settings: InputColumn | OutputColumn, values: Values, earlier: Column | None = None
) -> tuple[Column, Stored]:
    """The column fitted on these training values, and the values in the form that is kept.

    earlier: a column whose fitted state is kept instead, where it is of the same type and shape and the settings leave
    it to fitting: weights that were trained with it expect it.
    Raises DataError when the values do not suit the type, ConfigError when the settings do not suit the values.
    """
    kind = _column_type(settings.type)
    fitted: tuple[Column, Stored] = kind.fit(settings, values, earlier if isinstance(earlier, kind) else None)
    return fitted


def column_from_state(state: Mapping[str, Any]) -> Column:
    """The column whose `to_state` this is, as a checkpoint keeps it."""
    column: Column = _column_type(state["type"]).from_state(state)
    return column


def _column_type(kind: str) -> Any:
    module, name = COLUMNS[kind].split(":")
    return getattr(import_module(module), name)
