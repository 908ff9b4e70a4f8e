"""Two forms of a model are compared in every value, and the batches they are asked in differ."""

from __future__ import annotations

import pytest
import torch

from ft.core.stages.parity import Difference, _cut, _difference


@pytest.mark.parametrize("count", [1, 2, 3, 10, 24, 40, 266])
def test_every_row_is_asked_for_once_and_the_last_batch_is_odd(count: int) -> None:
    batches = _cut(count, 16)
    assert torch.cat(batches).tolist() == list(range(count))
    assert len(batches[-1]) % 2 == 1
    assert len(batches[0]) == 1
    assert max(map(len, batches)) <= 16


def test_a_difference_is_the_largest_and_is_held_against_the_largest_value() -> None:
    found = _difference("x", torch.tensor([[1.0, -40.0], [0.0, 2.0]]), torch.tensor([[1.0, -40.5], [0.25, 2.0]]))
    assert (found.largest, found.scale) == (0.5, 40.0)
    assert found.within(0.0125)
    assert not found.within(0.0124)


def test_small_values_are_held_against_one() -> None:
    assert _difference("x", torch.tensor([0.1]), torch.tensor([0.2])).scale == 1.0


def test_what_is_no_number_is_never_within() -> None:
    assert not _difference("x", torch.tensor([1.0]), torch.tensor([float("nan")])).within(1e9)
    assert not Difference("x", float("nan"), 1.0).within(1e9)
    both = _difference("r2", torch.tensor([float("nan")]), torch.tensor([float("nan")]))
    assert both.within(0.0)
