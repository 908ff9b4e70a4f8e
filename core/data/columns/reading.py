"""From cells to NumPy numbers: of arrays, of Arrow tables, and of texts such as CSV files hold.

Decides what counts as missing and how a number is written; normalises nothing. Arrow's own conversion is tried first,
as it reads a million texts in a fraction of a second; Python looks again only to find the value at fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from ft.core.data import cells as cell
from ft.core.data.cells import Cells
from ft.core.data.table import Values

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "-", "?")  # among numbers and dates


def read_numbers(values: Values) -> np.ndarray:
    """Numbers of any shape, NaN where missing: of the array's own type, float64 from Arrow and from texts.

    Raises DataError for values of another kind, and names the first text that is no number.
    """
    array = values.array
    if isinstance(array, np.ndarray) and array.dtype.kind in "buif":
        return array
    if not is_text(array):
        return _arrow_numbers(values)
    if isinstance(array, np.ndarray):
        return _python_numbers(values)
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(array)
    known = pc.if_else(pc.is_in(texts, value_set=pa.array(MISSING, texts.type)), None, texts)
    try:
        return np.asarray(known.cast(pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        return _python_numbers(values)


def read_vectors(values: Values) -> np.ndarray:
    """Several numbers for each example, (N, ...), NaN where missing: arrays as they are, lists, or texts of numbers.

    A text holds numbers with spaces, commas or semicolons between them, in brackets or not. An example that is missing
    as a whole misses every entry. Raises DataError naming the first row of another length than those before it.
    """
    array = values.array
    if isinstance(array, np.ndarray) and array.dtype.kind in "buif":
        return array
    if is_text(array):
        return _text_vectors(values)
    return _list_vectors(values)


def number_of(text: str) -> float:
    """A number as it is written in a table, NaN where the text stands for a missing one. Raises ValueError."""
    text = text.strip()
    if "_" in text:  # Python's way of writing thousands, nobody else's
        raise ValueError(text)
    return float("nan") if text in MISSING else float(text)


def is_text(cells: Cells) -> bool:
    """Whether the cells are texts, of NumPy (bytes too) or Arrow."""
    if isinstance(cells, np.ndarray):
        return cells.dtype.kind in "US"
    return str(cells.type) in ("string", "large_string", "string_view")


def describe_dtype(cells: Cells) -> str:
    """What a person calls this kind of values."""
    if not isinstance(cells, np.ndarray):
        return "text" if is_text(cells) else str(cells.type)
    kinds = {"O": "Python objects", "U": "text", "S": "bytes", "c": "complex numbers", "M": "dates", "m": "durations"}
    return kinds.get(cells.dtype.kind, str(cells.dtype))


def and_more(count: int) -> str:
    """How many rows share a fault, after the first one was named. count: the first included."""
    return f" (and {count - 1:,} rows more)" if count > 1 else ""


def _arrow_numbers(values: Values) -> np.ndarray:
    """Arrow's numbers, truth values, decimals, dictionaries of them, or nothing but nulls -> float64 (N,)."""
    array = values.array
    if not isinstance(array, np.ndarray):
        import pyarrow as pa

        kind = array.type
        if pa.types.is_dictionary(kind):
            return read_numbers(replace(values, array=array.dictionary_decode()))
        numeric = (
            pa.types.is_integer,
            pa.types.is_floating,
            pa.types.is_boolean,
            pa.types.is_decimal,
            pa.types.is_null,
        )
        if any(is_kind(kind) for is_kind in numeric):
            return np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    raise values.error(f"the values are {describe_dtype(array)}; numbers are expected")


def _python_numbers(values: Values) -> np.ndarray:
    """One text after the other: float64 (N,). Raises DataError naming the first one that cannot be read."""
    numbers = np.empty(len(values.array))
    faults: list[tuple[int, str]] = []
    for row, text in enumerate(cell.texts(values.array)):
        try:
            numbers[row] = number_of(text)
        except ValueError:
            faults.append((row, text))
    if faults:
        row, text = faults[0]
        raise values.error(f"{text!r} is no number{and_more(len(faults))}; {_expected(text)}", row)
    return numbers


def _expected(text: str) -> str:
    if "," in text:
        return "numbers are written with a point and without commas, e.g. 1234.5"
    return "expected one such as 12.5 or 1e3; if it stands for a missing value, list it under data.missing"


def _text_vectors(values: Values) -> np.ndarray:
    rows = [_parts(text) for text in cell.texts(values.array)]
    _require_one_length(values, [len(parts) for parts in rows], [bool(parts) for parts in rows])
    width = next((len(parts) for parts in rows if parts), 0)
    numbers = np.full((len(rows), width), np.nan)
    for row, parts in enumerate(rows):
        try:
            numbers[row, : len(parts)] = [number_of(part) for part in parts]
        except ValueError:
            text = " ".join(parts)
            message = f"{text!r} are no numbers; expected some such as 1.5 2 3e-1, in each row as many"
            raise values.error(message, row) from None
    return numbers


def _parts(text: str) -> list[str]:
    return text.strip("[]() \t").replace(",", " ").replace(";", " ").split()


def _list_vectors(values: Values) -> np.ndarray:
    array = values.array
    if isinstance(array, np.ndarray) or "list" not in str(array.type):
        raise values.error(f"the values are {describe_dtype(array)}; a vector is a list of numbers (one value: number)")
    import pyarrow.compute as pc

    present = array.is_valid().to_numpy(zero_copy_only=False)
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
    _require_one_length(values, lengths, present)
    flat = _arrow_numbers(replace(values, array=array.flatten()))
    width = int(lengths[present][0]) if present.any() else 0
    numbers = np.full((len(array), width), np.nan)
    numbers[present] = flat.reshape(-1, width) if width else 0
    return numbers


def _require_one_length(values: Values, lengths: Sequence[int], present: Iterable[bool]) -> None:
    rows = np.flatnonzero(np.fromiter(present, bool))
    sizes = np.asarray(lengths)[rows]
    other = np.flatnonzero(sizes != sizes[:1])
    if len(other):
        first, row = int(sizes[0]), int(rows[other[0]])
        message = f"holds {sizes[other[0]]} numbers{and_more(len(other))} where the first example holds {first}"
        raise values.error(f"{message}; a vector has as many in each", row)
