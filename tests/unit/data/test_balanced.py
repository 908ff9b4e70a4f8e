"""Promises of balanced sampling: each class equally often, each example in turn, a function of (seed, epoch)."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loaders import AUGMENT, CPU, same

from ft.core.config.schema import ImageInput
from ft.core.data.balanced import balanced
from ft.core.data.columns import fit_column
from ft.core.data.loader import Examples, Loader
from ft.core.data.table import Values


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 2**40), st.integers(0, 50))
def test_each_class_comes_equally_often_and_an_epoch_is_as_long_as_before(
    labels: list[int], seed: int, epoch: int
) -> None:
    classes = torch.tensor(labels)
    rows = balanced(classes, seed, epoch) % len(labels)
    assert len(rows) == len(labels)
    counts = Counter(classes[rows].tolist())
    assert set(counts) == set(labels)
    assert max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.parametrize("sizes", [(50, 3, 7), (1, 1, 90), (10, 10)])
def test_over_many_epochs_no_example_of_a_class_is_drawn_twice_more_than_another(sizes: tuple[int, ...]) -> None:
    classes = torch.cat([torch.full((size,), label) for label, size in enumerate(sizes)])
    drawn = torch.zeros(len(classes), dtype=torch.int64)
    for epoch in range(7):
        drawn += torch.bincount(balanced(classes, 5, epoch) % len(classes), minlength=len(classes))
        for label in range(len(sizes)):
            assert drawn[classes == label].max() - drawn[classes == label].min() <= 1
    of_class = [int(drawn[classes == label].sum()) for label in range(len(sizes))]
    assert max(of_class) - min(of_class) <= 1


def test_the_order_is_the_same_for_the_same_seed_and_epoch_and_differs_otherwise() -> None:
    classes = torch.tensor([0] * 80 + [1] * 20)
    first = balanced(classes, 7, 3)
    assert torch.equal(first, balanced(classes, 7, 3))
    assert not torch.equal(first, balanced(classes, 7, 4))
    assert not torch.equal(first, balanced(classes, 8, 3))
    assert (classes[first % 100][:50] == 1).sum() in range(15, 36)  # mixed, not one class after the other


def pictures() -> Loader:
    """12 pictures of one class and 2 of another, augmented."""
    array = np.random.default_rng(0).integers(1, 256, (14, 8, 8, 1), dtype=np.uint8)
    column, stored = fit_column(ImageInput(type="image", augment=AUGMENT), Values(array, "image", "train"))
    classes = torch.tensor([0] * 12 + [1] * 2)
    examples = Examples({"image": stored}, {"y": classes}, None, 14)
    return Loader(examples, {"image": column}, CPU, batch_size=4, seed=1, shuffle=True, augment=True, classes=classes)


def test_an_example_that_comes_again_in_an_epoch_is_changed_in_another_way() -> None:
    seen: dict[int, list[torch.Tensor]] = {}
    for batch in pictures().epoch(0):
        for row, label, picture in zip(batch.examples.tolist(), batch.targets["y"], batch.inputs["image"], strict=True):
            assert row < 14
            assert int(label) == int(row >= 12)
            seen.setdefault(row, []).append(picture)
    twice = [both for both in seen.values() if len(both) > 1]
    assert twice
    assert all(not torch.equal(both[0], other) for both in twice for other in both[1:])


def test_starting_in_mid_epoch_gives_the_rest_of_it() -> None:
    whole = list(pictures().epoch(2))
    rest = list(pictures().epoch(2, start=2))
    assert len(rest) == 2
    assert all(map(same, rest, whole[2:]))
