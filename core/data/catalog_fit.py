"""Learning a catalogue: from the encoded splits of a ranking, and from the catalogue of an earlier training.

What describes an item is taken from the first training row in which it occurs, what describes a user from the latest
one; a fine-tuning keeps what the training before it knew of those that have no row in its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ft.core.config.schema import RankingOutput
from ft.core.config.suggest import did_you_mean
from ft.core.data import cells
from ft.core.data.catalog import EARLIER, Catalog, by_user
from ft.core.data.columns.base import Column
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.loader import Examples
from ft.core.data.stored import Ragged, Stored, take
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError, Problem

CHUNK = 4096  # rows of a column in files that are read at one time


def fit_catalog(
    name: str,
    settings: RankingOutput,
    inputs: Mapping[str, Column],
    examples: Mapping[str, Examples],
    titles: Mapping[str, Values | None],
    earlier: Catalog | None = None,
    kept: Collection[str] = (),
    orders: Mapping[str, Tensor] | None = None,
) -> Catalog:
    """The catalogue of the output `name`, from the encoded splits, train among them.

    inputs: the fitted input columns. titles: by split, the column that says what an item is called, None without one.
    earlier: of the training that a fine-tuning goes on from. kept: the inputs whose columns encode as they did in it.
    orders: by split, the row numbers in the order of choice; None: the rows' own.
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
    orders = orders or {split: torch.arange(len(some)) for split, some in examples.items()}
    last_user = _last_rows(training[settings.user], user.cardinality, orders["train"])  # (U + 1,)
    first_item = first_rows(training[settings.item], item.cardinality)  # (I + 1,)
    seen = {
        split: _chosen(examples[split], settings, user.cardinality, orders[split])
        for split in ("train", "val")
        if split in examples
    }
    fitted = Catalog(
        settings.user,
        settings.item,
        user_inputs,
        item_inputs,
        {n: _described(training[n], last_user, own=n == settings.user) for n in user_inputs if n in training},
        {each: _described(training[each], first_item, own=each == settings.item) for each in item_inputs},
        _titles(titles.get("train"), item.classes, first_item, _known_titles(settings.item, earlier, kept)),
        seen,
    )
    return fitted if earlier is None else _remembering(fitted, earlier, kept, last_user, first_item)


def _remembering(
    new: Catalog, earlier: Catalog, kept: Collection[str], last_user: Tensor, first_item: Tensor
) -> Catalog:
    """What an earlier catalogue says of users and items without a row of their own, and what was seen then.

    Only where the codes are the same. last_user, first_item: each code's row in training, -1 without one.
    """
    same_users = new.user in kept and new.user == earlier.user
    same_items = new.item in kept and new.item == earlier.item
    users, items = dict(new.users), dict(new.items)
    if same_users:
        users |= {n: _filled(users[n], earlier.users[n], last_user) for n in users if n in kept and n in earlier.users}
    if same_items:
        items |= {n: _filled(items[n], earlier.items[n], first_item) for n in items if n in kept and n in earlier.items}
    seen = dict(new.seen)
    if same_users and same_items:
        others = _without(earlier.chosen(), new.seen_in(*new.seen), new)
        seen |= {EARLIER: others} if len(others.values) else {}
    return replace(new, users=users, items=items, seen=seen)


def _without(chosen: Ragged, pairs: Tensor, catalog: Catalog) -> Ragged:
    """The choices that are not among the pairs: the same data trained on again would show each row its own choice."""
    users, items = chosen.owners(), chosen.values.long()
    other = ~torch.isin(catalog.pair_keys(users, items), pairs)
    return by_user(users[other], items[other], len(chosen))


def _known_titles(item: str, earlier: Catalog | None, kept: Collection[str]) -> Sequence[str]:
    """What an earlier catalogue called the items, by code; empty where its items are others."""
    return earlier.titles if earlier is not None and item in kept and item == earlier.item else ()


def _filled(new: Stored, earlier: Stored, rows: Tensor) -> Stored:
    """Each code's row: the new one where it occurs in training, else the earlier one. rows: -1 where it does not."""
    there = rows >= 0
    if isinstance(new, Ragged) and isinstance(earlier, Ragged):
        found = [(new if own else earlier).row(code) for code, own in enumerate(there.tolist())]
        return Ragged.of(np.array([len(row) for row in found]), torch.cat(found).numpy())
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


def first_rows(codes: Stored, count: int) -> Tensor:
    """The first row in which each code occurs: int64 (count,), -1 where it does not or is the unknown one."""
    assert isinstance(codes, Tensor), "categories are tensors"
    rows = torch.full((count,), len(codes)).scatter_reduce_(0, codes, torch.arange(len(codes)), "amin")
    rows[rows == len(codes)] = -1
    rows[0] = -1
    return rows


def _last_rows(codes: Stored, count: int, order: Tensor) -> Tensor:
    """The latest row of each code, as first_rows. order: the row numbers, the earliest first."""
    assert isinstance(codes, Tensor), "categories are tensors"
    backwards = order.flip(0)
    places = first_rows(codes[backwards], count)
    return torch.where(places < 0, -1, backwards[places])


def _described(stored: Stored, rows: Tensor, *, own: bool) -> Stored:
    """One input for every code: these rows of training, nothing where -1. own: it is the category of these codes."""
    if own:
        return torch.arange(len(rows))
    there = rows >= 0
    if isinstance(stored, Ragged):
        lengths = stored.lengths[rows].masked_fill(~there, 0)
        values = [stored.row(row) for row in rows[there].tolist()]
        return Ragged.of(lengths.numpy(), torch.cat([stored.values[:0], *values]).numpy())
    found = torch.cat([take(stored, some) for some in torch.split(rows.clamp(min=0), CHUNK)])
    found[~there] = 0
    return found


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


def _chosen(examples: Examples, settings: RankingOutput, count: int, order: Tensor) -> Ragged:
    """The items each of `count` user codes chose, in `order`. What is unknown (0) chose and was nothing."""
    users, items = examples.inputs[settings.user], examples.inputs[settings.item]
    assert isinstance(users, Tensor), "categories are tensors"
    assert isinstance(items, Tensor), "categories are tensors"
    rows = order[(users[order] > 0) & (items[order] > 0)]
    return by_user(users[rows], items[rows], count)
