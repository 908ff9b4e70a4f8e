"""The bootstrap: its spread is theory's, its scores scikit-learn's, its intervals cover, its draws are the same."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import metrics as reference

from ft.core.metrics.agreement import BY_COUNTS
from ft.core.metrics.resampling import (
    Sampled,
    by_counts,
    by_order,
    drop,
    grouped,
    interval,
    mean_of,
    mean_over,
    of_means,
)


def answered(
    draw: np.random.Generator, count: int, classes: int = 3, right: float = 0.7
) -> tuple[np.ndarray, np.ndarray]:
    """True classes (N,) and chosen ones, right in that share of the cases."""
    targets = draw.integers(0, classes, count)
    return targets, np.where(draw.random(count) < right, targets, draw.integers(0, classes, count))


def drawn(draw: np.random.Generator, count: int) -> np.ndarray:
    return np.bincount(draw.integers(0, count, count), minlength=count)


def alone(count: int) -> np.ndarray:
    return np.ones(count, dtype=np.int64)


@pytest.mark.parametrize("metric", BY_COUNTS)
def test_scores_of_drawn_examples_are_scikit_learns(metric: str) -> None:
    draw = np.random.default_rng(1)
    targets, answers = answered(draw, 60)
    weights = np.stack([drawn(draw, 60) for _ in range(5)])
    found = by_counts(metric, targets, answers, 4)(weights.astype(np.float32))
    average = "weighted" if metric.endswith("_weighted") else "macro"
    judge = {
        "precision": lambda t, a: reference.precision_score(t, a, average=average, zero_division=0),
        "recall": lambda t, a: reference.recall_score(t, a, average=average, zero_division=0),
        "f1": lambda t, a: reference.f1_score(t, a, average=average, zero_division=0),
        "balanced_accuracy": reference.balanced_accuracy_score,
        "kappa": reference.cohen_kappa_score,
        "mcc": reference.matthews_corrcoef,
    }[metric.removesuffix("_weighted")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [judge(np.repeat(targets, row), np.repeat(answers, row)) for row in weights]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", ["auroc", "average_precision"])
def test_areas_of_drawn_examples_are_scikit_learns(metric: str) -> None:
    draw = np.random.default_rng(2)
    scores, positive = draw.normal(size=50).round(1), draw.random(50) < 0.3  # with ties
    weights = np.stack([drawn(draw, 50) for _ in range(5)])
    judge = reference.roc_auc_score if metric == "auroc" else reference.average_precision_score
    expected = [judge(np.repeat(positive, row), np.repeat(scores, row)) for row in weights]
    assert by_order(metric, scores, positive)(weights.astype(np.float32)) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(by_order(metric, scores, np.zeros(50, bool))(weights.astype(np.float32))).all()


def test_the_mean_over_classes_passes_over_those_that_were_not_drawn() -> None:
    weights = np.array([[1, 1], [0, 2]], np.float32)
    first = of_means(np.array([[1.0], [0.0]]), lambda means: np.where(means[:, 0] > 0, means[:, 0], np.nan))
    assert mean_over([first, mean_of(np.array([0.0, 1.0]))])(weights).tolist() == [0.5, 1.0]


def test_the_interval_of_a_mean_is_theorys_and_the_same_every_time() -> None:
    values = np.random.default_rng(0).exponential(size=2_000)
    sampled = Sampled(mean_of(values), alone(2_000))
    ends, half = interval(sampled), 1.96 * values.std() / np.sqrt(2_000)
    assert ends == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)
    assert interval(sampled) == ends


def test_groups_of_like_examples_give_the_interval_of_the_examples() -> None:
    targets, answers = answered(np.random.default_rng(3), 500)
    (some_targets, some_answers), counts = grouped(targets, answers)
    assert counts.sum() == 500
    grouped_ends = interval(Sampled(by_counts("f1", some_targets, some_answers, 3), counts))
    single_ends = interval(Sampled(by_counts("f1", targets, answers, 3), alone(500)))
    assert grouped_ends == pytest.approx(single_ends, abs=0.005)


@pytest.mark.parametrize("metric", ["f1", "mcc", "kappa", "balanced_accuracy"])
def test_intervals_cover_the_truth_as_often_as_they_say(metric: str) -> None:
    draw = np.random.default_rng(0)
    truth = float(by_counts(metric, *answered(draw, 2_000_000), 3)(np.ones((1, 2_000_000), np.float32))[0])
    inside = 0
    for _ in range(400):
        (targets, answers), counts = grouped(*answered(draw, 300))
        low, high = interval(Sampled(by_counts(metric, targets, answers, 3), counts)) or (1.0, 0.0)
        inside += low <= truth <= high
    assert 0.92 <= inside / 400 <= 0.98  # 0.95 within three standard errors


def test_a_perfect_score_and_a_single_example_have_no_interval() -> None:
    targets = np.array([0, 1, 2] * 20)
    assert interval(Sampled(by_counts("f1", targets, targets, 3), alone(60))) is None
    assert interval(Sampled(mean_of(np.array([0.3])), alone(1))) is None


def test_a_drop_of_a_score_is_told_from_chance() -> None:
    draw = np.random.default_rng(5)
    targets, before = answered(draw, 2_000, right=0.9)
    worse = np.where(draw.random(2_000) < 0.1, (before + 1) % 3, before)
    found = drop(*(by_counts("f1", targets, each, 3) for each in (before, worse)), alone(2_000), lower_is_better=False)
    macro = [reference.f1_score(targets, each, average="macro") for each in (before, worse)]
    assert found.value == pytest.approx(macro[0] - macro[1])
    assert found.interval[0] < found.value < found.interval[1]
    assert found.p < 0.001
    back = drop(*(by_counts("f1", targets, each, 3) for each in (worse, before)), alone(2_000), lower_is_better=False)
    assert back.value == pytest.approx(-found.value)
    assert back.p > 0.99


def test_equal_models_are_called_worse_in_about_one_case_of_twenty() -> None:
    draw, rejected = np.random.default_rng(0), 0
    for _ in range(400):
        targets = draw.integers(0, 3, 300)
        before, after = (np.where(draw.random(300) < 0.8, targets, draw.integers(0, 3, 300)) for _ in range(2))
        keys, counts = grouped(targets, before, after)
        pair = [by_counts("f1", keys[0], each, 3) for each in keys[1:]]
        rejected += drop(*pair, counts, lower_is_better=False).p < 0.05
    assert rejected / 400 <= 0.08  # 0.05 and three standard errors
