"""Several seeds: scipy's intervals and tests, and a coverage that is the one promised."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from ft.core.metrics.student import above_zero, spread, t_quantile, two_sided, welch

scores = st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=12)
freedoms = st.one_of(st.integers(1, 40).map(float), st.floats(1, 500))


@given(t=st.floats(-300, 300), freedom=freedoms)
def test_the_distribution_is_students(t: float, freedom: float) -> None:
    assert two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-9)


@pytest.mark.parametrize("p", [0.6, 0.9, 0.975, 0.995, 0.9999])
@pytest.mark.parametrize("freedom", [1, 1.5, 2, 3, 4, 9, 29.3, 1000])
def test_its_quantiles_are_scipys(p: float, freedom: float) -> None:
    assert t_quantile(p, freedom) == pytest.approx(stats.t.ppf(p, freedom), rel=1e-9)


@given(values=scores)
def test_the_interval_of_a_mean_is_scipys(values: list[float]) -> None:
    exact = np.array(values, np.float64)
    found = spread(values)
    assert found.values == tuple(values)
    assert found.mean == pytest.approx(exact.mean(), abs=1e-9)
    assert found.sd == pytest.approx(exact.std(ddof=1), rel=1e-9, abs=1e-9)
    assert (found.min, found.max) == (exact.min(), exact.max())
    assume(exact.std() > 1e-6)
    theirs = stats.t.interval(0.95, len(values) - 1, exact.mean(), stats.sem(exact))
    assert found.interval == pytest.approx(theirs, rel=1e-7, abs=1e-7)


def test_one_value_has_no_spread_and_what_is_no_number_has_no_mean() -> None:
    one = spread([0.5])
    assert (one.mean, one.sd, one.interval) == (0.5, None, None)
    assert spread([0.5, 0.5]).interval is None  # no width would claim certainty
    for broken in ([0.5, math.nan], [0.5, math.inf]):
        found = spread(broken)
        assert math.isnan(found.mean)
        assert found.values[0] == 0.5


@given(first=scores, second=scores)
def test_two_groups_are_compared_by_welchs_test(first: list[float], second: list[float]) -> None:
    assume(min(np.std(first), np.std(second)) > 1e-3)
    found = welch(first, second)
    assert found is not None
    theirs = stats.ttest_ind(first, second, equal_var=False)
    assert found.value == pytest.approx(np.mean(first) - np.mean(second), abs=1e-9)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-6)
    low, high = theirs.confidence_interval(0.95)
    assert found.interval == pytest.approx((low, high), rel=1e-6, abs=1e-9)


def test_groups_that_never_vary_differ_surely_or_not_at_all() -> None:
    same, other = welch([1.0, 1.0], [1.0, 1.0, 1.0]), welch([1.0, 1.0], [2.0, 2.0])
    assert same is not None
    assert other is not None
    assert (same.value, same.p) == (0.0, 1.0)
    assert (other.value, other.interval, other.p) == (-1.0, (-1.0, -1.0), 0.0)


@pytest.mark.parametrize("first", [[], [0.5], [0.5, math.nan]])
def test_too_few_or_broken_values_cannot_be_compared(first: list[float]) -> None:
    assert welch(first, [0.1, 0.2, 0.3]) is None
    assert welch([0.1, 0.2, 0.3], first) is None


@given(values=scores)
def test_a_mean_above_zero_is_tested_as_scipy_does(values: list[float]) -> None:
    assume(np.std(values) > 1e-3)
    exact = stats.ttest_1samp(values, 0, alternative="greater").pvalue
    assert above_zero(values) == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_a_mean_above_zero_is_sure_or_excluded_where_nothing_varies() -> None:
    assert above_zero([0.1, 0.1]) == 0.0
    assert above_zero([0.0, 0.0]) == above_zero([-0.1, -0.1]) == 1.0
    assert math.isnan(above_zero([0.1]))


def accuracies(draw: np.random.Generator, seeds: int) -> Sequence[float]:
    """As seeds give them: a training that varies, judged on 2,000 examples."""
    share = np.clip(draw.normal(0.95, 0.004, seeds), 0, 1)
    return [float(each) for each in draw.binomial(2_000, share) / 2_000]


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds: int) -> None:
    draw = np.random.default_rng(0)
    told = [spread(accuracies(draw, seeds)).interval for _ in range(4_000)]
    intervals = [each for each in told if each is not None]  # seeds that all agree have none
    assert len(intervals) > 3_900
    inside = sum(low <= 0.95 <= high for low, high in intervals)
    assert 0.93 <= inside / len(intervals) <= 0.97


def test_equal_settings_are_told_apart_in_one_case_of_twenty_also_where_one_scatters_more() -> None:
    draw = np.random.default_rng(0)
    inside = rejected = 0
    for _ in range(4_000):
        found = welch(draw.normal(0.9, 0.01, 5).tolist(), draw.normal(0.9, 0.002, 8).tolist())
        assert found is not None
        inside += found.interval[0] <= 0 <= found.interval[1]
        rejected += found.p < 0.05
    assert 0.93 <= inside / 4_000 <= 0.97
    assert rejected / 4_000 <= 0.06


def test_a_gain_of_three_spreads_is_found_with_five_seeds() -> None:
    draw = np.random.default_rng(0)
    found = [welch(draw.normal(0.91, 0.003, 5).tolist(), draw.normal(0.901, 0.003, 5).tolist()) for _ in range(400)]
    assert sum(each is not None and each.p < 0.05 and each.value > 0 for each in found) / 400 >= 0.9
