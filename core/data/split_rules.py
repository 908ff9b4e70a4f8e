"""Three ways of setting examples aside that follow a column: whole groups, the latest, so many of each value.

What they are for: a patient, speaker or author on both sides of a split is recognised, not understood; a forecast may
not look ahead; a recommendation is judged by what each user did last. No shares of classes are kept here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from torch import Tensor

from ft.core.data import cells, hashing
from ft.core.data.table import Values
from ft.core.errors import ConfigError, Problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cut_groups(values: Values, sizes: Mapping[str, int], seed: int) -> dict[str, np.ndarray]:
    """Row numbers, ascending, of each part and of train: whole groups, in the order of the hash of their names.

    A part takes groups until one more would bring it further from its size, at least one, and leaves as many as the
    parts after it and train need. So a group keeps its side when others come or go, but for those at a border.
    Raises ConfigError with fewer groups than parts, DataError for a row without a group.
    """
    codes, names = _codes(values)
    order = hashing.ordered(hashing.name_numbers(names), hashing.SPLIT, seed).numpy()
    counts = np.bincount(codes, minlength=len(names))[order]
    if len(order) <= len(sizes):
        message = f"column {values.column} has {len(order)} groups; {' and '.join([*sizes, 'train'])} need one each"
        raise ConfigError(Problem(message, ("data", "split", "group")))
    part_of = np.full(len(order), len(sizes))  # of each group; the last is train
    first = 0
    for place, size in enumerate(sizes.values()):
        last = len(order) - (len(sizes) - place)  # so many groups must stay
        distances = np.abs(np.cumsum(counts[first:last]) - size)
        end = first + int(distances.argmin()) + 1
        part_of[order[first:end]] = place
        first = end
    return _rows_of(part_of[codes], sizes)


def cut_latest(values: Values, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Row numbers, ascending: the latest rows are the first part's, those before them the next one's, train the rest.

    Of rows of one moment the one further down counts as later.
    """
    order = np.argsort(moments(values), kind="stable")[::-1]  # the latest first
    part_of = np.full(len(order), len(sizes))
    first = 0
    for place, size in enumerate(sizes.values()):
        part_of[order[first : first + size]] = place
        first += size
    return _rows_of(part_of, sizes)


def cut_within(
    values: Values, wishes: Mapping[str, int | float], times: Values | None, identities: Tensor, seed: int
) -> dict[str, np.ndarray]:
    """Row numbers, ascending: of each value so many rows, or that fraction of its rows, rounded, half up.

    times: the latest of each value, with ties as in cut_latest; None: those with the smallest hash of their identity,
    int64 (N,). The last row of a value always stays in train: a user with one row is only trained on, one with two
    gives one to the first part.
    """
    codes, names = _codes(values)
    if times is None:
        order = hashing.ordered(identities, hashing.SPLIT, seed).numpy()
    else:
        order = np.argsort(moments(times), kind="stable")[::-1]
    order = order[np.argsort(codes[order], kind="stable")]  # by value, within it those to be taken first
    counts = np.bincount(codes, minlength=len(names))
    ranks = np.arange(len(order)) - (np.cumsum(counts) - counts)[codes[order]]  # of each row within its value
    part_of = np.full(len(order), len(sizes := list(wishes.values())))
    first = np.zeros_like(counts)
    for place, wish in enumerate(sizes):
        asked = np.full_like(counts, wish) if isinstance(wish, int) else np.floor(wish * counts + 0.5).astype(np.int64)
        end = first + np.minimum(asked, np.maximum(counts - 1 - first, 0))
        inside = (ranks >= first[codes[order]]) & (ranks < end[codes[order]])
        part_of[order[inside]] = place
        first = end
    return _rows_of(part_of, wishes)


def moments(values: Values) -> np.ndarray:
    """Something to sort by: int64 or float64 (N,). Numbers, texts of numbers, or ISO dates and times of one kind.

    A time without a zone counts as UTC. Raises DataError for a value that is neither, or missing, and its row.
    """
    array = values.array
    missing = cells.is_missing(array)
    if missing.any():
        raise values.error("has no time; every row needs one to be put in order", int(missing.argmax()))
    if isinstance(array, np.ndarray) and array.dtype.kind in "iufM":
        numbers: np.ndarray = array.reshape(-1)
        return numbers.view(np.int64) if array.dtype.kind == "M" else numbers
    codes, names = cells.codes(array)
    for read in (int, _finite, _microseconds):
        try:
            keys = np.array([read(name.strip()) for name in names])
        except ValueError:
            continue
        ordered: np.ndarray = keys[codes]
        return ordered
    bad = next((code for code, name in enumerate(names) if not _is_moment(name)), None)
    if bad is None:
        raise values.error("has both numbers and dates; they cannot be put in one order")
    row = int((codes == bad).argmax())
    raise values.error(f"{names[bad]!r} is neither a number nor a date such as 2024-05-31 or 2024-05-31 12:30:00", row)


def _finite(name: str) -> float:
    number = float(name)
    if not math.isfinite(number):
        raise ValueError(name)
    return number


def _microseconds(name: str) -> int:
    moment = datetime.fromisoformat(name)
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _is_moment(name: str) -> bool:
    for read in (_finite, _microseconds):
        try:
            read(name.strip())
            return True
        except ValueError:
            continue
    return False


def _codes(values: Values) -> tuple[np.ndarray, list[str]]:
    codes, names = cells.codes(values.array)
    if (codes < 0).any():
        raise values.error("is missing; the split needs a value in every row", int((codes < 0).argmax()))
    return codes, names


def _rows_of(part_of: np.ndarray, parts: Mapping[str, object]) -> dict[str, np.ndarray]:
    """part_of: int (N,), places among the parts, then train."""
    return {part: np.flatnonzero(part_of == place) for place, part in enumerate([*parts, "train"])}
