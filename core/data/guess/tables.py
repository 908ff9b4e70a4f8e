"""The columns of a table: which one comes out, which go in and as what, which are left out and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from ft.core.config.schema import DataSection
from ft.core.config.suggest import did_you_mean
from ft.core.data import cells
from ft.core.data.checks import telling
from ft.core.data.checks.identity import joined, same
from ft.core.data.guess.kinds import Kind, guess_kind
from ft.core.data.guess.said import Columns, Place
from ft.core.data.sources import load
from ft.core.data.table import Dataset
from ft.core.errors import ConfigError, DataError

WELL_KNOWN = (
    *("target", "label", "labels", "survived", "outcome", "species", "diagnosis", "churn", "churned", "sentiment"),
    *("default", "income", "rating", "quality", "price", "class", "category", "output", "y"),
)
RATINGS = {  # what makes a table one of ratings
    "user": re.compile(r"^(user|customer|reviewer|member)", re.IGNORECASE),
    "item": re.compile(r"^(item|movie|film|product|book|song|artist|business)", re.IGNORECASE),
    "rating": re.compile(r"^(rating|score|stars)", re.IGNORECASE),
}
AMOUNT = re.compile(r"rating|score|price|cost|amount|count|age|quality|value|income$", re.IGNORECASE)
MOST_CLASSES = 20  # different whole numbers up to which an output is a class


def guess_table(place: Place, target: str | None) -> Columns:
    """The columns of a table. Names a headerless table's columns in place.data. target: what comes out, None to guess.

    Raises ConfigError when target is not a column, DataError when nothing can come out or go in.
    """
    section: Any = TypeAdapter(DataSection).validate_python(place.data)
    dataset = load(section)
    kinds = {name: guess_kind(dataset.values("train", name)) for name in dataset.splits["train"].columns}
    if place.data.get("header") is False:
        dataset, kinds, target = _name_columns(place, dataset, kinds, target)
    rows = len(dataset.splits["train"])
    ratings = _ratings(list(kinds))
    if ratings and target in (None, ratings["rating"]) and kinds[ratings["rating"]].numbers is not None:
        place.kind = "ratings"
        return _rated(ratings, kinds, rows)
    output, why = _choose_output(kinds, target, rows)
    found = Columns(rows=rows)
    key = _key(output, found)
    found.outputs[key] = _output_settings(output, kinds[output], rows) | _alias(key, output)
    found.why[key] = f"{why}; {kinds[output].why}"
    _choose_inputs(dataset, kinds, output, found)
    if not found.inputs:
        left = "; ".join(f"{name}: {reason}" for name, reason in found.left.items())
        raise DataError(f"{dataset.found}: no column is left to go in ({left})")
    return found


def _choose_inputs(dataset: Dataset, kinds: Mapping[str, Kind], output: str, found: Columns) -> None:
    codes = {name: same(joined([t.columns[name] for t in dataset.splits.values()])) for name in kinds}
    kept: list[str] = []
    for name, kind in kinds.items():
        if name == output:
            continue
        reason = kind.why if kind.settings is None else _spoils(name, output, kinds, codes, kept)
        if kind.settings is None or reason:
            found.left[name] = reason
            continue
        settings = dict(kind.settings)
        if settings["type"] in ("number", "date", "vector") and _misses(dataset, name):
            settings["missing"] = "flag"
        key = _key(name, found)
        found.inputs[key] = settings | _alias(key, name)
        found.why[key] = kind.why
        kept.append(name)


def _spoils(
    name: str, output: str, kinds: Mapping[str, Kind], codes: Mapping[str, np.ndarray], kept: Sequence[str]
) -> str:
    """Why a column that could go in should not: it is the answer, or says what another says."""
    settings = kinds[name].settings or {}
    if settings.get("type") in ("category", "number"):
        x, y = kinds[name].numbers, kinds[output].numbers
        lines = x is not None and y is not None and telling.is_multiple(x, y)
        if lines or telling.tells(codes[name], codes[output]):
            return f"tells {output} exactly, so it would be the answer"
    if settings.get("type") == "category":
        for other in kept:
            if kinds[other].distinct == kinds[name].distinct and telling.tells(codes[name], codes[other]):
                return f"says the same as {other}"
    return ""


def _misses(dataset: Dataset, name: str) -> bool:
    """Whether a value is missing in any split."""
    for split in dataset.splits:
        kind = guess_kind(dataset.values(split, name))
        if kind.missing or cells.is_missing(dataset.splits[split].columns[name]).any():
            return True
    return False


def _choose_output(kinds: Mapping[str, Kind], target: str | None, rows: int) -> tuple[str, str]:
    """The column that comes out, and why. Raises ConfigError for one that is not there, DataError when none can."""
    if target is not None:
        if target not in kinds:
            raise ConfigError(f"--target {target}: there is {', '.join(kinds)}{did_you_mean(target, kinds)}")
        _output_settings(target, kinds[target], rows)
        return target, "as asked for"
    plain = {name.lower(): name for name in reversed(list(kinds))}
    for known in WELL_KNOWN:
        if known in plain and _can_come_out(kinds[plain[known]]):
            return plain[known], "by its name"
    for name in reversed(list(kinds)):
        if _can_come_out(kinds[name]):
            return name, "the last column that can; --target names another"
    raise DataError("no column can come out: each has one value, or another in nearly every row; --target names one")


def _can_come_out(kind: Kind) -> bool:
    return kind.settings is not None and kind.settings["type"] in ("category", "number", "set") and kind.distinct > 1


def _output_settings(name: str, kind: Kind, rows: int) -> dict[str, Any]:
    """category, number or labels. Raises DataError for a column that is none of them."""
    if kind.numbers is not None and kind.distinct > 1:
        whole = bool(np.equal(kind.numbers, np.round(kind.numbers)).all())
        few = kind.distinct <= MOST_CLASSES and kind.distinct < rows / 2 and not AMOUNT.search(name)
        return {"type": "category" if kind.distinct == 2 or (whole and few) else "number"}
    if not _can_come_out(kind):
        raise DataError(f"column {name} cannot come out: {kind.why}; expected classes or numbers")
    assert kind.settings is not None
    if kind.settings["type"] == "set":
        return {"type": "labels", **{k: v for k, v in kind.settings.items() if k == "separator"}}
    return {"type": "category"}


def _ratings(names: Sequence[str]) -> dict[str, str] | None:
    """user, item and rating -> the columns, when each is there once."""
    found = {what: [name for name in names if pattern.search(name)] for what, pattern in RATINGS.items()}
    return {what: each[0] for what, each in found.items()} if all(len(each) >= 1 for each in found.values()) else None


def _rated(ratings: Mapping[str, str], kinds: Mapping[str, Kind], rows: int) -> Columns:
    found = Columns(rows=rows)
    for what in ("user", "item"):
        found.inputs[what] = {"type": "category"} | _alias(what, ratings[what])
        found.why[what] = f"{kinds[ratings[what]].distinct:,} of them"
    found.outputs["rating"] = {"type": "number"} | _alias("rating", ratings["rating"])
    found.why["rating"] = kinds[ratings["rating"]].why
    found.left = {name: "not needed to rate" for name in kinds if name not in ratings.values()}
    return found


def _name_columns(
    place: Place, dataset: Dataset, kinds: Mapping[str, Kind], target: str | None
) -> tuple[Dataset, dict[str, Kind], str | None]:
    """Names for the columns of a table without any: text and label where it is clear, else column_1, column_2, ..."""
    texts = [name for name, kind in kinds.items() if kind.settings and kind.settings["type"] == "text"]
    others = [name for name in kinds if name not in texts]
    clear = len(texts) == len(others) == 1
    names = {name: f"column_{name}" for name in kinds} | ({texts[0]: "text", others[0]: "label"} if clear else {})
    place.data["header"] = list(names.values())
    place.why["header"] = "the first row is an example, so these names are ours"
    wanted = names.get(target, target) if target else None
    return dataset.renamed(names), {names[name]: kind for name, kind in kinds.items()}, wanted


def _key(name: str, found: Columns) -> str:
    """A name that is plain to write on the command line, and free."""
    plain = re.sub(r"\W+", "_", name).strip("_") or "column"
    plain = plain if not plain[0].isdigit() else f"column_{plain}"
    taken = {*found.inputs, *found.outputs}
    return plain if plain not in taken else f"{plain}_{len(taken)}"


def _alias(key: str, name: str) -> dict[str, str]:
    return {} if key == name else {"column": name}
