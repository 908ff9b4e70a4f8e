"""Promises of the order: complete, repeatable, unbiased, resumable, shared by ranks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ft.core.data.order import batches, count_batches, permutation


@given(seed=st.integers(0, 2**62), epoch=st.integers(0, 10**6), n=st.integers(1, 300))
def test_an_epoch_has_every_example_once(seed: int, epoch: int, n: int) -> None:
    assert permutation(seed, epoch, n).sort().values.tolist() == list(range(n))


def test_the_order_is_the_same_for_the_same_seed_and_epoch_and_differs_otherwise() -> None:
    first = permutation(7, 3, 1000)
    assert torch.equal(first, permutation(7, 3, 1000))
    assert not torch.equal(first, permutation(7, 4, 1000))
    assert not torch.equal(first, permutation(8, 3, 1000))


def test_an_example_is_as_likely_early_as_late() -> None:
    places = torch.stack([permutation(0, epoch, 20).argsort() for epoch in range(4000)]).double()  # (epochs, examples)
    sigma = (20**2 - 1) ** 0.5 / 12**0.5 / 4000**0.5  # of the mean of 4000 uniform places
    assert (places.mean(0) - 9.5).abs().max() < 4.5 * sigma


def test_an_order_of_one_epoch_tells_nothing_of_the_next() -> None:
    places = torch.stack([permutation(0, epoch, 10_000).argsort().double() for epoch in (0, 1)])
    assert torch.corrcoef(places)[0, 1].abs() < 4.5 / 10_000**0.5


@pytest.mark.parametrize(("n", "batch_size"), [(10, 3), (9, 3), (2, 5), (1, 1)])
def test_batches_are_the_order_cut_up_and_the_last_may_be_short(n: int, batch_size: int) -> None:
    order = permutation(0, 0, n)
    cut = list(batches(order, batch_size))
    assert torch.equal(torch.cat(cut), order)
    assert len(cut) == count_batches(n, batch_size)
    assert all(len(batch) == batch_size for batch in cut[:-1])


@pytest.mark.parametrize("start", range(5))
def test_starting_in_mid_epoch_gives_the_rest_of_it(start: int) -> None:
    order = permutation(0, 0, 10)
    whole = [batch.tolist() for batch in batches(order, 3)]
    assert [batch.tolist() for batch in batches(order, 3, start)] == whole[start:]


@pytest.mark.parametrize("n", [24, 25, 29, 31])
def test_ranks_share_every_global_batch_and_agree_on_how_many_there_are(n: int) -> None:
    order = permutation(0, 0, n)
    shares = [list(batches(order, 2, rank=rank, world_size=4)) for rank in range(4)]
    assert {len(share) for share in shares} == {count_batches(n, 2, 4)}
    for step, together in enumerate(batches(order, 8)):
        assert torch.equal(torch.cat([share[step] for share in shares]), together)
