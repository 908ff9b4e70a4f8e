"""Scores that are reported when asked for, against scikit-learn and the formulas written out in float64."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference
from strict_device import Strict
from torch import Tensor

from ft.core.metrics.calibration import BINS
from ft.core.metrics.classification import MORE, CategoryScores


def scored(logits: Tensor, targets: Tensor, batch: int = 1000) -> dict[str, float]:
    sums = CategoryScores([str(index) for index in range(logits.shape[1])], (), more=MORE)
    for some, of_them in zip(logits.split(batch), targets.split(batch), strict=True):
        sums.update(some, of_them)
    return {name: sums.compute().metrics[name] for name in MORE}


def answers(classes: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Logits (N, K) that are often right, and targets (N,)."""
    random = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, classes, (count,), generator=random)
    logits = 2 * torch.randn(count, classes, generator=random)
    return logits + 1.5 * torch.nn.functional.one_hot(targets, classes), targets


@given(classes=st.integers(2, 7), count=st.integers(1, 80), seed=st.integers(0, 2**32), batch=st.integers(1, 80))
def test_agreement_is_scikit_learns(classes: int, count: int, seed: int, batch: int) -> None:
    logits, targets = answers(classes, count, seed)
    found = scored(logits, targets, batch)
    truth, chosen = targets.numpy(), logits.argmax(1).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of samples with one class
        assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(truth, chosen))
        assert found["mcc"] == pytest.approx(reference.matthews_corrcoef(truth, chosen), abs=1e-12)
        kappa = reference.cohen_kappa_score(truth, chosen)
    assert found["kappa"] == pytest.approx(kappa, abs=1e-12, nan_ok=True)


@given(classes=st.integers(2, 7), count=st.integers(1, 80), seed=st.integers(0, 2**32), batch=st.integers(1, 80))
def test_calibration_is_that_of_the_formulas(classes: int, count: int, seed: int, batch: int) -> None:
    logits, targets = answers(classes, count, seed)
    found = scored(logits, targets, batch)
    shares = logits.double().softmax(1).numpy()
    truth = np.eye(classes)[targets.numpy()]
    brier = ((shares - truth) ** 2).sum(1).mean() / (2 if classes == 2 else 1)
    assert found["brier"] == pytest.approx(brier, abs=1e-6)
    if classes == 2:
        assert found["brier"] == pytest.approx(reference.brier_score_loss(targets.numpy(), shares[:, 1]), abs=1e-6)
    confidence, right = shares.max(1), shares.argmax(1) == targets.numpy()
    error = 0.0
    for place in range(BINS):
        inside = (confidence > place / BINS) & (confidence <= (place + 1) / BINS)
        error += abs(right[inside].sum() - confidence[inside].sum())
    assert found["ece"] == pytest.approx(error / count, abs=1e-5)


def test_a_model_that_is_sure_and_right_is_perfect_and_one_that_is_sure_and_wrong_is_not() -> None:
    targets = torch.tensor([0, 1, 2, 1])
    sure = 1e4 * torch.nn.functional.one_hot(targets, 3)
    assert list(scored(sure, targets).values()) == [1.0, 1.0, 1.0, 0.0, 0.0]
    wrong = scored(sure, (targets + 1) % 3)
    assert (wrong["brier"], wrong["ece"], wrong["balanced_accuracy"]) == (2.0, 1.0, 0.0)


def test_answers_that_always_name_one_class_agree_by_chance_alone() -> None:
    logits, targets = torch.tensor([[1.0, 0.0]]).repeat(6, 1), torch.tensor([0, 0, 0, 1, 1, 0])
    found = scored(logits, targets)
    assert (found["kappa"], found["mcc"], found["balanced_accuracy"]) == (0.0, 0.0, 0.5)


def test_what_was_not_measured_or_is_no_number_is_nan() -> None:
    assert all(math.isnan(value) for value in scored(torch.empty(0, 3), torch.empty(0, dtype=torch.int64)).values())
    logits, targets = answers(3, 20, 0)
    logits[4, 1] = math.nan
    found = scored(logits, targets)
    assert math.isnan(found["brier"])
    assert math.isnan(found["ece"])
    assert found["balanced_accuracy"] <= 1
    everything_one = scored(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    assert math.isnan(everything_one["kappa"])


def test_nothing_waits_for_the_device() -> None:
    logits, targets = answers(4, 16, 1)
    sums = CategoryScores(list("abcd"), (), more=MORE)
    with Strict():
        sums.update(logits, targets)
