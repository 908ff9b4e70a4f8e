"""Promises of the order: complete, repeatable, unbiased, resumable, shared by ranks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ft.core.data.order import batches, bucketed, count_batches, longest_first, permutation


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


# ---------------------------------------------------------------- lengths


def lengths_of_sentences(n: int) -> torch.Tensor:
    """As of SST-2: between 1 and 52 words, 19 on average."""
    return (torch.rand(n, generator=torch.Generator().manual_seed(0)).square() * 51 + 1.5).long()


def padded(order: torch.Tensor, lengths: torch.Tensor, batch_size: int) -> float:
    """Tokens with padding, to tokens without."""
    return sum(int(lengths[b].max()) * len(b) for b in batches(order, batch_size)) / int(lengths.sum())


@given(n=st.integers(1, 300), together=st.integers(1, 40), epoch=st.integers(0, 9))
def test_a_bucketed_epoch_has_every_example_once_and_ends_with_what_is_left_over(
    n: int, together: int, epoch: int
) -> None:
    order = permutation(0, epoch, n)
    found = bucketed(order, lengths_of_sentences(n), together, 0, epoch)
    assert found.sort().values.tolist() == list(range(n))
    left = n % together
    assert found[n - left :].tolist() == order[n - left :].tolist()


@pytest.mark.parametrize("batch_size", [32, 128])
def test_batches_of_like_lengths_carry_little_padding(batch_size: int) -> None:
    lengths = lengths_of_sentences(7000)
    order = permutation(0, 0, 7000)
    assert padded(order, lengths, batch_size) > 1.8
    assert padded(bucketed(order, lengths, batch_size, 0, 0), lengths, batch_size) < 1.15
    assert padded(longest_first(lengths), lengths, batch_size) < 1.15


def test_buckets_are_a_function_of_seed_and_epoch_and_come_in_no_order_of_length() -> None:
    lengths = lengths_of_sentences(6400)

    def of(seed: int, epoch: int) -> torch.Tensor:
        return bucketed(permutation(seed, epoch, 6400), lengths, 64, seed, epoch)

    assert torch.equal(of(1, 2), of(1, 2))
    for other in (of(1, 3), of(2, 2)):
        members = [{tuple(sorted(batch.tolist())) for batch in batches(order, 64)} for order in (of(1, 2), other)]
        assert len(members[0] & members[1]) < 10, "other batches, not only in another order"
    means = torch.stack([lengths[batch].double().mean() for batch in batches(of(1, 2), 64)])  # (100,)
    place = torch.arange(100, dtype=torch.float64)
    assert torch.corrcoef(torch.stack([means, place]))[0, 1].abs() < 0.45


def test_unshuffled_rows_of_different_lengths_come_longest_first_and_ties_as_they_lie() -> None:
    assert longest_first(torch.tensor([2, 9, 2, 5, 9])).tolist() == [1, 4, 3, 0, 2]
