"""The paired comparison of two models: scipy's test, intervals that cover, errors as rare as promised."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ft.core.metrics.comparison import MANY, compare, mcnemar


@given(worse=st.integers(0, 300), better=st.integers(0, 300))
def test_the_test_of_right_and_wrong_answers_is_the_exact_one(worse: int, better: int) -> None:
    if worse + better:
        exact = stats.binomtest(worse, worse + better, 0.5, alternative="greater").pvalue
        assert mcnemar(worse, better) == pytest.approx(exact, rel=1e-9, abs=1e-300)


def test_models_that_answer_alike_have_no_drop() -> None:
    answers = np.array([1, 0, 1, 1], np.float32)
    drop = compare(answers, answers, lower_is_better=False)
    assert (drop.value, drop.p) == (0.0, 1.0)
    assert drop.interval[0] < 0 < drop.interval[1]
    errors = np.array([0.5, 2.0, 1.0], np.float32)
    same = compare(errors, errors, lower_is_better=True)
    assert (same.value, same.interval, same.p) == (0.0, (0.0, 0.0), 1.0)


def test_the_drop_is_the_difference_of_the_means_in_the_direction_that_is_worse() -> None:
    before, after = np.array([1, 1, 0, 1], np.float32), np.array([0, 1, 1, 0], np.float32)
    assert compare(before, after, lower_is_better=False).value == 0.25
    assert compare(after, before, lower_is_better=False).value == -0.25
    low, high = np.array([1.0, 2.0], np.float32), np.array([3.0, 3.0], np.float32)
    assert compare(low, high, lower_is_better=True).value == 1.5


@pytest.mark.parametrize("count", [400, MANY + 1])
def test_a_mean_of_errors_has_the_interval_and_the_p_of_the_paired_t_test(count: int) -> None:
    draw = np.random.default_rng(1)
    before = draw.exponential(1, count).astype(np.float32)
    after = (before + draw.normal(2 / math.sqrt(count), 1, count)).astype(np.float32)
    drop = compare(before, after, lower_is_better=True)
    theory = stats.ttest_rel(after.astype(float), before.astype(float), alternative="greater")
    spread = (after.astype(float) - before).std(ddof=1) / math.sqrt(count)
    assert drop.p == pytest.approx(theory.pvalue, abs=0.01)
    assert drop.interval == pytest.approx((drop.value - 1.96 * spread, drop.value + 1.96 * spread), abs=0.1 * spread)
    assert compare(before, after, lower_is_better=True) == drop  # the same draws every time


def changed(draw: np.random.Generator, count: int, worse: float, better: float) -> tuple[np.ndarray, np.ndarray]:
    """Right answers of two models, of which the second spoils and mends these shares."""
    kinds = draw.choice(4, count, p=[worse, better, 0.85 - worse, 0.15 - better])
    return np.isin(kinds, (0, 2)).astype(np.float32), np.isin(kinds, (1, 2)).astype(np.float32)


def test_intervals_of_a_drop_cover_the_truth_as_often_as_they_say() -> None:
    draw = np.random.default_rng(0)
    inside = 0
    for _ in range(2_000):
        low, high = compare(*changed(draw, 300, 0.06, 0.04), lower_is_better=False).interval
        inside += low <= 0.02 <= high
    assert 0.93 <= inside / 2_000 <= 0.97


def test_equal_models_are_called_worse_in_at_most_one_case_of_twenty() -> None:
    draw = np.random.default_rng(0)
    rejected = sum(compare(*changed(draw, 500, 0.05, 0.05), lower_is_better=False).p < 0.05 for _ in range(2_000))
    assert rejected / 2_000 <= 0.05


def test_a_drop_of_one_point_is_found_among_ten_thousand_examples() -> None:
    draw = np.random.default_rng(0)
    found = sum(compare(*changed(draw, 10_000, 0.055, 0.045), lower_is_better=False).p < 0.05 for _ in range(200))
    assert found / 200 >= 0.8


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [1.0, math.inf]])
def test_what_cannot_be_compared_is_nan(values: list[float]) -> None:
    answers = np.array(values, np.float32)
    drop = compare(np.ones_like(answers), answers, lower_is_better=False)
    assert math.isnan(drop.value)
    assert math.isnan(drop.p)
