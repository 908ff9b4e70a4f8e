"""Number scores against scikit-learn in float64, and what they do with large offsets, constants, NaN and 16 bits."""

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

from ft.core.metrics.regression import METRICS, NumberScores
from ft.core.metrics.scores import Scores


def scored(predictions: Tensor, targets: Tensor, batch: int = 1000) -> Scores:
    sums = NumberScores()
    for some, of_them in zip(predictions.split(batch), targets.split(batch), strict=True):
        sums.update(some, of_them)
    return sums.compute()


def random_numbers(count: int, seed: int, offset: float = 0.0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    targets = offset + 3 * torch.randn(count, generator=random)
    return targets + torch.randn(count, generator=random), targets


def expected(predictions: Tensor, targets: Tensor) -> dict[str, float]:
    answers, truth = predictions.double().numpy(), targets.double().numpy()
    return {
        "mae": reference.mean_absolute_error(truth, answers),
        "mse": reference.mean_squared_error(truth, answers),
        "rmse": reference.root_mean_squared_error(truth, answers),
        "r2": reference.r2_score(truth, answers),
        "spearman": stats.spearmanr(truth, answers).statistic,
    }


@given(
    count=st.integers(2, 80),
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 80),
    offset=st.sampled_from([0.0, -50.0, 1e4, 1e6]),
)
def test_metrics_equal_those_of_scikit_learn(count: int, seed: int, batch: int, offset: float) -> None:
    predictions, targets = random_numbers(count, seed, offset)
    scores = scored(predictions, targets, batch)
    assert scores.metrics == pytest.approx(expected(predictions, targets), rel=1e-9, abs=1e-12)
    assert tuple(scores.metrics) == METRICS
    assert scores.count == count


def test_a_small_spread_around_a_huge_mean_does_not_cancel() -> None:
    targets = 1e9 + torch.arange(1000, dtype=torch.float64) / 1000
    predictions = targets + 0.1
    spread = float(((targets - 1e9) - (targets - 1e9).mean()).square().sum())
    assert scored(predictions, targets, batch=7).metrics["r2"] == pytest.approx(1 - 1000 * 0.01 / spread, rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 0.1, 12345.678])
def test_r2_of_constant_targets_is_nan_however_good_the_answers(value: float) -> None:
    targets = torch.full((50,), value)
    assert math.isnan(scored(targets, targets, batch=8).metrics["r2"])
    assert math.isnan(scored(targets + 1, targets, batch=8).metrics["r2"])
    assert scored(targets + 1, targets, batch=8).metrics["mae"] == pytest.approx(1, rel=1e-3)


def test_one_nan_makes_the_errors_nan_and_is_counted() -> None:
    predictions, targets = random_numbers(20, seed=1)
    predictions[3] = math.nan
    scores = scored(predictions, targets, batch=6)
    assert all(math.isnan(value) for value in scores.metrics.values())
    assert scores.nonfinite == 1
    assert scores.intervals == {}


def test_a_constant_answer_has_no_rank_correlation() -> None:
    _, targets = random_numbers(20, seed=2)
    assert math.isnan(scored(torch.ones(20), targets).metrics["spearman"])
    assert math.isnan(scored(targets, torch.ones(20)).metrics["spearman"])


def test_an_infinite_answer_is_not_left_out() -> None:
    predictions, targets = random_numbers(20, seed=2)
    predictions[3] = math.inf
    scores = scored(predictions, targets)
    assert scores.metrics["mae"] == math.inf
    assert scores.metrics["spearman"] > 0.5  # infinity has a place in the order
    assert scores.metrics["r2"] == -math.inf
    assert scores.nonfinite == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_predictions_of_any_float_type_are_summed_wide(dtype: torch.dtype) -> None:
    predictions, targets = random_numbers(500, seed=3)
    narrow = predictions.to(dtype)
    assert scored(narrow, targets, batch=64).metrics == pytest.approx(expected(narrow, targets), rel=1e-9)


def test_intervals_of_the_mean_errors_are_the_normal_ones() -> None:
    predictions, targets = random_numbers(400, seed=4)
    scores = scored(predictions, targets, batch=33)
    error = (predictions.double() - targets.double()).numpy()
    for name, values in (("mae", np.abs(error)), ("mse", error**2)):
        want = stats.norm.interval(0.95, loc=values.mean(), scale=stats.sem(values))
        assert scores.intervals[name] == pytest.approx(want, rel=1e-9)
    assert scores.intervals["rmse"] == pytest.approx(np.sqrt(scores.intervals["mse"]), rel=1e-12)


def test_a_single_example_has_errors_and_neither_spread_nor_interval() -> None:
    scores = scored(torch.tensor([3.0]), torch.tensor([1.0]))
    assert (scores.metrics["mae"], scores.metrics["mse"], scores.intervals) == (2.0, 4.0, {})
    assert math.isnan(scores.metrics["r2"])


def test_without_examples_every_metric_is_nan() -> None:
    sums = NumberScores()
    sums.update(torch.zeros(0), torch.zeros(0))
    scores = sums.compute()
    assert all(math.isnan(value) for value in scores.metrics.values())
    assert scores.count == 0
