"""Examples of which one input is exchanged among the rows: each keeps all else, and gets the value of another.

Of a ranking it is exchanged among the judged users, or among the items, in the batches themselves: who chose what is
read off the rows, and must not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ft.core.data.loader import Batch, Examples
from ft.core.data.order import permutation
from ft.core.data.ranking import RankingLoader
from ft.core.data.stored import Rows, Stored


@dataclass(frozen=True)
class Reordered:
    """The rows of a column in another order. order: int64 (N,), which row stands where."""

    rows: Rows
    order: Tensor

    def __len__(self) -> int:
        return len(self.order)

    def take(self, rows: Tensor) -> Tensor:
        return self.rows.take(self.order[rows])

    def digest(self) -> bytes:
        return self.rows.digest() + self.order.numpy().tobytes()

    @property
    def lengths(self) -> Tensor | None:
        found = self.rows.lengths
        return None if found is None else found[self.order]


def reordered(examples: Examples, name: str, order: Tensor) -> Examples:
    """The examples with row order[i] of the input `name` in row i. order: int64 (N,), on the CPU."""
    stored = examples.inputs[name]
    moved: Stored = stored[order] if isinstance(stored, Tensor) else Reordered(stored, order)
    return replace(examples, inputs={**examples.inputs, name: moved})


@dataclass(frozen=True)
class ShuffledRanking:
    """The judged users of a ranking with one input exchanged among them, or among the items if it describes those.

    seed, epoch: of the order. All batches are held at once.
    """

    loader: RankingLoader
    name: str
    seed: int
    epoch_of_order: int

    @property
    def batches_per_epoch(self) -> int:
        return self.loader.batches_per_epoch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """As the loader's, from number `start` on."""
        whole = list(self.loader.epoch(epoch))
        found = [batch.inputs[self.name] for batch in whole]
        if self.name in self.loader.catalog.item_inputs:
            moved = [values[:, self._order(values.shape[1], values)] for values in found]  # (1, I, ...)
        else:
            moved = list(self._among_users(found))
        for batch, values in list(zip(whole, moved, strict=True))[start:]:
            yield replace(batch, inputs={**batch.inputs, self.name: values})

    def _among_users(self, found: list[Tensor]) -> tuple[Tensor, ...]:
        """(B, ...) each, of which rows of indices are as long as the longest of their batch; 0 fills them up."""
        if found[0].dim() == 2 and not found[0].is_floating_point():
            longest = max(values.shape[1] for values in found)
            found = [functional.pad(values, (0, longest - values.shape[1])) for values in found]
        joined = torch.cat(found)
        moved = joined[self._order(len(joined), joined)]
        return torch.split(moved, [len(values) for values in found])

    def _order(self, count: int, like: Tensor) -> Tensor:
        return permutation(self.seed, self.epoch_of_order, count).to(like.device)
