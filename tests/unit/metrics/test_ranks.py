"""Scores by order against scikit-learn, scipy and the formulas of the papers written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference
from torch import Tensor

from ft.core.metrics import ranks

counts, seeds = st.integers(2, 60), st.integers(0, 2**32)


def scored(count: int, seed: int, levels: int = 7) -> tuple[Tensor, Tensor]:
    """Scores (N,) of which many tie, and which are positive (N,), both kinds being there."""
    random = torch.Generator().manual_seed(seed)
    positive = torch.randint(0, 2, (count,), generator=random).bool()
    positive[:2] = torch.tensor([True, False])
    return torch.randint(0, levels, (count,), generator=random).float() + 2 * positive, positive


@given(count=counts, seed=seeds)
def test_midranks_are_scipys(count: int, seed: int) -> None:
    values, _ = scored(count, seed)
    assert ranks.midranks(values).tolist() == stats.rankdata(values).tolist()


@given(count=counts, seed=seeds)
def test_the_areas_are_scikit_learns_with_ties(count: int, seed: int) -> None:
    scores, positive = scored(count, seed)
    assert ranks.auroc(scores, positive) == pytest.approx(reference.roc_auc_score(positive, scores), abs=1e-12)
    want = reference.average_precision_score(positive, scores)
    assert ranks.average_precision(scores, positive) == pytest.approx(want, abs=1e-12)


@given(count=counts, seed=seeds)
def test_spearman_is_scipys_with_ties(count: int, seed: int) -> None:
    first, _ = scored(count, seed)
    second, _ = scored(count, seed + 1, levels=3)
    if len(set(first.tolist())) == 1 or len(set(second.tolist())) == 1:
        assert math.isnan(ranks.spearman(first, second))
    else:
        want = stats.spearmanr(first, second).statistic
        assert ranks.spearman(first, second) == pytest.approx(want, abs=1e-12)


def test_without_both_kinds_or_with_nan_nothing_is_known() -> None:
    scores = torch.tensor([1.0, 2.0, 3.0])
    for positive in (torch.tensor([True, True, True]), torch.tensor([False, False, False])):
        assert math.isnan(ranks.auroc(scores, positive))
        assert math.isnan(ranks.average_precision(scores, positive))
        assert ranks.auroc_interval(scores, positive) is None
    broken, positive = torch.tensor([1.0, math.nan, 3.0]), torch.tensor([True, False, True])
    assert math.isnan(ranks.auroc(broken, positive))
    assert math.isnan(ranks.average_precision(broken, positive))
    assert math.isnan(ranks.spearman(broken, scores))


def test_nothing_at_all_gives_nan_and_no_interval() -> None:
    none = torch.empty(0)
    assert math.isnan(ranks.auroc(none, none.bool()))
    assert math.isnan(ranks.average_precision(none, none.bool()))
    assert math.isnan(ranks.spearman(none, none))
    assert ranks.auroc_interval(none, none.bool()) is None
    assert ranks.average_precision_interval(math.nan, 0) is None
    assert ranks.spearman_interval(math.nan, 0) is None


def delong(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """The paper's placements by comparing every pair, in place of ranks."""
    pairs = scores[positive][:, None] - scores[~positive][None, :]
    wins = (pairs > 0) + 0.5 * (pairs == 0)  # (positives, negatives)
    of_positive, of_negative = wins.mean(1), wins.mean(0)
    spread = of_positive.var(ddof=1) / len(of_positive) + of_negative.var(ddof=1) / len(of_negative)
    return stats.norm.interval(0.95, wins.mean(), np.sqrt(spread))


@given(count=st.integers(8, 60), seed=seeds)
def test_the_interval_of_the_area_is_delongs(count: int, seed: int) -> None:
    scores, positive = scored(count, seed)
    positive[2:4] = torch.tensor([True, False])
    found = ranks.auroc_interval(scores, positive)
    low, high = delong(scores.double().numpy(), positive.numpy())
    if found is None:
        assert low == high  # no spread to estimate anything from
    else:
        assert found == pytest.approx((max(0, low), min(1, high)), abs=1e-9)


def test_all_told_apart_claims_no_certainty() -> None:
    scores, positive = torch.arange(10.0), torch.arange(10) >= 5
    assert ranks.auroc(scores, positive) == 1.0
    assert ranks.auroc_interval(scores, positive) is None


def test_the_interval_of_average_precision_is_the_logit_one() -> None:
    low, high = ranks.average_precision_interval(0.8, 50) or (math.nan, math.nan)
    half = stats.norm.ppf(0.975) / np.sqrt(50 * 0.8 * 0.2)
    assert stats.logistic.ppf([low, high]) == pytest.approx([np.log(4) - half, np.log(4) + half])
    assert ranks.average_precision_interval(1.0, 50) is None


def test_delongs_interval_holds_the_true_area_in_about_95_of_100_samples() -> None:
    random = torch.Generator().manual_seed(0)
    positive = torch.arange(120) < 40
    true_area = stats.norm.cdf(1 / math.sqrt(2))
    held = 0
    for _ in range(400):
        low, high = ranks.auroc_interval(torch.randn(120, generator=random) + positive, positive) or (0.0, 0.0)
        held += low <= true_area <= high
    assert 0.92 < held / 400 < 0.98


def test_spearmans_interval_is_bonetts_and_wrights() -> None:
    low, high = ranks.spearman_interval(0.6, 40) or (math.nan, math.nan)
    half = stats.norm.ppf(0.975) * math.sqrt((1 + 0.6**2 / 2) / 37)
    assert np.arctanh([low, high]) == pytest.approx([np.arctanh(0.6) - half, np.arctanh(0.6) + half])
    assert ranks.spearman_interval(0.6, 3) is None
    assert ranks.spearman_interval(1.0, 40) is None
