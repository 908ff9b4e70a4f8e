"""Setting examples aside: validation, and a test where the source has none, cut from training, the same every time.

Each example has a hash of the seed and its name, of its row number where the source has no names; a part takes those of
each class with the smallest hashes. So an example keeps its side when others come or go: as the parts grow or shrink,
only the few at a border change sides. The test is cut first, so that another `val` never moves an example into or out
of it, and validation lies between it and training. How many of each class: largest remainder (Hamilton's method).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from ft.core.config.schema import Split
from ft.core.data import hashing
from ft.core.data.table import SPLITS, Dataset, Table
from ft.core.errors import ConfigError, Problem


def split_dataset(dataset: Dataset, settings: Split, groups: np.ndarray | None = None) -> dict[str, Table]:
    """The tables of a dataset, with those that `settings` asks for cut from train.

    groups: int (N,) class of each training row, whose shares every part keeps; None: not stratified.
    Raises ConfigError at data.split when the source brings that part itself, or training is too small.
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
    sizes = {part: _resolve_size(wish, len(train), part) for part, wish in wishes.items()}
    if sum(sizes.values()) >= len(train):
        message = (
            f"val and test together take {sum(sizes.values()):,} of {len(train):,} examples; none is left to train on"
        )
        raise ConfigError(Problem(message, ("data", "split")))
    if groups is None or not settings.stratify:
        groups = np.zeros(len(train), dtype=np.int64)
    rows = split_rows(groups, sizes, settings.seed, train.names)
    return tables | {part: train.take(of_part) for part, of_part in rows.items()}


def split_names(dataset: Dataset, settings: Split) -> tuple[str, ...]:
    """Every split there is, read or not: those of the source and those that `settings` cuts."""
    cut = {"val": settings.val, "test": settings.test}
    return tuple(split for split in SPLITS if split in dataset.official or cut.get(split) is not None)


def split_rows(
    groups: np.ndarray, sizes: Mapping[str, int], seed: int, names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Row numbers, ascending, of each part in `sizes` and of "train", which keeps the rest.

    groups: (N,). names: what each row is known by; None: its number. Of each group a part gets its exact share rounded
    up or down; as long as others can give, the last row of a group stays in train.
    """
    identities = torch.arange(len(groups)) if names is None else hashing.name_numbers(names)
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


def _resolve_size(wish: int | float, n: int, part: str) -> int:
    """A count as it is, a fraction of n rounded, at least one."""
    size = wish if isinstance(wish, int) else max(1, round(wish * n))
    if size >= n:
        raise ConfigError(Problem(f"{size:,} examples asked for; training has {n:,}", ("data", "split", part)))
    return size
