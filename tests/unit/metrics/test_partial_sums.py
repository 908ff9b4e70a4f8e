"""Sums add up: over processes, over an interruption, whatever the mode they were made in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from strict_device import Strict
from torch import Tensor

from ft.core.metrics.classification import CategoryScores
from ft.core.metrics.labels import LabelScores
from ft.core.metrics.ranking import RankingScores
from ft.core.metrics.regression import NumberScores
from ft.core.metrics.scores import Accumulator, Scores

Batches = list[tuple[Tensor, Tensor]]
SIZES = [5, 9, 1, 7, 3]  # of the batches
Case = Callable[[], tuple[Callable[[], Accumulator], Batches]]


def category() -> tuple[Callable[[], Accumulator], Batches]:
    random = torch.Generator().manual_seed(0)
    batches = [(torch.randn(n, 7, generator=random), torch.randint(0, 7, (n,), generator=random)) for n in SIZES]
    return lambda: CategoryScores([str(index) for index in range(7)], (2, 5), by_order=["auroc"]), batches


def number() -> tuple[Callable[[], Accumulator], Batches]:
    random = torch.Generator().manual_seed(0)
    batches = []
    for mean, n in enumerate(SIZES):  # the processes see different means
        targets = 1000.0 * mean + torch.randn(n, generator=random)
        batches.append((targets + torch.randn(n, generator=random), targets))
    return NumberScores, batches


def two_classes() -> tuple[Callable[[], Accumulator], Batches]:
    random = torch.Generator().manual_seed(1)
    batches = [(torch.randn(n, 2, generator=random), torch.randint(0, 2, (n,), generator=random)) for n in SIZES]
    return lambda: CategoryScores(["no", "yes"]), batches


def labels() -> tuple[Callable[[], Accumulator], Batches]:
    random = torch.Generator().manual_seed(2)
    batches = [(torch.randn(n, 4, generator=random), torch.randint(0, 2, (n, 4), generator=random)) for n in SIZES]
    return lambda: LabelScores(["a", "b", "c", "d"]), batches


def ranking() -> tuple[Callable[[], Accumulator], Batches]:
    random = torch.Generator().manual_seed(3)
    batches = [(torch.randn(n, 20, generator=random), torch.randint(-1, 2, (n, 20), generator=random)) for n in SIZES]
    return lambda: RankingScores((3, 10)), batches


every = pytest.mark.parametrize("case", [category, two_classes, labels, number, ranking])


def fed(accumulator: Accumulator, batches: Batches) -> Accumulator:
    for predictions, targets in batches:
        accumulator.update(predictions, targets)
    return accumulator


def reduced(ranks: list[Accumulator]) -> None:
    """`reduce` on all at once, each in a thread, with an all-reduce that changes its argument in place."""
    barrier = threading.Barrier(len(ranks))
    given: dict[int, Tensor] = {}

    def everyones(rank: int, tensor: Tensor) -> list[Tensor]:
        given[rank] = tensor.clone()
        barrier.wait(timeout=10)
        found = [given[other] for other in range(len(ranks))]
        barrier.wait(timeout=10)
        return found

    def reduce(rank: int) -> None:
        ranks[rank].reduce(
            lambda tensor: tensor.copy_(torch.stack(everyones(rank, tensor)).sum(0)),
            lambda tensor: torch.cat(everyones(rank, tensor)),
        )

    threads = [threading.Thread(target=reduce, args=(rank,)) for rank in range(len(ranks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def same(found: Scores, want: Scores) -> None:
    assert found.metrics == pytest.approx(want.metrics, rel=1e-12, nan_ok=True)
    assert found.confusion == want.confusion
    assert found.per_class == want.per_class
    assert (found.count, found.nonfinite) == (want.count, want.nonfinite)
    for name, ends in want.intervals.items():
        assert found.intervals[name] == pytest.approx(ends, rel=1e-12)


@every
@pytest.mark.parametrize("cut", [0, 2, 5])  # a process may be left without examples
def test_two_processes_reduce_to_what_one_would_have_seen(case: Case, cut: int) -> None:
    make, batches = case()
    ranks = [fed(make(), batches[:cut]), fed(make(), batches[cut:])]
    reduced(ranks)
    for rank in ranks:
        same(rank.compute(), fed(make(), batches).compute())


@every
def test_going_on_from_a_saved_state_equals_never_stopping(case: Case) -> None:
    make, batches = case()
    first = fed(make(), batches[:2])
    state = first.state_dict()
    fed(first, batches[2:])  # must not reach into the saved state
    second = make()
    second.load_state_dict(state)
    assert fed(second, batches[2:]).compute() == fed(make(), batches).compute()
    assert all(isinstance(value, Tensor) for value in state.values())


@every
def test_the_state_survives_a_file_read_without_unpickling(case: Case, tmp_path: Path) -> None:
    make, batches = case()
    torch.save(fed(make(), batches).state_dict(), tmp_path / "sums.pt")
    again = make()
    again.load_state_dict(torch.load(tmp_path / "sums.pt", weights_only=True))
    assert again.compute() == fed(make(), batches).compute()


def test_the_state_of_other_classes_is_refused() -> None:
    with pytest.raises(AssertionError, match="another accumulator"):
        CategoryScores(["a", "b"]).load_state_dict(CategoryScores(["a", "b", "c"]).state_dict())


@every
def test_sums_made_in_inference_mode_can_be_reduced_outside_of_it(case: Case) -> None:
    make, batches = case()
    accumulator = make()
    with torch.inference_mode():
        fed(accumulator, batches)
    accumulator.reduce(lambda tensor: tensor.mul_(2), lambda tensor: torch.cat([tensor, tensor]))
    assert accumulator.compute().count == 2 * sum(len(targets) for _, targets in batches)


@every
def test_sums_keep_no_graph(case: Case) -> None:
    make, batches = case()
    accumulator = make()
    for predictions, targets in batches:
        accumulator.update(predictions.requires_grad_(), targets)
    assert not any(value.requires_grad for value in accumulator.state_dict().values())


@every
def test_an_update_uses_only_what_every_device_can_do_without_waiting(case: Case) -> None:
    make, batches = case()
    accumulator = make()
    with Strict():
        fed(accumulator, batches)


@every
def test_what_was_fed_may_be_overwritten_after(case: Case) -> None:
    make, batches = case()
    want = fed(make(), batches).compute()
    accumulator = make()
    for predictions, targets in batches:
        accumulator.update(predictions, targets)
        predictions.zero_()
        targets.zero_()
    assert accumulator.compute() == want


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every
def test_on_cuda_the_same_scores_without_waiting_for_the_device(case: Case) -> None:
    make, batches = case()
    accumulator = make()
    there = [(predictions.cuda(), targets.cuda()) for predictions, targets in batches]
    fed(accumulator, there[:1])  # the sums move to the device once
    torch.cuda.set_sync_debug_mode("error")
    try:
        fed(accumulator, there[1:])
    finally:
        torch.cuda.set_sync_debug_mode("default")
    same(accumulator.compute(), fed(make(), batches).compute())
