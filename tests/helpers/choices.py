"""Choices of made-up users among made-up items, for what learns from them, and what describes both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ft.core.config.schema import RankingOutput
from ft.core.data.catalog import Catalog
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.loader import Examples
from ft.core.data.ranking import RankingLoader
from ft.core.data.stored import Ragged, Stored

USERS, ITEMS = 40, 25
CPU = torch.device("cpu")
SETTINGS = RankingOutput(type="ranking", user="who", item="what", item_inputs=["tags", "year"])


class Plain:
    """An input column that gives the model what is stored; tags are read again for every batch."""

    positions: Any = None
    cardinality: int | None = None

    def __init__(self, kind: str, *, fixed: bool, shape: tuple[int, ...] = ()) -> None:
        self.kind, self.fixed, self.shape = kind, fixed, shape

    def prepare(self, stored: Tensor, draws: object = None) -> Tensor:  # noqa: ARG002
        return stored.float() / 10 if self.fixed else stored


COLUMNS: dict[str, Any] = {
    "who": CategoryColumn(tuple(f"u{user}" for user in range(1, USERS + 1)), unknown=True),
    "age": Plain("number", fixed=True, shape=(1,)),
    "what": CategoryColumn(tuple(f"i{item}" for item in range(1, ITEMS + 1)), unknown=True),
    "tags": Plain("set", fixed=False, shape=(8,)),
    "year": Plain("number", fixed=True, shape=(1,)),
}


def tags_of(item: int) -> list[int]:
    return [2 + item % 3] * (item % 4)


def made(users: list[int], items: list[int], shift: int = 0) -> Examples:
    """Examples of these choices; age and year say who and what they belong to, and in which row they stood."""
    inputs: dict[str, Stored] = {
        "who": torch.tensor(users),
        "age": torch.tensor([[100.0 * user + shift] for user in users]),
        "what": torch.tensor(items),
        "tags": Ragged.of(
            np.array([len(tags_of(item)) for item in items]), np.concatenate([tags_of(item) for item in items])
        ),
        "year": torch.tensor([[1000.0 * item + row] for row, item in enumerate(items)]),
    }
    return Examples(inputs, {}, None, len(users))  # type: ignore[arg-type]


def some_splits() -> dict[str, Examples]:
    """Splits of random choices, with repeats within and across; a few in the test are of unknown users or items."""
    rng = np.random.default_rng(0)
    splits = {}
    for split, count in (("train", 400), ("val", 60), ("test", 80)):
        low = 0 if split == "test" else 1
        users, items = rng.integers(low, USERS + 1, count), rng.integers(low, ITEMS + 1, count)
        if split == "train":  # every code occurs, as it does when the columns were fitted on it
            users[:USERS], items[:ITEMS] = np.arange(1, USERS + 1), np.arange(1, ITEMS + 1)
        splits[split] = made(users.tolist(), items.tolist())
    return splits


def pairs(examples: Examples) -> list[tuple[int, int]]:
    users, items = examples.inputs["who"], examples.inputs["what"]
    return list(zip(users.tolist(), items.tolist(), strict=True))  # type: ignore[union-attr]


def training(examples: Mapping[str, Examples], catalog: Catalog, **changes: Any) -> RankingLoader:
    settings = {"batch_size": 64, "seed": 5, "split": "train", "train": True, "negatives": 30, **changes}
    return RankingLoader(examples["train"], COLUMNS, catalog, "next", CPU, **settings)


def judging(examples: Mapping[str, Examples], catalog: Catalog, split: str, batch_size: int = 7) -> RankingLoader:
    return RankingLoader(examples[split], COLUMNS, catalog, "next", CPU, batch_size=batch_size, split=split)
