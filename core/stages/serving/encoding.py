"""Rows of a request -> tensors by the columns that the checkpoint holds, as `ft predict` encodes them.

A row at fault is found by encoding one after the other, only once encoding all together has failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ft.core.data import decode, sound
from ft.core.data.columns import Column
from ft.core.data.columns.audio import AudioColumn
from ft.core.data.columns.image import ImageColumn
from ft.core.data.columns.set import SetColumn
from ft.core.data.shapes import Framing
from ft.core.data.stored import take
from ft.core.data.table import Values
from ft.core.errors import DataError
from ft.core.stages.serving.limits import Limits, Refused
from ft.core.stages.serving.questions import Rows, Value

REQUEST = "request"  # what the split is called, in notes
WIDE = 1 << 22  # characters of a NumPy array of texts, each of which takes as many as the longest
RAGGED = ("text", "set")  # kinds of columns whose rows differ in length; 0 fills them up


@dataclass(frozen=True)
class Encoded:
    """names: of the rows. stored: by input, (N, ...) as the column keeps it. notes: what was unknown or cut."""

    names: Sequence[str]
    stored: Mapping[str, Tensor]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


def encode(rows: Rows, columns: Mapping[str, Column], missing: Callable[[str, str], bool], limits: Limits) -> Encoded:
    """missing: whether a text stands for a missing value of an input. Raises Refused that names row and input: 400 for
    a file that cannot be read, 413 for a picture with too many pixels, 422 for a value that does not do.
    """
    notes: list[str] = []
    stored = {}
    for name, column in columns.items():
        given = rows.values[name]
        if column.kind == "image":
            stored[name] = torch.stack([_picture(each, rows, name, at, column, limits) for at, each in _all(given)])
        elif column.kind == "audio":
            framing = cast(AudioColumn, column).framing
            stored[name] = torch.stack([_sound(each, rows, name, at, framing, notes) for at, each in _all(given)])
        else:
            texts = [_cell(each, name, column, missing, _where(rows, at, name)) for at, each in enumerate(given)]
            stored[name] = _column(texts, rows, name, column, notes)
    return Encoded(rows.names, stored, tuple(notes))


def merge(stored: Sequence[Tensor], column: Column) -> Tensor:
    """The rows of several requests, one after the other: (sum of N, ...)."""
    if len(stored) == 1:
        return stored[0]
    if column.kind in RAGGED:
        longest = max(each.shape[1] for each in stored)
        return torch.cat([functional.pad(each, (0, longest - each.shape[1])) for each in stored])
    return torch.cat(list(stored))


# ---------------------------------------------------------------- values of tables


def _cell(value: Value, name: str, column: Column, missing: Callable[[str, str], bool], where: str) -> str:
    if isinstance(value, list):
        separator = cast(SetColumn, column).separator
        parted = next((each for each in value if separator in each), None)
        if parted is not None:
            raise Refused(422, f"{parted!r} holds {separator!r}, which parts one name from the next", where)
        return separator.join(value)
    assert isinstance(value, str), "bytes are for pictures and sounds"
    return "" if missing(name, value) else value


def _column(texts: Sequence[str], rows: Rows, name: str, column: Column, notes: list[str]) -> Tensor:
    """All at once, where no long text makes all others as wide as itself."""
    if len(texts) * max(map(len, texts)) <= WIDE:
        try:
            return _encoded(texts, rows.names, name, column, notes)
        except DataError:
            if len(texts) == 1:
                raise _unfit(rows, 0, name, texts[0], column) from None
            notes.clear()
    parts = []
    for at, text in enumerate(texts):
        try:
            parts.append(_encoded([text], rows.names[at : at + 1], name, column, notes))
        except DataError:
            raise _unfit(rows, at, name, text, column) from None
    return merge(parts, column)


def _encoded(texts: Sequence[str], names: Sequence[str], name: str, column: Column, notes: list[str]) -> Tensor:
    values = Values(np.array(texts), name, REQUEST, names, notes=notes)
    return take(column.encode(values), torch.arange(len(texts)))


def _unfit(rows: Rows, at: int, name: str, text: str, column: Column) -> Refused:
    """What the column says of one value, without the place that `where` holds already."""
    try:
        _encoded([text], ["row"], name, column, [])
    except DataError as error:
        said = str(error).removeprefix(f"column {name}, {REQUEST}").removeprefix(", row").removeprefix(": ")
        return Refused(422, said, _where(rows, at, name))
    raise AssertionError("a value that did not do before does now")


# ---------------------------------------------------------------- files


def _picture(data: Value, rows: Rows, name: str, at: int, column: Column, limits: Limits) -> Tensor:
    assert isinstance(data, bytes), "pictures are bytes"
    with _readable(_where(rows, at, name)):
        return torch.from_numpy(decode.read_bytes(data, name, cast(ImageColumn, column).shape, limits.pixels))


def _sound(data: Value, rows: Rows, name: str, at: int, framing: Framing, notes: list[str]) -> Tensor:
    assert isinstance(data, bytes), "sounds are bytes"
    with _readable(where := _where(rows, at, name)):
        wave, remarks = sound.read_bytes(data, name, framing.rate, framing.samples)
        notes += [f"{where}: {remark}" for remark in remarks]
        return torch.from_numpy(wave)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    try:
        yield
    except decode.TooManyPixelsError as error:
        raise Refused(413, str(error), where) from error
    except DataError as error:
        raise Refused(400, str(error), where) from error


def _all(given: Sequence[Value]) -> Iterator[tuple[int, Value]]:
    return iter(enumerate(given))


def _where(rows: Rows, at: int, name: str) -> str:
    """`rows[2].age`, or the file's own name."""
    called = rows.names[at]
    return f"{called}.{name}" if called.startswith("rows[") else called
