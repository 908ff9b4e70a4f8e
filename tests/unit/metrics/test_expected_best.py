"""The expected best of n draws, against all outcomes counted one by one."""

from __future__ import annotations

import itertools
from statistics import fmean

import pytest

from ft.core.metrics.expected_best import expected_best, expected_best_interval

SCORES = [0.7, 0.9, 0.7, 0.2, 0.85]


@pytest.mark.parametrize("draws", [1, 2, 3, 5])
def test_the_expectation_is_the_mean_over_all_equally_likely_draws(draws: int) -> None:
    outcomes = list(itertools.product(SCORES, repeat=draws))
    largest = expected_best(SCORES, draws, higher_is_better=True)
    assert largest == pytest.approx(fmean(map(max, outcomes)), abs=1e-12)
    smallest = expected_best(SCORES, draws, higher_is_better=False)
    assert smallest == pytest.approx(fmean(map(min, outcomes)), abs=1e-12)


def test_many_draws_reach_the_best_score_seen_and_never_more() -> None:
    assert expected_best(SCORES, 10_000, higher_is_better=True) == pytest.approx(0.9)
    assert expected_best(SCORES, 10_000, higher_is_better=False) == pytest.approx(0.2)


def test_the_interval_holds_the_expectation_and_shrinks_with_more_scores() -> None:
    few = expected_best_interval(SCORES, 3, higher_is_better=True)
    many = expected_best_interval(SCORES * 20, 3, higher_is_better=True)
    assert few[0] <= expected_best(SCORES, 3, higher_is_better=True) <= few[1]
    assert many[1] - many[0] < (few[1] - few[0]) / 2
    assert expected_best_interval([0.5], 3, higher_is_better=True) == (0.5, 0.5)


@pytest.mark.parametrize(("scores", "draws"), [([], 1), ([0.5], 0), ([float("nan")], 1)])
def test_what_has_no_expectation_is_refused(scores: list[float], draws: int) -> None:
    with pytest.raises(ValueError, match="finite scores"):
        expected_best(scores, draws, higher_is_better=True)
