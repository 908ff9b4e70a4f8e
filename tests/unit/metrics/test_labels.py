"""Label scores against scikit-learn on indicator matrices, and what they do with NaN, rare labels and many of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit
from sklearn import metrics as reference
from torch import Tensor

from ft.core.metrics.labels import BY_ORDER_LIMIT, LabelScores, by_order_metrics, metric_names
from ft.core.metrics.scores import Scores


def answers(count: int, labels: int, seed: int) -> tuple[Tensor, Tensor]:
    """Logits (N, K) on a coarse grid and targets uint8 (N, K); every label is given to some and not to others."""
    random = torch.Generator().manual_seed(seed)
    targets = (torch.rand(count, labels, generator=random) < 0.3).to(torch.uint8)
    targets[0], targets[1] = 1, 0
    return (torch.randn(count, labels, generator=random) + targets.float()).mul(4).round() / 4, targets


def scored(logits: Tensor, targets: Tensor, threshold: float = 0.5, batch: int = 1000) -> Scores:
    sums = LabelScores([f"label {index}" for index in range(logits.shape[1])], threshold)
    for some, of_them in zip(logits.split(batch), targets.split(batch), strict=True):
        sums.update(some, of_them)
    return sums.compute()


def expected(truth: np.ndarray, chosen: np.ndarray, shares: np.ndarray) -> dict[str, float]:
    options = {"average": "macro", "zero_division": 0}
    return {
        "exact_match": reference.accuracy_score(truth, chosen),
        "hamming_accuracy": 1 - reference.hamming_loss(truth, chosen),
        "precision": reference.precision_score(truth, chosen, **options),
        "recall": reference.recall_score(truth, chosen, **options),
        "f1": reference.f1_score(truth, chosen, **options),
        "f1_micro": reference.f1_score(truth, chosen, average="micro", zero_division=0),
        "auroc": reference.roc_auc_score(truth, shares, average="macro"),
        "average_precision": reference.average_precision_score(truth, shares, average="macro"),
    }


@given(
    count=st.integers(2, 60),
    labels=st.integers(2, 6),
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 60),
    threshold=st.sampled_from([0.3, 0.5, 0.7]),
)
def test_metrics_equal_those_of_scikit_learn(count: int, labels: int, seed: int, batch: int, threshold: float) -> None:
    logits, targets = answers(count, labels, seed)
    shares = expit(logits.double().numpy())
    scores = scored(logits, targets, threshold, batch)
    assert scores.metrics == pytest.approx(expected(targets.numpy(), shares >= threshold, shares), abs=1e-9)
    assert list(scores.metrics) == metric_names(("auroc", "average_precision"))
    assert scores.count == count


def test_each_label_has_scikit_learns_row() -> None:
    logits, targets = answers(50, 4, seed=1)
    scores = scored(logits, targets, batch=7)
    columns = reference.precision_recall_fscore_support(targets, logits >= 0, zero_division=0)
    assert scores.per_class is not None
    for row, *want in zip(scores.per_class, *columns, strict=True):
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx(want, abs=1e-12)
    assert (scores.confusion, scores.classes) == (None, None)


def test_a_label_that_none_has_counts_zero_in_f1_and_not_at_all_in_the_areas() -> None:
    logits, targets = answers(50, 3, seed=2)
    targets[:, 1] = 0
    scores = scored(logits, targets)
    rest = [0, 2]
    want = reference.roc_auc_score(targets[:, rest], logits[:, rest], average="macro")
    assert scores.metrics["auroc"] == pytest.approx(want)
    assert scores.metrics["f1"] == pytest.approx(
        reference.f1_score(targets, logits >= 0, average="macro", zero_division=0)
    )
    assert scores.notes[1].startswith("auroc and average_precision: mean over 2 of 3 labels")


def test_intervals_are_of_examples_and_not_of_single_decisions() -> None:
    logits, targets = answers(200, 5, seed=3)
    scores = scored(logits, targets, batch=33)
    right = ((logits >= 0) == targets.bool()).double().numpy()
    exact = int(right.all(1).sum())
    shares = right.mean(1)
    assert scores.intervals["exact_match"] == pytest.approx(
        stats.binomtest(exact, 200).proportion_ci(method="wilson"), abs=1e-12
    )
    want = stats.norm.interval(0.95, shares.mean(), stats.sem(shares))
    assert scores.intervals["hamming_accuracy"] == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_answer_that_is_not_finite_is_wrong_and_counted(bad: float) -> None:
    logits, targets = torch.tensor([[bad, -1.0], [1.0, -1.0]]), torch.tensor([[0, 0], [1, 0]])
    scores = scored(logits, targets)
    assert scores.nonfinite == 1
    assert scores.metrics["exact_match"] == 0.5
    assert scores.metrics["hamming_accuracy"] == 0.75
    assert math.isnan(scores.metrics["auroc"])


def test_without_examples_every_metric_is_nan() -> None:
    scores = LabelScores(["a", "b"]).compute()
    assert all(math.isnan(value) for value in scores.metrics.values())
    assert scores.count == 0


def test_above_a_hundred_labels_nothing_is_kept_unless_asked() -> None:
    many = BY_ORDER_LIMIT + 1
    sums = LabelScores([str(index) for index in range(many)])
    sums.update(torch.zeros(2, many), torch.ones(2, many))
    assert "logits" not in sums.state_dict()
    assert "auroc" not in sums.compute().metrics
    assert by_order_metrics(many, ["auroc", "f1"]) == ("auroc",)
