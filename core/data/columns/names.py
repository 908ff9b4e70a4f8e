"""What the columns of names share: category, set and labels. Names are found, sorted, looked up and told here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ft.core.config.suggest import did_you_mean
from ft.core.data import cells
from ft.core.data.columns.reading import and_more, describe_dtype, is_text
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError, Problem

SHOWN = 5  # unknown names that a note lists


def name_values(values: Values) -> tuple[np.ndarray, Sequence[str]]:
    """Every value as a code into a list of names: int64 (N,), -1 where missing, and the names; some may not occur.

    Truth values are named true and false, floats without a fraction by their digits as integers. Raises DataError for
    values that are no names, several for each example, or an integer that the source has no name for.
    """
    array = values.array
    if isinstance(array, np.ndarray):
        if array.size != len(array):
            shape = array.shape[1:]
            raise values.error(f"each example has shape {shape}; a category is one value, not scores or one-hot")
        array = array.reshape(-1)
        if values.classes is not None and array.dtype.kind in "ui":
            return _positions(values, array), values.classes
    if _is_float(array):
        return _whole_numbers(values)
    if not (is_text(array) or _is_named(array)):
        raise values.error(f"the values are {describe_dtype(array)}; categories are text or integers")
    return cells.codes(array)


def sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    """Each once: integers by number, others by letter; the empty name of missing values comes first."""
    distinct = set(names)
    if all(map(is_integer, distinct - {""})):
        return tuple(sorted(distinct, key=lambda name: (name != "", int(name or 0), name)))
    return tuple(sorted(distinct))


def frequent_names(names: Sequence[str], codes: np.ndarray, min_count: int) -> tuple[str, ...]:
    """The names that occur at least so often, sorted. codes: int64 (N,), into the names; none is negative."""
    counts = np.bincount(codes, minlength=len(names))
    return sorted_names(names[code] for code in np.flatnonzero(counts >= min_count).tolist())


def is_integer(name: str) -> bool:
    """Whether a name is written in digits, with a minus or not."""
    return name.removeprefix("-").isdecimal()


def distinct_classes(classes: Sequence[str], column: str) -> tuple[str, ...]:
    """The classes that the experiment lists. Raises ConfigError at the place of one that is listed twice."""
    for place, name in enumerate(classes):
        if name in classes[:place]:
            raise ConfigError(Problem(f"class {name!r} is listed twice", ("outputs", column, "classes", place)))
    return tuple(classes)


def note_unknown(values: Values, rows: int, names: Iterable[str]) -> None:
    """Tell how many rows have names that the column does not know, and which; nothing when there are none."""
    if rows:
        unknown = sorted(set(names))
        more = f", … ({len(unknown):,} in all)" if len(unknown) > SHOWN else ""
        listed = ", ".join(repr(name) if name else "a missing one" for name in unknown[:SHOWN])
        values.note(f"{rows:,} of {len(values.array):,} rows have names that are not known: {listed}{more}")


def no_such_class(values: Values, name: str, classes: Sequence[str], row: int, rows: int = 1) -> DataError:
    """The error about a target outside the classes, in so many rows. Raises nothing itself."""
    message = f"{name!r} is none of the classes {_listed(classes)}{and_more(rows)}"
    return values.error(f"{message}{did_you_mean(name, classes) or '; leave out rows of other classes'}", row)


def _listed(classes: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(classes[:most])
    return f"{shown}, … ({len(classes)} in all)" if len(classes) > most else shown


def _positions(values: Values, array: np.ndarray) -> np.ndarray:
    """Integers of a source that knows their names -> int64 (N,)."""
    count = len(values.classes or ())
    outside = (array < 0) | (array >= count)
    if outside.any():
        row = int(outside.argmax())
        raise values.error(f"label {array[row]} is outside 0..{count - 1}", row)
    return array.astype(np.int64)


def _is_float(array: cells.Cells) -> bool:
    return array.dtype.kind == "f" if isinstance(array, np.ndarray) else str(array.type) in ("float", "double")


def _is_named(array: cells.Cells) -> bool:
    """Whether the values, other than texts and floats, have names: integers, truth values, Arrow's dictionaries."""
    if isinstance(array, np.ndarray):
        return array.dtype.kind in "bui"
    return str(array.type).startswith(("int", "uint", "bool", "dictionary", "null", "decimal"))


def _whole_numbers(values: Values) -> tuple[np.ndarray, list[str]]:
    """Floats, as a table turns integers into when some are missing: their codes, -1 for NaN, and names by digits."""
    array = values.array
    numbers = array if isinstance(array, np.ndarray) else array.to_numpy(zero_copy_only=False)
    numbers = numbers.reshape(-1)
    present = ~np.isnan(numbers)
    fractions = present & (np.isinf(numbers) | (np.trunc(numbers) != numbers))
    if fractions.any():
        row = int(fractions.argmax())
        message = f"{numbers[row]} is no name; categories are text or integers (numbers to compute with: type: number)"
        raise values.error(message, row)
    found, inverse = np.unique(numbers[present].astype(np.int64), return_inverse=True)
    codes = np.full(len(numbers), -1)
    codes[present] = inverse
    return codes, [str(value) for value in found.tolist()]
