"""What a column of a table means, from its values: number, date, text, names, sets, files, or nothing of use."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ft.core.data import cells
from ft.core.data.columns import reading
from ft.core.data.decode import SUFFIXES as PICTURES
from ft.core.data.guess.media import audio_settings, image_settings
from ft.core.data.sound import SUFFIXES as SOUNDS
from ft.core.data.table import Values
from ft.core.errors import DataError

LOOKED_AT = 2_000  # values on which forms are tried
NAMED_EACH = 0.5  # different names for each row, from which a column of names is of no use
FEW_NUMBERS = 2  # different whole numbers up to which they are two names, not an amount
WORDS, LETTERS = 4.0, 30.0  # of an average cell, from which it is a text
MOST_MEMBERS = 50  # different names in sets, however few sets there are
SETS = (("|", 0.2), (";", 0.2))  # what stands between names, and the least share of cells that hold it
DATES = (None, "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y-%m-%d %H:%M", "%Y%m%d", "%d-%m-%Y", "%b %d, %Y")
SPARE, STEP, LONGEST = 1.5, 32, 1_024  # tokens: punctuation counts too, so there is room to spare
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # scripts without spaces between words
IS_ID = re.compile(r"(^|[_\W])(id|idx|index|uuid|guid|key|no|nr|row|unnamed)([_\W]|$)|Id$|^$|^#$", re.IGNORECASE)
IS_CODE = re.compile(r"(^|[_\W])(zip|zipcode|postcode|plz|code|id|year_code)([_\W]|$)", re.IGNORECASE)
IS_TIME = re.compile(r"time|date", re.IGNORECASE)


@dataclass(frozen=True)
class Kind:
    """settings: of an input column, None where it is of no use. why: in a few words. numbers: float64 if it has any."""

    settings: dict[str, Any] | None
    why: str
    distinct: int = 0
    missing: int = 0
    numbers: np.ndarray | None = field(default=None, compare=False)


def guess_kind(values: Values) -> Kind:
    """The meaning of one column. Missing values are flagged where there are any."""
    array, rows = values.array, len(values.array)
    if not isinstance(array, np.ndarray) and "list" in str(array.type):
        return _list(values)
    if not isinstance(array, np.ndarray) and str(array.type).startswith(("date", "timestamp")):
        return Kind({"type": "date", **_flag(int(cells.is_missing(array).sum()))}, "dates")
    codes, names = cells.codes(array)
    numbers = _numbers(values)
    missing = int(np.isnan(numbers).sum()) if numbers is not None else int((codes < 0).sum())
    there = [name for name in names if name.strip()]
    if missing == rows or not there:
        return Kind(None, "empty in every row")
    if len(there) == 1 and not missing:
        return Kind(None, f"{there[0]!r} in every row", 1)
    if numbers is not None:
        return _number(values, numbers, there, missing)
    return _named(values, there, missing, rows)


def _number(values: Values, numbers: np.ndarray, names: list[str], missing: int) -> Kind:
    known = numbers[~np.isnan(numbers)]
    whole, distinct = bool((known == np.round(known)).all()), len(np.unique(known))
    told = _count(missing, "missing")
    if IS_TIME.search(values.column) and whole and known.min() > 1e8 and known.max() < 4e9:
        return Kind(
            {"type": "date", "format": "unix", **_flag(missing)}, "seconds since 1970", distinct, missing, numbers
        )
    if whole and distinct == len(known) == len(numbers) and (IS_ID.search(values.column) or _counts(known)):
        return Kind(None, "another number in every row: a name, not an amount", distinct, missing, numbers)
    if whole and (IS_CODE.search(values.column) or any(len(n) > 1 and n[0] == "0" and n.isdigit() for n in names[:99])):
        return Kind({"type": "category"}, f"{distinct:,} codes", distinct, missing, numbers)
    if whole and distinct <= FEW_NUMBERS and not missing:
        return Kind({"type": "category"}, f"only {' and '.join(names[:FEW_NUMBERS])}", distinct, missing, numbers)
    settings: dict[str, Any] = {"type": "number"}
    why = f"{known.min():g} to {known.max():g}"
    if known.max() - known.mean() > 6 * known.std():
        settings["normalize"] = "quantile"
        why += ", a few far above the rest"
    return Kind(settings | _flag(missing), f"{why}{told}", distinct, missing, numbers)


def _named(values: Values, names: list[str], missing: int, rows: int) -> Kind:
    """Cells of text: dates, files, sets, texts or names."""
    some = names[:LOOKED_AT]
    told = _count(missing, "missing")
    for form in DATES:
        if all(_is_date(name, form) for name in some):
            settings = {"type": "date", **({"format": form} if form else {}), **_flag(missing)}
            return Kind(settings, f"dates{told}", len(names), missing)
    files = _files(values, some)
    if files is not None:
        return Kind(files, "names of files", len(names), missing)
    separator = _separator(some)
    if separator is not None:
        return Kind(
            {"type": "set", "separator": separator}, f"names with {separator} between them", len(names), missing
        )
    letters = sum(map(len, some)) / len(some)
    words = sum(len(name.split()) for name in some) / len(some)
    wide = sum(bool(WIDE.search(name)) for name in some) > 0.5 * len(some)
    if words >= WORDS or letters >= LETTERS or (wide and letters >= LETTERS / 3):
        why = f"{letters:.0f} letters each" if wide else f"{words:.0f} words each"
        return Kind(_text_settings(some, wide), why, len(names), missing)
    if len(names) > NAMED_EACH * (rows - missing) and len(names) > 10:
        return Kind(None, f"{len(names):,} different names in {rows:,} rows: too seldom the same", len(names), missing)
    return Kind({"type": "category"}, f"{len(names):,} names{told}", len(names), missing)


def _text_settings(texts: Sequence[str], wide: bool) -> dict[str, Any]:
    """Long enough for nearly all of the texts. wide: a script without spaces, which pairs of letters serve."""
    lengths = [len(text) if wide else len(text.split()) for text in texts]
    steps = np.ceil(SPARE * np.percentile(lengths, 99) / STEP)
    length = int(min(LONGEST, max(1, steps) * STEP))
    return {"type": "text", "tokens": "chars" if wide else "words", "ngrams": 2, "max_length": length}


def _list(values: Values) -> Kind:
    kind = str(values.array.type)  # type: ignore[union-attr]
    missing = int(cells.is_missing(values.array).sum())
    if "string" in kind:
        return Kind({"type": "set"}, "lists of names", 0, missing)
    try:
        width = reading.read_vectors(values).shape[1]
    except DataError:
        return Kind(None, f"{kind}: no list of equally many numbers")
    return Kind({"type": "vector", **_flag(missing)}, f"{width} numbers each", 0, missing)


def _numbers(values: Values) -> np.ndarray | None:
    """float64 (N,), NaN where missing; None when some are no numbers, or the column holds truth values."""
    if not isinstance(values.array, np.ndarray) and str(values.array.type) == "bool":
        return None
    try:
        return reading.read_numbers(values).astype(np.float64)
    except DataError:
        return None


def _counts(known: np.ndarray) -> bool:
    """Whether numbers only count the rows: each one above the last."""
    return len(known) > 2 and bool((np.diff(known) == 1).all())


def _files(values: Values, names: list[str]) -> dict[str, Any] | None:
    """Settings for a column that names pictures or sounds that are there."""
    suffixes = {Path(name).suffix.lower() for name in names}
    folder = values.folder or Path()
    for known, settings in ((PICTURES, image_settings), (SOUNDS, audio_settings)):
        if suffixes <= known and (folder / names[0]).is_file():
            return settings([folder / name for name in names])
    return None


def _separator(names: list[str]) -> str | None:
    """What stands between the names of a set: in many cells, and few different names between."""
    for separator, least in SETS:
        holding = sum(separator in name for name in names)
        parts = {part.strip() for name in names for part in name.split(separator)}
        if holding > least * len(names) and len(parts) <= max(len(names), MOST_MEMBERS):
            return separator
    return None


def _is_date(name: str, form: str | None) -> bool:
    try:
        datetime.strptime(name.strip(), form) if form else datetime.fromisoformat(name.strip())
    except ValueError:
        return False
    return True


def _flag(missing: int) -> dict[str, str]:
    return {"missing": "flag"} if missing else {}


def _count(number: int, what: str) -> str:
    return f", {number:,} {what}" if number else ""
