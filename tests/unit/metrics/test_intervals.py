"""Intervals against scipy, at the ends too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ft.core.metrics.intervals import Z95, mean_interval, wilson


@given(n=st.integers(1, 100_000), share=st.floats(0, 1))
def test_wilson_equals_scipys(n: int, share: float) -> None:
    successes = round(share * n)
    want = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson(successes, n) == pytest.approx((want.low, want.high), abs=1e-12)


@pytest.mark.parametrize("n", [1, 3, 10_000])
def test_wilson_ends_exactly_at_none_and_all(n: int) -> None:
    assert wilson(0, n)[0] == 0.0
    assert wilson(n, n)[1] == 1.0


def test_nothing_tried_leaves_everything_possible() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_factor_is_the_normal_distributions() -> None:
    assert pytest.approx(stats.norm.ppf(0.975), abs=1e-15) == Z95


def test_the_mean_interval_holds_the_true_mean_in_about_95_of_100_samples() -> None:
    samples = np.abs(np.random.default_rng(0).normal(size=(2000, 200)))
    found = [mean_interval(float(row.sum()), float((row**2).sum()), row.size) for row in samples]
    held = np.mean([low <= np.sqrt(2 / np.pi) <= high for low, high in found])
    assert 0.93 < held < 0.97


def test_the_mean_interval_of_equal_values_is_a_point_and_never_negative() -> None:
    assert mean_interval(3.0, 3.0, 3) == (1.0, 1.0)
    assert mean_interval(10.0, 100.0, 10)[0] == 0.0
