"""Setting examples aside: validation, and a test where the source has none, cut from training, the same every time.

By a column's values (`{speaker: [theo]}`) those examples and no others. By counts or fractions of what is left, in one
of four ways: whole groups, the latest in time, within each value of a column (split_rules.py has these), or, if nothing
else is said, by hash with the classes' shares kept:

Each example has a hash of the seed and its name, of its row number where the source has no names; a part takes those of
each class with the smallest hashes. So an example keeps its side when others come or go: as the parts grow or shrink,
only the few at a border change sides. The test is cut first, so that another `val` never moves an example into or out
of it, and validation lies between it and training. How many of each class: largest remainder (Hamilton's method).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ft.core.config.schema import Split
from ft.core.config.suggest import did_you_mean
from ft.core.data import cells, hashing
from ft.core.data.columns.names import name_values
from ft.core.data.split_rules import cut_groups, cut_latest, cut_within
from ft.core.data.table import SPLITS, Dataset, RowNames, Table, Values
from ft.core.errors import ConfigError, Problem

Parts = dict[str, np.ndarray]
RULES = ("group", "time", "per")


def split_dataset(dataset: Dataset, settings: Split, groups: np.ndarray | None = None) -> dict[str, Table]:
    """The tables of a dataset, with those that `settings` asks for cut from train; rows keep their order.

    groups: int (N,) class of each training row, whose shares every part keeps where neither group, time nor per
    decides; None: not stratified. An example that test and val both name by values is the test's.
    Raises ConfigError at data.split when the source brings that part itself, a column or value is not there, or
    training is too small; DataError for a row whose group or time is missing.
    """
    wishes = {part: wish for part, wish in (("test", settings.test), ("val", settings.val)) if wish is not None}
    for part in wishes:
        if part in dataset.official:
            message = f"{dataset.found}: brings its own {part} split; leave this out"
            raise ConfigError(Problem(message, ("data", "split", part)))
    tables = dict(dataset.splits)
    if not wishes or "train" not in tables:
        return tables
    train = tables["train"]
    require_split_columns(train, settings)
    parts = _named_rows(dataset, wishes)
    taken = np.zeros(len(train), dtype=bool)
    for rows in parts.values():
        taken[rows] = True
    rest = np.flatnonzero(~taken)
    sizes = {part: wish for part, wish in wishes.items() if not isinstance(wish, dict)}
    if sizes:
        cut = _cut(dataset, settings, groups, rest, sizes)
        parts |= {part: rest[rows] for part, rows in cut.items()}
    else:
        _refuse_unused_rule(settings)
        parts["train"] = rest
    _refuse_nothing(parts, len(train))
    return tables | {part: train.take(rows) for part, rows in parts.items()}


def split_names(dataset: Dataset, settings: Split) -> tuple[str, ...]:
    """Every split there is, read or not: those of the source and those that `settings` cuts."""
    cut = {"val": settings.val, "test": settings.test}
    return tuple(split for split in SPLITS if split in dataset.official or cut.get(split) is not None)


def split_columns(settings: Split) -> set[str]:
    """The data's columns that decide about the split, whether they go in or not."""
    by_value = {column for part in (settings.val, settings.test) if isinstance(part, dict) for column in part}
    return by_value | {column for rule in RULES if (column := getattr(settings, rule))}


def split_rows(groups: np.ndarray, sizes: Mapping[str, int], seed: int, identities: Tensor | None = None) -> Parts:
    """Row numbers, ascending, of each part in `sizes` and of "train", which keeps the rest.

    groups: (N,). identities: int64 (N,), what each row is known by; None: its number. Of each group a part gets its
    exact share rounded up or down; as long as others can give, the last row of a group stays in train.
    """
    identities = torch.arange(len(groups)) if identities is None else identities
    order = hashing.ordered(identities, hashing.SPLIT, seed).numpy()
    _, codes = np.unique(groups, return_inverse=True)
    order = order[np.argsort(codes[order], kind="stable")]  # by group, within it by hash
    left = np.bincount(codes)
    first = np.cumsum(left) - left  # where each group's untaken rows begin in order
    parts = {}
    for part, size in sizes.items():
        taken = apportion(left, size)
        parts[part] = np.sort(np.concatenate([order[a : a + k] for a, k in zip(first, taken, strict=True)]))
        first, left = first + taken, left - taken
    parts["train"] = np.sort(np.concatenate([order[a : a + k] for a, k in zip(first, left, strict=True)]))
    return parts


def apportion(counts: np.ndarray, size: int) -> np.ndarray:
    """How many of each group make up `size`: int (K,), in proportion to counts, by largest remainder.

    A group gives its last row only when nobody else can give: what is trained on should have seen every class.
    """
    quotas = counts * size / counts.sum()
    taken: np.ndarray = np.minimum(np.floor(quotas).astype(np.int64), counts)
    while (missing := size - taken.sum()) > 0:
        spare = np.where(taken + 1 < counts, 1, np.where(taken < counts, 0, -1))  # -1: has nothing left
        ranked = np.lexsort((-(quotas - taken), -spare))  # of equal remainders the first group gives
        givers = ranked[spare[ranked] == spare.max()][:missing]
        taken[givers] += 1
    return taken


def identities_of(names: Sequence[str] | None, count: int) -> Tensor:
    """What the rows are known by, int64 (N,): the hash of a name, or a row's own number in its files."""
    if isinstance(names, RowNames):
        return torch.from_numpy(names.numbers.astype(np.int64))
    return torch.arange(count) if names is None else hashing.name_numbers(names)


def _cut(
    dataset: Dataset,
    settings: Split,
    groups: np.ndarray | None,
    rest: np.ndarray,
    wishes: Mapping[str, int | float],
) -> Parts:
    """Rows within `rest` of each part that a count or fraction asks for, and of train."""
    table = dataset.splits["train"].take(rest) if len(rest) < len(dataset.splits["train"]) else dataset.splits["train"]

    def values(column: str) -> Values:
        return Values(table.columns[column], column, "train", table.names)

    identities = identities_of(table.names, len(table))
    if settings.per is not None:
        moments = values(settings.time) if settings.time else None
        return cut_within(values(settings.per), wishes, moments, identities, settings.seed)
    sizes = {part: _resolve_size(wish, len(table), part) for part, wish in wishes.items()}
    if sum(sizes.values()) >= len(table):
        asked = f"val and test together take {sum(sizes.values()):,} of {len(table):,} examples"
        raise ConfigError(Problem(f"{asked}; none is left to train on", ("data", "split")))
    if settings.group is not None:
        return cut_groups(values(settings.group), sizes, settings.seed)
    if settings.time is not None:
        return cut_latest(values(settings.time), sizes)
    classes = groups[rest] if groups is not None and settings.stratify else np.zeros(len(table), dtype=np.int64)
    return split_rows(classes, sizes, settings.seed, identities)


def _named_rows(dataset: Dataset, wishes: Mapping[str, int | float | dict[str, list[str | int]]]) -> Parts:
    """Training rows, ascending, of the parts that name a column's values. The test comes first."""
    parts: Parts = {}
    taken = np.zeros(len(dataset.splits["train"]), dtype=bool)
    for part, wish in wishes.items():
        if not isinstance(wish, dict):
            continue
        ((column, asked),) = wish.items()
        values = dataset.values("train", column)
        codes, names = name_values(values) if values.classes else cells.codes(values.array)
        code_of = {name: code for code, name in enumerate(names)}
        for place, value in enumerate(map(str, asked)):
            if value not in code_of:
                few = ", ".join(names[:8]) + ", …" * (len(names) > 8)
                message = f"column {column} has no value {value}, it has {few}{did_you_mean(value, names)}"
                raise ConfigError(Problem(message, ("data", "split", part, column, place)))
        chosen = np.isin(codes, [code_of[str(value)] for value in asked]) & ~taken
        taken |= chosen
        parts[part] = np.flatnonzero(chosen)
    return parts


def require_split_columns(train: Table, settings: Split) -> None:
    """Raises ConfigError for every column that decides about the split and that training does not have."""
    has = [*train.columns, *train.others]
    places = {column: ("data", "split", rule) for rule in RULES if (column := getattr(settings, rule))}
    for part in ("val", "test"):
        wish = getattr(settings, part)
        places |= dict.fromkeys(wish, ("data", "split", part)) if isinstance(wish, dict) else {}
    problems = [
        Problem(f"the data have no column {column}, they have {', '.join(has)}{did_you_mean(column, has)}", place)
        for column, place in places.items()
        if column not in train.columns
    ]
    if problems:
        raise ConfigError(*problems)


def _refuse_unused_rule(settings: Split) -> None:
    for rule in RULES:
        if getattr(settings, rule):
            message = "decides nothing: val and test are named by values; give one of them a count or a fraction"
            raise ConfigError(Problem(message, ("data", "split", rule)))


def _refuse_nothing(parts: Parts, count: int) -> None:
    for part, rows in parts.items():
        if not len(rows):
            message = f"leaves no example of {count:,} in {part}"
            raise ConfigError(Problem(message, ("data", "split") if part == "train" else ("data", "split", part)))


def _resolve_size(wish: int | float, n: int, part: str) -> int:
    """A count as it is, a fraction of n rounded, at least one."""
    size = wish if isinstance(wish, int) else max(1, round(wish * n))
    if size >= n:
        raise ConfigError(Problem(f"{size:,} examples asked for; training has {n:,}", ("data", "split", part)))
    return size
