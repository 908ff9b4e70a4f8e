"""One input exchanged among the rows, the others untouched."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from ft.core.data.loader import Batch, Examples
from ft.core.data.shuffled import ShuffledRanking, reordered
from ft.core.data.stored import Ragged


def test_only_the_named_input_moves_whatever_it_is_stored_as() -> None:
    texts = Ragged.of(np.array([1, 3, 0]), np.array([7, 4, 5, 6]))
    examples = Examples({"size": torch.tensor([1.0, 2.0, 3.0]), "text": texts}, {}, None, 3)
    order = torch.tensor([1, 2, 0])
    moved = reordered(examples, "text", order).inputs
    taken = moved["text"].take(torch.tensor([0, 1, 2]))  # type: ignore[union-attr]
    assert taken.tolist() == [[4, 5, 6], [0, 0, 0], [7, 0, 0]]
    assert moved["text"].lengths.tolist() == [3, 0, 1]  # type: ignore[union-attr]
    assert moved["size"] is examples.inputs["size"]
    assert reordered(examples, "size", order).inputs["size"].tolist() == [2.0, 3.0, 1.0]  # type: ignore[union-attr]


class Judged:
    """Two batches of five users with histories of their own length, and four items."""

    catalog = SimpleNamespace(item_inputs=("item",))
    batches_per_epoch = 2

    def epoch(self, epoch: int) -> Iterator[Batch]:  # noqa: ARG002
        items = torch.tensor([[10, 11, 12, 13]])
        for users, recent in (([1, 2, 3], [[7, 8], [9, 0], [0, 0]]), ([4, 5], [[5], [6]])):
            inputs = {"user": torch.tensor(users), "recent": torch.tensor(recent), "item": items}
            yield Batch(inputs, {}, torch.tensor(users))


def shuffled(name: str) -> list[Batch]:
    loader: Any = Judged()
    return list(ShuffledRanking(loader, name, 3, 1).epoch(0))


def test_what_describes_users_moves_among_all_judged_users_with_its_padding() -> None:
    rows = [row for batch in shuffled("recent") for row in batch.inputs["recent"].tolist()]
    assert sorted(rows) == [[0, 0], [5, 0], [6, 0], [7, 8], [9, 0]]
    assert rows != [[7, 8], [9, 0], [0, 0], [5, 0], [6, 0]]
    assert [batch.inputs["user"].tolist() for batch in shuffled("recent")] == [[1, 2, 3], [4, 5]]


def test_what_describes_items_moves_among_the_items_in_every_batch_alike() -> None:
    first, second = shuffled("item")
    assert first.inputs["item"].tolist() == second.inputs["item"].tolist() != [[10, 11, 12, 13]]
    assert sorted(first.inputs["item"][0].tolist()) == [10, 11, 12, 13]
    assert first.inputs["recent"].tolist() == [[7, 8], [9, 0], [0, 0]]
