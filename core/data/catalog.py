"""The catalogue of a ranking output: every user and item of training, and who chose what.

It is to a ranking what the classes are to a category: fitted on training (catalog_fit.py), kept in the checkpoint, and
enough, with the network, to judge a split or to recommend. How choices become batches is ranking.py's work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ft.core.data.augment import Draws
from ft.core.data.loader import Examples
from ft.core.data.stored import Ragged, Stored
from ft.core.data.table import SPLITS, Values

EARLIER = "earlier"  # in `seen`: all that was chosen before a fine-tuning


@dataclass(frozen=True, eq=False)
class Catalog:
    """Codes are those of the user's and the item's category column: 0 is unknown, U users and I items follow.

    user, item: the two inputs. user_inputs, item_inputs: all that describe each side, those two among them.
    users, items: by input, encoded: (U + 1, ...) and (I + 1, ...), the row is the code; zeros or empty where training
    has no such row; histories are not among them, they follow from `seen`. titles: I + 1 names for people.
    seen: for train and val, the item codes each user chose, in the order of choice, repeated ones too and unknown ones
    left out; the row is the user's code. `earlier` among them: what was seen before a fine-tuning and is not in its own
    data, not to be recommended again, and without a part in its judging.
    """

    kind: ClassVar[str] = "ranking"
    fixed: ClassVar[bool] = True
    shape: ClassVar[tuple[int, ...]] = ()
    cardinality: ClassVar[int | None] = None

    user: str
    item: str
    user_inputs: tuple[str, ...]
    item_inputs: tuple[str, ...]
    users: Mapping[str, Stored]
    items: Mapping[str, Stored]
    titles: tuple[str, ...]
    seen: Mapping[str, Ragged]

    @property
    def user_count(self) -> int:
        """U, without the unknown one."""
        return len(self.users[self.user]) - 1

    @property
    def item_count(self) -> int:
        """I, without the unknown one: the items that can be ranked."""
        return len(self.items[self.item]) - 1

    def choices(self, examples: Examples) -> tuple[Tensor, Tensor]:
        """Who chose what, row by row: the codes of users and items, int64 (N,) each."""
        users, items = examples.inputs[self.user], examples.inputs[self.item]
        assert isinstance(users, Tensor), "categories are tensors"
        assert isinstance(items, Tensor), "categories are tensors"
        return users, items

    def pair_keys(self, users: Tensor, items: Tensor) -> Tensor:
        """One number for each pair of codes, int64 of the broadcast shape; pairs sort by user, then by item."""
        return users * (self.item_count + 1) + items

    @property
    def pair_limit(self) -> int:
        """Every key of a pair is below this."""
        return (self.user_count + 1) * (self.item_count + 1)

    def seen_in(self, *splits: str) -> Tensor:
        """The pairs chosen in these splits, as keys: int64 (P,), ascending, each once."""
        seen = [self.seen[split] for split in splits if split in self.seen]
        keys = [self.pair_keys(chosen.owners(), chosen.values.long()) for chosen in seen]
        pairs: Tensor = torch.unique(
            torch.cat([torch.empty(0, dtype=torch.int64), *keys])
        )  # of numbers: over rows of pairs it is 30 times slower
        return pairs

    def chosen(self, before: str | None = None) -> Ragged:
        """The item codes that each user chose, by user code, in the order of choice: earlier, in training, in val.

        before: only what comes in front of this split.
        """
        splits = (EARLIER, *SPLITS[: None if before is None else SPLITS.index(before)])
        parts = [self.seen[split] for split in splits if split in self.seen]
        empty = torch.empty(0, dtype=torch.int64)
        users = torch.cat([empty, *(part.owners() for part in parts)])
        items = torch.cat([empty, *(part.values.long() for part in parts)])
        return by_user(users, items, self.user_count + 1)

    def encode(self, values: Values) -> Stored:
        """Raises AssertionError: a ranking has no values of its own, its loader makes the targets."""
        raise AssertionError(f"{values.column}: a ranking is not encoded")

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        """As `encode`."""
        raise AssertionError("a ranking is not prepared")

    def to_state(self) -> dict[str, Any]:
        return {
            "type": self.kind,
            "user": self.user,
            "item": self.item,
            "user_inputs": list(self.user_inputs),
            "item_inputs": list(self.item_inputs),
            "users": {name: _to_state(stored) for name, stored in self.users.items()},
            "items": {name: _to_state(stored) for name, stored in self.items.items()},
            "titles": list(self.titles),
            "seen": {split: _to_state(items) for split, items in self.seen.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Catalog:
        return cls(
            state["user"],
            state["item"],
            tuple(state["user_inputs"]),
            tuple(state["item_inputs"]),
            {name: _from_state(stored) for name, stored in state["users"].items()},
            {name: _from_state(stored) for name, stored in state["items"].items()},
            tuple(state["titles"]),
            {split: Ragged(**stored) for split, stored in state["seen"].items()},
        )


def by_user(users: Tensor, items: Tensor, count: int) -> Ragged:
    """The items of each of `count` user codes, in their order here. users, items: codes, int64 (N,)."""
    order = users.argsort(stable=True)
    return Ragged.of(torch.bincount(users, minlength=count).numpy(), items[order].numpy())


def _to_state(stored: Stored) -> Tensor | dict[str, Tensor]:
    if isinstance(stored, Ragged):
        return {"values": stored.values, "offsets": stored.offsets}
    assert isinstance(stored, Tensor), "what lay in files was read when the catalogue was fitted"
    return stored


def _from_state(state: Tensor | Mapping[str, Tensor]) -> Stored:
    return state if isinstance(state, Tensor) else Ragged(**state)
