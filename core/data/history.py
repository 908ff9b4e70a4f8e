"""What each row's user chose before it, row by row, without a look ahead: the latest items, the last one last.

A training row sees its user's earlier training rows; a validation row all of training; a test row that and validation.
In front stands what a training before a fine-tuning saw. Choices of items that are not known are left out, a repeated
one counts each time, and a user that is not known has no history. Nothing is copied per row: the histories of a user
are stretches of one long row of choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ft.core.data.catalog import EARLIER, Catalog
from ft.core.data.columns.base import Column
from ft.core.data.columns.history import HistoryColumn
from ft.core.data.columns.set import FIRST
from ft.core.data.loader import Examples
from ft.core.data.split_rules import moments
from ft.core.data.stored import Ragged, Stored, Windows
from ft.core.data.table import Values

SHIFT = FIRST - 1  # from the code of an item, whose first is 1, to its index in a history


def choice_order(times: Values | None, count: int) -> Tensor:
    """Row numbers, int64 (count,), the earliest first; of one time the one further up. times: None for the rows' own.

    Raises DataError for a row without a time, or one that is no time.
    """
    if times is None:
        return torch.arange(count)
    return torch.from_numpy(np.argsort(moments(times), kind="stable"))


def with_histories(
    examples: Mapping[str, Examples],
    inputs: Mapping[str, Column],
    catalog: Catalog | None,
    orders: Mapping[str, Tensor],
) -> dict[str, Examples]:
    """The splits with their histories among the inputs, in the order of `inputs`. orders: by split, of choice_order."""
    wanted = {name: column for name, column in inputs.items() if isinstance(column, HistoryColumn)}
    if not wanted:
        return dict(examples)
    assert catalog is not None, "a history is of a ranking's choices"
    found = {}
    for split, some in examples.items():
        own = {name: _of_split(catalog, some, split, column.last, orders[split]) for name, column in wanted.items()}
        both: dict[str, Stored] = {**some.inputs, **own}
        found[split] = replace(some, inputs={name: both[name] for name in inputs})
    return found


def users_side(catalog: Catalog, inputs: Mapping[str, Column]) -> dict[str, Stored]:
    """All that describes the users now, by input, the row is the code: with the histories of all that was seen."""
    codes = torch.arange(catalog.user_count + 1)
    everything = catalog.chosen()
    side: dict[str, Stored] = {}
    for name in catalog.user_inputs:
        column = inputs[name]
        if isinstance(column, HistoryColumn):
            side[name] = latest(everything, codes, column.last)
        else:
            side[name] = catalog.users[name]
    return side


def _of_split(catalog: Catalog, examples: Examples, split: str, last: int, order: Tensor) -> Windows:
    users, items = catalog.choices(examples)
    if split == "train":
        return up_to(users, items, order, last, catalog.seen.get(EARLIER))
    return latest(catalog.chosen(before=split), users, last)


def latest(chosen: Ragged, users: Tensor, last: int) -> Windows:
    """The `last` latest choices of these users. chosen: item codes by user code. users: codes, int64 (N,)."""
    ends = chosen.offsets[users + 1]
    return Windows(chosen.values + SHIFT, torch.maximum(chosen.offsets[users], ends - last), ends)


def up_to(users: Tensor, items: Tensor, order: Tensor, last: int, earlier: Ragged | None = None) -> Windows:
    """The `last` latest choices that the user of each row made before it.

    users, items: codes of the rows, int64 (N,). order: row numbers, the earliest first. earlier: item codes by user
    code, made before all rows.
    """
    before = torch.empty(0, dtype=torch.int64) if earlier is None else earlier.owners()
    who = torch.cat([before, users[order]])
    what = items[order] if earlier is None else torch.cat([earlier.values.long(), items[order]])
    who, by_user = who.sort(stable=True)  # so each user's choices lie side by side, in their order
    known = (who > 0) & (what[by_user] > 0)
    ends = known.cumsum(0) - known.long()  # how many known ones lie in front of each
    starts = torch.maximum(ends[torch.searchsorted(who, who)], ends - last)  # but none of another user
    places = torch.empty_like(by_user).scatter_(0, by_user, torch.arange(len(who)))  # of each in the sorted ones
    rows = torch.empty_like(order).scatter_(0, order, places[len(before) :])
    return Windows((what[by_user][known] + SHIFT).int(), starts[rows], ends[rows])
