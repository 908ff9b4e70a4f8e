"""Parts of the examples that are judged on their own: by the values of a column, or by ranges of its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from ft.core.data import cells
from ft.core.data.columns.reading import read_numbers
from ft.core.data.table import Values
from ft.core.errors import ConfigError, Problem

MOST = 100  # slices of one column
MISSING = "missing"


def cut_slices(
    values: Values, asked: Literal["all"] | Sequence[str] | Sequence[float], column: str
) -> dict[str, np.ndarray]:
    """By the slice's name, the rows that belong to it, int64 (M,), ascending; none for a value that no row has.

    asked: "all" for every value, words for these values, numbers, ascending, for the ranges between them: each bound
    belongs to the range above it. Rows without a value are a slice of their own, where there are any and words do not
    choose. Raises ConfigError for more values than anyone reads, DataError for ranges of what is no number.
    """
    if asked != "all" and not isinstance(asked[0], str):
        return _ranges(read_numbers(values).reshape(-1).astype(np.float64), [float(each) for each in asked], column)
    codes, names = cells.codes(values.array)
    if values.classes is not None:
        names = [values.classes[int(name)] for name in names]
    wanted = sorted(names, key=_natural) if asked == "all" else [str(each) for each in asked]
    if len(wanted) > MOST:
        message = f"{column} has {len(wanted):,} values, and slices are at most {MOST}; name some, or bounds of ranges"
        raise ConfigError(Problem(message, ("eval", "slices", column)))
    found = {
        f"{column}={name}": np.flatnonzero(codes == names.index(name)) if name in names else np.empty(0, np.int64)
        for name in wanted
    }
    without = np.flatnonzero(codes < 0)
    return found | ({f"{column}={MISSING}": without} if asked == "all" and len(without) else {})


def _ranges(numbers: np.ndarray, bounds: Sequence[float], column: str) -> dict[str, np.ndarray]:
    place = np.searchsorted(bounds, numbers, side="right")  # NaN comes last
    names = [f"{column}<{bounds[0]:g}", *(f"{a:g}<={column}<{b:g}" for a, b in pairwise(bounds))]
    names.append(f"{column}>={bounds[-1]:g}")
    without = np.isnan(numbers)
    found = {name: np.flatnonzero((place == index) & ~without) for index, name in enumerate(names)}
    return found | ({f"{column}={MISSING}": np.flatnonzero(without)} if without.any() else {})


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers by their size, before words."""
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name
