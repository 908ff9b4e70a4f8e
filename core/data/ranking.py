"""Batches for a ranking: in training each choice among items drawn for it or among all, in evaluation among all items.

Drawn items are a hash of (seed, epoch, example, place), uniform over all items: the same whatever the batch, machine or
resume. One that the user chose in training says nothing against it and is marked, not drawn again, so that a batch
has one shape. Evaluation ranks every item of training that the user had not chosen before (Krichene and Rendle 2020,
"On Sampled Metrics for Item Recommendation", on why not among drawn ones); an item that training never had is a miss,
and counted as one that was to be found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ft.core.data import hashing
from ft.core.data.augment import Draws
from ft.core.data.catalog import Catalog
from ft.core.data.catalog_fit import first_rows
from ft.core.data.columns.base import Column
from ft.core.data.loader import Batch, Examples
from ft.core.data.order import batches, count_batches, permutation
from ft.core.data.stored import Ragged, Stored, take
from ft.core.data.table import SPLITS
from ft.core.errors import DataError

CHOSEN, IGNORED = 1, -1  # targets, as the ranking head reads them; 0 is any other item
MOST_MISSED = torch.iinfo(torch.int16).max  # of one user: more change no score by as much as rounding does
TABLE_BITS = 24  # 16 MB of truth values: every user with every item, up to 4,096 of each


class RankingLoader:
    """Batches of one split as a function of (epoch, position), as Loader's.

    Training (B choices, N drawn): the user's side (B, ...), the item's side (B, 1 + N, ...) with the chosen item first,
    targets int8 (B, 1 + N). Choices of items that the catalogue does not know are left out. With negatives "all" the
    item's side is (1, I, ...), every item once for all choices of the batch, and targets (B, I).
    Evaluation (B users, I items): (B, ...), (1, I, ...), targets int16 (B, I + 1). A row is a user with something new
    in the split, in the order of their codes, described as in the first row that they have there; what they chose in an
    earlier split is not looked at, also if chosen again. The last column is -n where a user made n choices of items
    that the catalogue does not know.
    targets: 1 chosen, 0 not, -1 not to be looked at. augment: training only, drawn from (seed, epoch, example); an
    item that stands there for the whole batch is changed anew for each batch.
    """

    def __init__(
        self,
        examples: Examples,
        columns: Mapping[str, Column],
        catalog: Catalog,
        output_name: str,
        device: torch.device,
        *,
        batch_size: int,
        seed: int = 0,
        split: str = "train",
        train: bool = False,
        negatives: int | Literal["all"] = 0,
        augment: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        assert train == bool(negatives), "items are compared with others in training"
        self.examples, self.columns, self.catalog, self.device = examples, columns, catalog, device
        self.output_name, self.batch_size, self.seed = output_name, batch_size, seed
        self.train, self.negatives = train, negatives
        self._left_changes = augment and _changes(columns, catalog.user_inputs)
        self._items_change = augment and _changes(columns, catalog.item_inputs)
        self.rank, self.world_size = rank, world_size
        self._users, self._items = catalog.choices(examples)  # (N,) each
        self._shelf = Items(catalog, columns, device)
        if train:
            self._rows = self._items.nonzero()[:, 0]  # (M,) of the examples
            if negatives == "all":
                self._marks = Marks(catalog.seen["train"], catalog.item_count)
            else:
                self._taken = PairSet(catalog.seen_in("train"), catalog.pair_limit)
        else:
            self._judged = Judged.of(catalog, self._users, self._items, split)
            self._first = first_rows(self._users, catalog.user_count + 1)  # (U + 1,)
            self._rows = torch.arange(len(self._judged.users))
        if not self._items_change and (negatives == "all" or not train):
            self._all = self._shelf.all()  # (1, I, ...) by input

    @property
    def batches_per_epoch(self) -> int:
        return count_batches(len(self._rows), self.batch_size, self.world_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on, exactly those of an epoch that was never interrupted."""
        n = len(self._rows)
        order = permutation(self.seed, epoch, n) if self.train else torch.arange(n)
        for places in batches(order, self.batch_size, start, self.rank, self.world_size):
            yield self._choices(self._rows[places], epoch) if self.train else self._judge(places)

    def _choices(self, rows: Tensor, epoch: int) -> Batch:
        """rows: int64 (B,) of the examples."""
        draws = Draws(self.seed, epoch, rows, self.device) if self._left_changes else None
        inputs = self._left(rows, draws)
        if self.negatives == "all":
            items, targets = self._every_item(rows, epoch), self._marks.of(self._users[rows], self._items[rows])
        else:
            items, targets = self._drawn_items(rows, epoch, self.negatives)
        return Batch(inputs | items, {self.output_name: targets.to(self.device)}, rows)

    def _drawn_items(self, rows: Tensor, epoch: int, count: int) -> tuple[dict[str, Tensor], Tensor]:
        """The chosen item and N = `count` drawn ones, (B, 1 + N, ...) by input, and their targets (B, 1 + N)."""
        users, chosen = self._users[rows, None], self._items[rows, None]  # (B, 1)
        drawn = draw_items(rows, count, self.catalog.item_count, self.seed, epoch)  # (B, N)
        targets = torch.zeros(len(rows), 1 + count, dtype=torch.int8)
        targets[:, 0] = CHOSEN
        taken = self._taken.has(self.catalog.pair_keys(users, drawn)) | (drawn == chosen)
        targets[:, 1:].masked_fill_(taken, IGNORED)
        candidates = torch.cat([chosen, drawn], dim=1)  # (B, 1 + N)
        own = rows[:, None] * (1 + count) + torch.arange(1 + count)  # of each candidate: B * (1 + N) draws
        draws = Draws(self.seed, epoch, own.flatten(), self.device) if self._items_change else None
        return self._shelf.take(candidates.to(self.device), draws), targets

    def _every_item(self, rows: Tensor, epoch: int) -> dict[str, Tensor]:
        """(1, I, ...) by input; drawn for the batch by its first example where items change in training."""
        if not self._items_change:
            return self._all
        own = rows[:1] * self.catalog.item_count + torch.arange(self.catalog.item_count)
        return self._shelf.all(Draws(self.seed, epoch, own, self.device))

    def _judge(self, places: Tensor) -> Batch:
        """places: int64 (B,) of the judged users, one after another."""
        users = self._judged.users[places]
        targets = self._judged.targets(places, self.catalog.item_count)
        inputs = self._left(self._first[users], None) | self._all
        return Batch(inputs, {self.output_name: targets.to(self.device)}, users)

    def _left(self, rows: Tensor, draws: Draws | None) -> dict[str, Tensor]:
        """The user's side of these examples, (B, ...) by input."""
        return {
            name: self.columns[name].prepare(take(self.examples.inputs[name], rows).to(self.device), draws)
            for name in self.catalog.user_inputs
        }


class Items:
    """What describes the items, on the device, prepared once where that is the same every time and takes no room."""

    def __init__(self, catalog: Catalog, columns: Mapping[str, Column], device: torch.device) -> None:
        self._columns = {name: columns[name] for name in catalog.item_inputs}
        self._tables: dict[str, Tensor] = {}  # by input, (I + 1, ...)
        self._count = catalog.item_count
        self._device = device
        for name, column in self._columns.items():
            table = _padded(catalog.items[name]).to(device)
            self._tables[name] = column.prepare(table, None) if column.fixed else table

    def take(self, codes: Tensor, draws: Draws | None = None) -> dict[str, Tensor]:
        """codes: int64 of any shape, on the device -> by input, that shape and then an item's own. draws: for each."""
        flat = {name: self._prepared(name, codes.flatten(), draws) for name in self._tables}
        return {name: rows.view(*codes.shape, *rows.shape[1:]) for name, rows in flat.items()}

    def all(self, draws: Draws | None = None) -> dict[str, Tensor]:
        """Every item but the unknown one, in the order of their codes: (1, I, ...) by input. draws: for each."""
        return self.take(torch.arange(1, self._count + 1, device=self._device)[None], draws)

    def _prepared(self, name: str, codes: Tensor, draws: Draws | None) -> Tensor:
        rows, column = self._tables[name].index_select(0, codes), self._columns[name]
        return rows if column.fixed else column.prepare(rows, draws)


def _changes(columns: Mapping[str, Column], names: Sequence[str]) -> bool:
    """Whether any of these inputs is changed at random in training."""
    return any(getattr(columns[name], "augment", None) is not None for name in names)


def _padded(stored: Stored) -> Tensor:
    """All rows as one tensor: a gather of a hundred thousand rows cannot go row by row."""
    return stored if isinstance(stored, Tensor) else stored.take(torch.arange(len(stored)))


# ---------------------------------------------------------------- training


def draw_items(examples: Tensor, count: int, item_count: int, seed: int, epoch: int) -> Tensor:
    """Codes 1..item_count, each equally likely and independent: int64 (B, count). examples: int64 (B,), on the CPU."""
    keys = hashing.keyed(examples, hashing.NEGATIVES, seed, epoch)  # (B,)
    words = -(-count // 2)  # of 64 bits, two draws each
    bits = hashing.scramble(keys[:, None] + torch.arange(1, words + 1) * hashing.GOLDEN)  # (B, words)
    halves = bits.view(torch.int32)[:, :count].long() & 0xFFFFFFFF  # (B, count)
    return (halves * item_count >> 32) + 1  # uneven by less than item_count / 2**32


class Marks:
    """For choices among all items: the chosen one, and as not to be looked at the others that its user chose.

    Every user's marks lie ready where there is room for them, so that a batch copies rows.
    """

    def __init__(self, seen: Ragged, item_count: int) -> None:
        """seen: item codes by user code, of training; nothing for unknown users."""
        self._seen, self._count = seen, item_count
        users = torch.arange(len(seen))
        self._ready = self._made(users) if len(seen) * item_count <= 1 << TABLE_BITS else None

    def of(self, users: Tensor, items: Tensor) -> Tensor:
        """users, items: codes, int64 (B,), each pair chosen -> int8 (B, I)."""
        marks = self._made(users) if self._ready is None else self._ready.index_select(0, users)
        return marks.scatter_(1, items[:, None] - 1, CHOSEN)

    def _made(self, users: Tensor) -> Tensor:
        """All that these users chose, as not to be looked at: int8 (B, I)."""
        marks = torch.zeros(len(users), self._count + 1, dtype=torch.int8)
        marks.scatter_(1, self._seen.take(users), IGNORED)  # code 0 where a row is filled up
        return marks[:, 1:].contiguous()


class PairSet:
    """Which keys are in a set, for many at a time.

    One look at a table of truth values answers for most: where the table has room for every key it is the set itself,
    else it sends away nine in ten of those outside before a binary search, which costs 60 ns a key, decides.
    """

    def __init__(self, keys: Tensor, limit: int) -> None:
        """keys: int64 (P,), ascending. limit: all keys, also those asked for, are from 0 to below this."""
        size = 1 << min((limit - 1).bit_length(), max((16 * len(keys)).bit_length(), TABLE_BITS))
        self._keys, self._mask, self._exact = keys, size - 1, limit <= size
        self._table = torch.zeros(size, dtype=torch.bool)
        self._table[keys & self._mask] = True

    def has(self, keys: Tensor) -> Tensor:
        """keys: int64, any shape -> bool of that shape."""
        if self._exact:
            return self._table.take(keys)
        found = self._table.take(keys & self._mask)
        perhaps = found.view(-1).nonzero()[:, 0]
        asked = keys.view(-1)[perhaps]
        near = torch.searchsorted(self._keys, asked).clamp_(max=len(self._keys) - 1)
        found.view(-1)[perhaps] = self._keys[near] == asked if len(perhaps) else False
        return found


# ---------------------------------------------------------------- evaluation


@dataclass(frozen=True)
class Judged:
    """The users of a split whose new choices are looked for, and the marks of their items.

    users: codes int64 (V,), ascending. rows, items, marks: (M,), a place among the users, an item's code and 1 or -1;
    rows ascend. missed: int16 (V,), how many choices of unknown items each made. The counts are of choices left out: of
    unknown users, of unknown items (misses), and made before.
    """

    users: Tensor
    rows: Tensor
    items: Tensor
    marks: Tensor
    missed: Tensor
    of_unknown_users: int
    of_unknown_items: int
    made_before: int

    @classmethod
    def of(cls, catalog: Catalog, users: Tensor, items: Tensor, split: str) -> Judged:
        """users, items: int64 (N,), the codes of the split's choices."""
        seen = catalog.seen_in(*SPLITS[: SPLITS.index(split)])
        keys = catalog.pair_keys(users, items)
        known, again = users > 0, PairSet(seen, catalog.pair_limit).has(keys)
        judged = torch.unique(users[known & ~again])  # (V,)
        new = torch.unique(keys[known & ~again & (items > 0)])
        keys = torch.cat([new, seen])
        marks = torch.cat([torch.full_like(new, CHOSEN), torch.full_like(seen, IGNORED)])
        keys, order = keys.sort()
        who = keys // (catalog.item_count + 1)
        theirs = torch.isin(who, judged)
        places = torch.searchsorted(judged, users[known & (items == 0)])
        return cls(
            judged,
            torch.searchsorted(judged, who[theirs]),
            (keys % (catalog.item_count + 1))[theirs],
            marks[order][theirs].to(torch.int16),
            torch.bincount(places, minlength=len(judged)).clamp(max=MOST_MISSED).to(torch.int16),
            int((~known).sum()),
            int((known & (items == 0)).sum()),
            int(again.sum()),
        )

    def targets(self, places: Tensor, item_count: int) -> Tensor:
        """int16 (B, I + 1). places: int64 (B,), one after another."""
        targets = torch.zeros(len(places), item_count + 1, dtype=torch.int16)
        targets[:, -1] = -self.missed[places]
        if len(places):
            ends = torch.stack([places[0], places[-1] + 1])
            start, end = torch.searchsorted(self.rows, ends).tolist()
            rows, columns = self.rows[start:end] - places[0], self.items[start:end] - 1
            targets[rows, columns] = self.marks[start:end]
        return targets


def ranking_notes(output_name: str, catalog: Catalog, examples: Examples, split: str) -> list[str]:
    """What of a split cannot be learned from, is not judged or cannot be found, a line each, for the user.

    Raises DataError for a split without a single choice to learn from or to look for.
    """
    users, items = catalog.choices(examples)
    if split == "train":
        if not items.any():
            raise DataError(
                f"output {output_name}, train: all of its {len(items):,} choices are of items that are not known: too "
                f"rare for inputs.{catalog.item}.min_count, or not in the training that is gone on from"
            )
        counted = {"choices of items that are not known are left out": int((items == 0).sum())}
    else:
        judged = Judged.of(catalog, users, items, split)
        if not (judged.marks == CHOSEN).any():
            told = f"of unknown users {judged.of_unknown_users:,}, of unknown items {judged.of_unknown_items:,}"
            told += f", made before by the same user {judged.made_before:,}"
            raise DataError(
                f"output {output_name}, {split}: none of its {len(items):,} choices can be looked for: {told}; "
                "cut the split so that training has its users and items"
            )
        counted = {
            "choices of users unknown to training are left out": judged.of_unknown_users,
            "choices of items unknown to training count as missed": judged.of_unknown_items,
            "choices that their user had made before are left out": judged.made_before,
        }
    return [f"output {output_name}, {split}: {count:,} {what}" for what, count in counted.items() if count]
