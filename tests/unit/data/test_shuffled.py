"""One input exchanged among the rows, the others untouched."""

from __future__ import annotations

import numpy as np
import torch

from ft.core.data.loader import Examples
from ft.core.data.shuffled import reordered
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
