"""The catalogue of a ranking output: every user and item of training, and who chose what.

It is to a ranking what the classes are to a category: fitted on training, kept in the checkpoint, and enough, with the
network, to judge a split or to recommend. What describes a user or an item is taken from the first training row in
which it occurs; a fine-tuning keeps what the training before it knew of those that have no row in its own. How choices
become batches is ranking.py's work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ft.core.config.schema import RankingOutput
from ft.core.config.suggest import did_you_mean
from ft.core.data import cells
from ft.core.data.augment import Draws
from ft.core.data.columns.base import Column
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.loader import Examples
from ft.core.data.stored import Ragged, Stored, take
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError, Problem

CHUNK = 4096  # rows of a column in files that are read at one time


@dataclass(frozen=True, eq=False)
class Catalog:
    """Codes are those of the user's and the item's category column: 0 is unknown, U users and I items follow.

    user, item: the two inputs. user_inputs, item_inputs: all that describe each side, those two among them.
    users, items: by input, encoded: (U + 1, ...) and (I + 1, ...), the row is the code; zeros or empty where training
    has no such row. titles: I + 1 names for people. seen: for train and val, the item codes each user chose, ascending,
    unknown ones left out; the row is the user's code. `earlier` among them: all that was seen before a fine-tuning,
    not to be recommended again, and without a part in its judging.
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
        keys = [torch.empty(0, dtype=torch.int64)]
        for chosen in (self.seen[split] for split in splits if split in self.seen):
            users = torch.arange(len(chosen)).repeat_interleave(chosen.lengths)
            keys.append(self.pair_keys(users, chosen.values.long()))
        pairs: Tensor = torch.unique(torch.cat(keys))
        return pairs

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


def fit_catalog(
    name: str,
    settings: RankingOutput,
    inputs: Mapping[str, Column],
    examples: Mapping[str, Examples],
    titles: Mapping[str, Values | None],
    earlier: Catalog | None = None,
    kept: Collection[str] = (),
) -> Catalog:
    """The catalogue of the output `name`, from the encoded splits, train among them.

    inputs: the fitted input columns. titles: by split, the column that says what an item is called, None without one.
    earlier: of the training that a fine-tuning goes on from. kept: the inputs whose columns encode as they did in it.
    Raises ConfigError at `outputs.<name>` for an input that is not there or no category, DataError for a single item.
    """
    item_inputs = _check_sides(name, settings, inputs)
    user, item = inputs[settings.user], inputs[settings.item]
    assert isinstance(user, CategoryColumn), "checked"
    assert isinstance(item, CategoryColumn), "checked"
    if len(item.classes) < 2:
        raise DataError(f"output {name}: training has {len(item.classes)} item; ranking needs others to compare with")
    user_inputs = tuple(each for each in inputs if each not in item_inputs)
    training = examples["train"].inputs
    first_user = _first_rows(training[settings.user], user.cardinality)  # (U + 1,)
    first_item = _first_rows(training[settings.item], item.cardinality)  # (I + 1,)
    seen = {
        split: _chosen(examples[split].inputs[settings.user], examples[split].inputs[settings.item], user.cardinality)
        for split in ("train", "val")
        if split in examples
    }
    fitted = Catalog(
        settings.user,
        settings.item,
        user_inputs,
        item_inputs,
        {each: _described(training[each], first_user, own=each == settings.user) for each in user_inputs},
        {each: _described(training[each], first_item, own=each == settings.item) for each in item_inputs},
        _titles(titles.get("train"), item.classes, first_item, _known_titles(settings.item, earlier, kept)),
        seen,
    )
    return fitted if earlier is None else _remembering(fitted, earlier, kept, first_user, first_item)


def _remembering(
    new: Catalog, earlier: Catalog, kept: Collection[str], first_user: Tensor, first_item: Tensor
) -> Catalog:
    """What an earlier catalogue says of users and items without a row of their own, and what was seen then.

    Only where the codes are the same. first_user, first_item: as of _first_rows.
    """
    same_users = new.user in kept and new.user == earlier.user
    same_items = new.item in kept and new.item == earlier.item
    users, items = dict(new.users), dict(new.items)
    if same_users:
        users |= {n: _filled(users[n], earlier.users[n], first_user) for n in users if n in kept and n in earlier.users}
    if same_items:
        items |= {n: _filled(items[n], earlier.items[n], first_item) for n in items if n in kept and n in earlier.items}
    seen = dict(new.seen)
    if same_users and same_items:
        pairs = earlier.seen_in(*earlier.seen)
        width = earlier.item_count + 1
        counts = torch.bincount(pairs // width, minlength=earlier.user_count + 1)
        seen["earlier"] = Ragged.of(counts.numpy(), (pairs % width).numpy())
    return replace(new, users=users, items=items, seen=seen)


def _known_titles(item: str, earlier: Catalog | None, kept: Collection[str]) -> Sequence[str]:
    """What an earlier catalogue called the items, by code; empty where its items are others."""
    return earlier.titles if earlier is not None and item in kept and item == earlier.item else ()


def _filled(new: Stored, earlier: Stored, first: Tensor) -> Stored:
    """Each code's row: the new one where it occurs in training, else the earlier one. first: as of _first_rows."""
    there = first >= 0
    if isinstance(new, Ragged) and isinstance(earlier, Ragged):
        rows = [(new if own else earlier).row(code) for code, own in enumerate(there.tolist())]
        return Ragged.of(np.array([len(row) for row in rows]), torch.cat(rows).numpy())
    assert isinstance(new, Tensor), "what lies in files was read"
    assert isinstance(earlier, Tensor), "columns that encode alike store alike"
    return torch.where(there.view(-1, *(1,) * (new.ndim - 1)), new, earlier)


def _check_sides(name: str, settings: RankingOutput, inputs: Mapping[str, Column]) -> tuple[str, ...]:
    """The inputs of the item's side, in their order. Raises ConfigError for every input named wrongly."""
    problems = []
    for side, given in (("user", settings.user), ("item", settings.item)):
        if given not in inputs:
            problems.append(_not_there(given, inputs, ("outputs", name, side)))
        elif not isinstance(inputs[given], CategoryColumn):
            message = f"input {given} is of type {inputs[given].kind}; a ranking's {side} is a category"
            problems.append(Problem(message, ("outputs", name, side)))
    for place, given in enumerate(settings.item_inputs):
        path = ("outputs", name, "item_inputs", place)
        if given not in inputs:
            problems.append(_not_there(given, inputs, path))
        elif given == settings.user:
            problems.append(Problem(f"input {given} is the user, it cannot describe the item", path))
    if settings.user == settings.item:
        problems.append(Problem(f"input {settings.item} is the user already", ("outputs", name, "item")))
    if problems:
        raise ConfigError(*problems)
    return tuple(each for each in inputs if each == settings.item or each in settings.item_inputs)


def _not_there(given: str, inputs: Iterable[str], path: tuple[str | int, ...]) -> Problem:
    inputs = list(inputs)
    return Problem(f"there is no input {given}, there are {', '.join(inputs)}{did_you_mean(given, inputs)}", path)


def _first_rows(codes: Stored, count: int) -> Tensor:
    """The first row in which each code occurs: int64 (count,), -1 where it does not or is the unknown one."""
    assert isinstance(codes, Tensor), "categories are tensors"
    rows = torch.full((count,), len(codes)).scatter_reduce_(0, codes, torch.arange(len(codes)), "amin")
    rows[rows == len(codes)] = -1
    rows[0] = -1
    return rows


def _described(stored: Stored, first: Tensor, *, own: bool) -> Stored:
    """One input for every code: the rows `first` of training. own: it is the category whose codes these are."""
    if own:
        return torch.arange(len(first))
    there = first >= 0
    if isinstance(stored, Ragged):
        lengths = stored.lengths[first].masked_fill(~there, 0)
        values = [stored.row(row) for row in first[there].tolist()]
        return Ragged.of(lengths.numpy(), torch.cat([stored.values[:0], *values]).numpy())
    rows = torch.cat([take(stored, some) for some in torch.split(first.clamp(min=0), CHUNK)])
    rows[~there] = 0
    return rows


def _titles(values: Values | None, names: Sequence[str], first: Tensor, known: Sequence[str] = ()) -> tuple[str, ...]:
    """What to call each item, by code: its title where it has one, else a known one, else its name in the data."""
    own = known or ["", *names]
    if values is None:
        return tuple(own)
    written = list(cells.texts(cells.take(values.array, first.clamp(min=0).numpy())))
    titles = [title if row >= 0 else "" for title, row in zip(written, first.tolist(), strict=True)]
    missing = sum(not title and called == name for title, called, name in zip(titles[1:], own[1:], names, strict=True))
    if missing:
        values.note(f"{missing:,} of {len(names):,} items have no title; they are called by their name in the data")
    return tuple(title or name for title, name in zip(titles, own, strict=True))


def _chosen(users: Stored, items: Stored, count: int) -> Ragged:
    """The items each of `count` user codes chose, each once, ascending. What is unknown (0) chose and was nothing."""
    assert isinstance(users, Tensor), "categories are tensors"
    assert isinstance(items, Tensor), "categories are tensors"
    known = (users > 0) & (items > 0)
    width = int(items.max()) + 1
    keys = torch.unique(users[known] * width + items[known])  # numbers: unique over pairs is 30 times slower
    return Ragged.of(torch.bincount(keys // width, minlength=count).numpy(), (keys % width).numpy())


def _to_state(stored: Stored) -> Tensor | dict[str, Tensor]:
    if isinstance(stored, Ragged):
        return {"values": stored.values, "offsets": stored.offsets}
    assert isinstance(stored, Tensor), "what lay in files was read when the catalogue was fitted"
    return stored


def _from_state(state: Tensor | Mapping[str, Tensor]) -> Stored:
    return state if isinstance(state, Tensor) else Ragged(**state)
