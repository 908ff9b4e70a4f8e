"""Ranking scores against their formulas written out in NumPy over a stable sort, and scikit-learn's ndcg_score."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import ndcg_score
from torch import Tensor

from ft.core.metrics.ranking import RankingScores, asked_k, metric_names, ordered_keys
from ft.core.metrics.scores import Scores


def choices(users: int, items: int, seed: int, levels: int = 5) -> tuple[Tensor, Tensor]:
    """Scores (B, C) of which many tie, targets int8 (B, C) in -1, 0, 1; some users have chosen nothing."""
    random = torch.Generator().manual_seed(seed)
    targets = torch.randint(-1, 2, (users, items), generator=random).to(torch.int8)
    targets[::3].clamp_(max=0)
    return torch.randint(-levels, levels, (users, items), generator=random) / 2, targets


def scored(scores: Tensor, targets: Tensor, ks: tuple[int, ...] = (10,), batch: int = 1000) -> Scores:
    sums = RankingScores(ks)
    for some, of_them in zip(scores.split(batch), targets.split(batch), strict=True):
        sums.update(some, of_them)
    return sums.compute()


def of_user(scores: np.ndarray, targets: np.ndarray, ks: tuple[int, ...]) -> list[float]:
    """The metrics of one user by their definitions, over a list in order."""
    looked_at = targets >= 0
    order = np.argsort(-scores[looked_at], kind="stable")
    gains = (targets[looked_at] == 1)[order]
    chosen, values = int(gains.sum()), []
    for k in ks:
        discounts = 1 / np.log2(np.arange(len(gains)) + 2)[:k]
        dcg = float((gains[:k] * discounts).sum())
        ideal = float((1 / np.log2(np.arange(min(chosen, k)) + 2)).sum())
        values += [float(gains[:k].any()), dcg / ideal if chosen else 0.0, gains[:k].sum() / chosen if chosen else 0.0]
    return [*values, 1 / (1 + int(gains.argmax())) if chosen else 0.0]


@given(
    users=st.integers(1, 12),
    items=st.integers(1, 30),
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 12),
    ks=st.sampled_from([(10,), (1, 3), (5, 10, 50)]),
)
def test_metrics_equal_their_definitions(users: int, items: int, seed: int, batch: int, ks: tuple[int, ...]) -> None:
    scores, targets = choices(users, items, seed)
    rows = [of_user(*row, ks) for row in zip(scores.numpy(), targets.numpy(), strict=True)]
    want = dict(zip(metric_names(ks), np.mean(rows, axis=0), strict=True))
    found = scored(scores, targets, ks, batch)
    assert found.metrics == pytest.approx(want, abs=1e-6)
    assert (found.count, found.unit) == (users, "users")


def test_ndcg_without_ties_is_scikit_learns() -> None:
    random = torch.Generator().manual_seed(1)
    scores = torch.randn(40, 25, generator=random)
    targets = (torch.rand(40, 25, generator=random) < 0.3).to(torch.int8)
    targets[:, 0] = 1
    for k in (3, 10):
        want = ndcg_score(targets.numpy(), scores.numpy(), k=k)
        assert scored(scores, targets, (k,)).metrics[f"ndcg@{k}"] == pytest.approx(want, abs=1e-6)


def test_of_equal_scores_the_earlier_item_comes_first() -> None:
    targets = torch.tensor([[0, 0, 1, 0]], dtype=torch.int8)
    found = scored(torch.zeros(1, 4), targets, (2, 3)).metrics
    assert (found["hit_rate@2"], found["hit_rate@3"]) == (0.0, 1.0)
    assert found["mrr"] == pytest.approx(1 / 3)


def test_items_not_to_be_looked_at_take_no_place() -> None:
    targets = torch.tensor([[-1, -1, 1]], dtype=torch.int8)
    found = scored(torch.tensor([[9.0, math.inf, 1.0]]), targets, (1,))
    assert found.metrics == {"hit_rate@1": 1.0, "ndcg@1": 1.0, "recall@1": 1.0, "mrr": 1.0}
    assert found.nonfinite == 0


def test_a_user_of_unknown_items_only_is_a_miss_and_is_told() -> None:
    targets = torch.tensor([[1, 0], [0, 0], [-1, -1]], dtype=torch.int8)
    found = scored(torch.tensor([[1.0, 0.0]]).expand(3, 2), targets)
    assert found.metrics["hit_rate@10"] == pytest.approx(1 / 3)
    assert "2 of 3 users" in found.notes[1]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_not_finite_are_a_miss_and_counted(bad: float) -> None:
    targets = torch.tensor([[1, 0], [1, 0]], dtype=torch.int8)
    found = scored(torch.tensor([[bad, 0.0], [1.0, 0.0]]), targets)
    assert found.nonfinite == 1
    assert set(found.metrics.values()) == {0.5}


def test_intervals_are_wilsons_of_hits_and_normal_ones_of_the_means() -> None:
    scores, targets = choices(80, 60, seed=5, levels=1000)
    found = scored(scores, targets, (5,), batch=9)
    rows = np.array([of_user(*row, (5,)) for row in zip(scores.numpy(), targets.numpy(), strict=True)])
    hits = int(rows[:, 0].sum())
    want = stats.binomtest(hits, 80).proportion_ci(method="wilson")
    assert found.intervals["hit_rate@5"] == pytest.approx(want, abs=1e-9)
    for name, values in zip(("ndcg@5", "recall@5", "mrr"), rows.T[1:], strict=True):
        want = stats.norm.interval(0.95, values.mean(), stats.sem(values))
        assert found.intervals[name] == pytest.approx(np.clip(want, 0, 1), abs=1e-6)


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=20))
def test_keys_order_as_a_stable_sort_does(values: list[float]) -> None:
    keys = ordered_keys(torch.tensor([values]))[0].numpy()
    assert np.argsort(-keys).tolist() == np.argsort(-np.array(values, dtype=np.float32), kind="stable").tolist()
    assert len(set(keys.tolist())) == len(values)


def test_any_k_is_asked_for_by_name() -> None:
    assert asked_k(["ndcg@5", "mrr", "hit_rate@100", "accuracy@3", "recall@0"]) == (5, 10, 100)
    assert asked_k([]) == (10,)


def test_without_users_every_metric_is_nan() -> None:
    found = RankingScores().compute()
    assert all(math.isnan(value) for value in found.metrics.values())
    assert found.intervals == {}


def test_choices_beside_the_ranked_items_count_as_missed() -> None:
    """Of three chosen items one is ranked, and comes first; the other two cannot be found: told as -2."""
    scores, marks = torch.tensor([[3.0, 2.0, 1.0]] * 2), torch.tensor([[1, 0, 0, -2], [1, 0, 0, 0]])
    found = scored(scores[:1], marks[:1], (2, 10)).metrics
    ideal = {2: 1 + 1 / math.log2(3), 10: 1 + 1 / math.log2(3) + 1 / 2}
    want = {"hit_rate@2": 1.0, "recall@2": 1 / 3, "recall@10": 1 / 3, "ndcg@2": 1 / ideal[2], "mrr": 1.0}
    assert {name: found[name] for name in want} == pytest.approx(want)
    assert found["ndcg@10"] == pytest.approx(1 / ideal[10])
    without = scored(scores[1:], marks[1:], (2, 10)).metrics
    assert without == scored(scores[1:], marks[1:, :3], (2, 10)).metrics
