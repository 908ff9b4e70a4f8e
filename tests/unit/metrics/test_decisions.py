"""Temperatures against scipy's minimiser, thresholds against trying every one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn import metrics as reference

from ft.core.metrics.decisions import COLDEST, best_threshold, temperature_of_classes, temperature_of_labels


def test_the_temperature_of_classes_is_that_of_least_cross_entropy() -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(500, 4))
    targets = np.array([draw.choice(4, p=np.exp(row)) for row in log_softmax(logits, axis=1)])
    sure = 3 * logits  # three times as sure as is right

    def cost(t: float) -> float:
        return -float(log_softmax(sure / t, axis=1)[np.arange(500), targets].mean())

    found = temperature_of_classes(sure, targets)
    assert found == pytest.approx(minimize_scalar(cost, bounds=(0.1, 10), method="bounded").x, abs=1e-3)
    assert found == pytest.approx(3, rel=0.2)


def test_the_temperature_of_labels_is_that_of_least_cross_entropy() -> None:
    draw = np.random.default_rng(1)
    logits = draw.normal(size=(300, 3))
    targets = draw.random((300, 3)) < 1 / (1 + np.exp(-logits))

    def cost(t: float) -> float:
        scores = logits / (2 * t)
        return float((np.logaddexp(0, scores) - targets * scores).mean())

    expected = minimize_scalar(cost, bounds=(0.05, 10), method="bounded").x
    assert temperature_of_labels(logits / 2, targets) == pytest.approx(expected, abs=1e-3)


def test_a_split_that_is_told_apart_perfectly_has_the_coldest_temperature() -> None:
    assert temperature_of_classes(np.eye(3), np.arange(3)) == pytest.approx(COLDEST)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=40),
    aim=st.sampled_from(["f1", "balanced_accuracy", ("sensitivity", 0.8), ("specificity", 0.7)]),
)
def test_no_threshold_is_better_than_the_one_that_is_chosen(pairs: list[tuple[int, bool]], aim: object) -> None:
    shares, positive = np.array([share / 20 for share, _ in pairs]), np.array([yes for _, yes in pairs])
    found = best_threshold(shares, positive, aim)  # type: ignore[arg-type]
    if positive.all() or not positive.any():
        assert found == 0.5
        return

    def worth(cut: float) -> float:
        yes = (shares >= cut) & (cut < 1)
        sensitivity = (yes & positive).sum() / positive.sum()
        specificity = (~yes & ~positive).sum() / (~positive).sum()
        if aim == "f1":
            return float(reference.f1_score(positive, yes, zero_division=0))
        if aim == "balanced_accuracy":
            return float(sensitivity + specificity)
        one, other = (sensitivity, specificity) if aim[0] == "sensitivity" else (specificity, sensitivity)  # type: ignore[index]
        return float(other) if one >= aim[1] else -1.0  # type: ignore[index]

    assert worth(found) == pytest.approx(max(map(worth, [*np.unique(shares) - 1e-9, 1.01])))
