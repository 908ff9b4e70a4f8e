"""The arithmetic of robustness, by hand and by resampling: means of means, paired intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ft.core.metrics.robustness import Pass, by_example, mean_scores, robustness_of

COUNT = 400


def right(share: float, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(COUNT) < share).astype(np.float32)


def accuracy_pass(name: str, severity: int, values: np.ndarray) -> Pass:
    return Pass(name, severity, {"accuracy": float(values.mean()), "f1": 0.5}, {"accuracy": values})


def test_corruptions_count_alike_however_many_severities_they_have() -> None:
    clean = right(0.9, 0)
    passes = [
        accuracy_pass(*each) for each in (("a", 1, right(0.8, 1)), ("a", 5, right(0.2, 2)), ("b", 3, right(0.6, 3)))
    ]
    one, five, three = (each.metrics["accuracy"] for each in passes)
    inputs = {"a": ("x",), "b": ("x", "y")}
    found = robustness_of(
        "accuracy", {"accuracy": float(clean.mean())}, {"accuracy": clean}, passes, inputs, lower_is_better=False
    )
    mean = ((one + five) / 2 + three) / 2
    assert found.value == pytest.approx(mean)
    assert found.relative == pytest.approx(mean / clean.mean())
    assert found.drop == pytest.approx(clean.mean() - mean)
    assert [row.corruption for row in found.corruptions] == ["a", "b"]
    assert found.corruptions[0].value == pytest.approx((one + five) / 2)
    assert found.corruptions[0].severities[1].drop == pytest.approx(clean.mean() - five)
    assert found.corruptions[1].inputs == ("x", "y")
    means, intervals = mean_scores(passes)
    assert means == {"accuracy": pytest.approx(mean), "f1": 0.5}
    assert set(intervals) == {"accuracy"}
    assert intervals["accuracy"][0] < mean < intervals["accuracy"][1]


def test_the_interval_of_the_mean_is_that_of_each_examples_mean() -> None:
    clean, first, second = right(0.9, 0), right(0.7, 1), right(0.4, 2)
    passes = [accuracy_pass("a", 1, first), accuracy_pass("b", 1, second)]
    found = robustness_of(
        "accuracy",
        {"accuracy": float(clean.mean())},
        {"accuracy": clean},
        passes,
        dict.fromkeys("ab", ()),
        lower_is_better=False,
    )
    difference = clean - (first + second) / 2
    expected = stats.bootstrap(
        (difference,), np.mean, n_resamples=9_999, rng=np.random.default_rng(1), method="percentile"
    )
    assert found.drop_interval == pytest.approx(tuple(expected.confidence_interval), abs=0.004)


def test_the_interval_of_a_root_agrees_with_resampling_pairs() -> None:
    draw = np.random.default_rng(0)
    error = draw.normal(size=COUNT)
    clean, noisy = error**2, (error + draw.normal(size=COUNT)) ** 2
    each = Pass("a", 1, {"rmse": math.sqrt(noisy.mean())}, {"mse": noisy.astype(np.float32)})
    found = robustness_of(
        "rmse",
        {"rmse": math.sqrt(clean.mean())},
        {"mse": clean.astype(np.float32)},
        [each],
        {"a": ()},
        lower_is_better=True,
    )
    assert found.drop == pytest.approx(math.sqrt(noisy.mean()) - math.sqrt(clean.mean()))
    rows = draw.integers(0, COUNT, (9_999, COUNT))
    drops = np.sqrt(noisy[rows].mean(1)) - np.sqrt(clean[rows].mean(1))
    assert found.drop_interval == pytest.approx(tuple(np.quantile(drops, [0.025, 0.975])), abs=0.02)
    values = by_example("y/rmse", {"y/mse": noisy.astype(np.float32)})
    assert values is not None
    assert float(values.mean()) == pytest.approx(math.sqrt(noisy.mean()), rel=1e-5)


def test_a_metric_that_is_no_mean_has_drops_and_no_interval() -> None:
    passes = [accuracy_pass("a", 1, right(0.5, 1))]
    found = robustness_of("f1", {"f1": 0.75}, {"accuracy": right(0.9, 0)}, passes, {"a": ()}, lower_is_better=False)
    assert (found.drop, found.drop_interval, found.corruptions[0].interval) == (0.25, None, None)


def test_answers_that_are_no_numbers_make_the_mean_none_too() -> None:
    broken = Pass("a", 5, {"mae": math.nan}, {"mae": np.full(COUNT, np.nan, np.float32)})
    fine = Pass("a", 1, {"mae": 1.0}, {"mae": np.ones(COUNT, np.float32)})
    found = robustness_of(
        "mae", {"mae": 0.5}, {"mae": np.full(COUNT, 0.5, np.float32)}, [fine, broken], {"a": ()}, lower_is_better=True
    )
    assert found.corruptions[0].severities[0].drop == 0.5
    assert math.isnan(found.value)
    assert found.drop_interval is None
    means, intervals = mean_scores([fine, broken])
    assert math.isnan(means["mae"])
    assert not intervals


def test_a_model_that_is_always_wrong_has_no_relative_score() -> None:
    nothing = np.zeros(COUNT, np.float32)
    found = robustness_of(
        "accuracy",
        {"accuracy": 0.0},
        {"accuracy": nothing},
        [accuracy_pass("a", 1, nothing)],
        {"a": ()},
        lower_is_better=False,
    )
    assert math.isnan(found.relative)
    assert found.drop == 0
