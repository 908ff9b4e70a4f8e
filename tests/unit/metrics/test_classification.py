"""Category scores against scikit-learn, and what they do with ties, NaN, 16 bits and nothing at all."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as reference
from strict_device import Strict
from torch import Tensor

from ft.core.metrics.classification import CONFUSION_LIMIT, CategoryScores, asked_top_k, metric_names
from ft.core.metrics.scores import Scores


def scored(
    predictions: Tensor, targets: Tensor, top_k: Sequence[int] | None = None, batch: int = 1000, **options: Any
) -> Scores:
    sums = CategoryScores([f"class {index}" for index in range(predictions.shape[1])], top_k, **options)
    for some, of_them in zip(predictions.split(batch), targets.split(batch), strict=True):
        sums.update(some, of_them)
    return sums.compute()


def random_answers(classes: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Logits (N, K) that are often right, and targets (N,) that need not hold every class."""
    random = torch.Generator().manual_seed(seed)
    occurring = torch.randint(1, classes + 1, (), generator=random).item()
    targets = torch.randint(0, int(occurring), (count,), generator=random)
    logits = torch.randn(count, classes, generator=random)
    return logits + 1.5 * torch.nn.functional.one_hot(targets, classes), targets


def expected(targets: np.ndarray, chosen: np.ndarray) -> dict[str, float]:
    values = {"accuracy": float(reference.accuracy_score(targets, chosen))}
    for average, suffix in (("macro", ""), ("weighted", "_weighted")):
        precision, recall, f1, _ = reference.precision_recall_fscore_support(
            targets, chosen, average=average, zero_division=0
        )
        values |= {f"precision{suffix}": precision, f"recall{suffix}": recall, f"f1{suffix}": f1}
    return values


@given(classes=st.integers(3, 12), count=st.integers(1, 60), seed=st.integers(0, 2**32), batch=st.integers(1, 60))
def test_metrics_equal_those_of_scikit_learn(classes: int, count: int, seed: int, batch: int) -> None:
    logits, targets = random_answers(classes, count, seed)
    scores = scored(logits, targets, top_k=(), batch=batch)
    assert scores.metrics == pytest.approx(expected(targets.numpy(), logits.argmax(1).numpy()), abs=1e-12)
    assert scores.count == count


@given(classes=st.integers(2, 8), count=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_each_class_and_the_confusion_matrix_equal_scikit_learns(classes: int, count: int, seed: int) -> None:
    logits, targets = random_answers(classes, count, seed)
    scores = scored(logits, targets, batch=7)
    labels, chosen = range(classes), logits.argmax(1)
    assert scores.confusion == reference.confusion_matrix(targets, chosen, labels=labels).tolist()
    assert scores.per_class is not None
    columns = reference.precision_recall_fscore_support(targets, chosen, labels=labels, zero_division=0)
    for row, *want in zip(scores.per_class, *columns, strict=True):
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("k", [2, 3, 5, 9])
def test_top_k_equals_scikit_learns(k: int) -> None:
    logits, targets = random_answers(10, 300, seed=k)
    want = reference.top_k_accuracy_score(targets, logits.numpy(), k=k, labels=range(10))
    assert scored(logits, targets, top_k=(k,)).metrics[f"top{k}"] == pytest.approx(want, abs=1e-12)


def test_top_5_is_reported_unasked_only_above_five_classes() -> None:
    for classes, reported in ((5, False), (6, True)):
        logits, targets = random_answers(classes, 20, seed=1)
        assert ("top5" in scored(logits, targets).metrics) == reported


def test_the_same_answer_for_every_class_is_not_right_by_accident() -> None:
    scores = scored(torch.zeros(8, 4), torch.arange(8) % 4, top_k=(2, 3))
    assert scores.metrics["accuracy"] == 0.25  # the class listed first
    assert scores.metrics["top2"] == 0.5
    assert scores.metrics["top3"] == 0.75


def test_the_interval_of_accuracy_is_wilsons() -> None:
    logits, targets = random_answers(7, 80, seed=3)
    scores = scored(logits, targets)
    for name in ("accuracy", "top5"):
        right = round(scores.metrics[name] * 80)
        assert scores.intervals[name] == pytest.approx(binomtest(right, 80).proportion_ci(method="wilson"), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_logits_of_any_float_type_are_judged_by_their_own_values(dtype: torch.dtype) -> None:
    logits, targets = random_answers(6, 200, seed=4)
    narrow = logits.to(dtype)
    want = expected(targets.numpy(), narrow.double().argmax(1).numpy())
    assert scored(narrow, targets, top_k=()).metrics == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_answer_that_is_not_finite_counts_as_wrong_and_is_reported(bad: float) -> None:
    targets = torch.tensor([0, 0, 1, 1])
    logits = torch.tensor([[2.0, 1.0], [bad, 1.0], [1.0, bad], [0.0, 3.0]])
    scores = scored(logits, targets)
    assert scores.nonfinite == 2
    assert scores.count == 4
    assert scores.metrics["accuracy"] == 0.5
    assert scores.confusion == [[1, 0], [0, 1]]
    assert scores.per_class is not None
    assert [row.recall for row in scores.per_class] == [0.5, 0.5]
    assert [row.support for row in scores.per_class] == [2, 2]


def test_only_nan_answers_score_zero_and_not_the_share_of_the_first_class() -> None:
    scores = scored(torch.full((6, 8), math.nan), torch.zeros(6, dtype=torch.int64))
    assert scores.metrics["accuracy"] == scores.metrics["top5"] == scores.metrics["f1"] == 0.0
    assert scores.nonfinite == 6


def test_a_class_ruled_out_by_minus_infinity_is_an_honest_answer() -> None:
    scores = scored(torch.tensor([[-math.inf, 1.0], [0.5, -math.inf]]), torch.tensor([1, 0]))
    assert scores.metrics["accuracy"] == 1.0
    assert scores.nonfinite == 0


def test_without_examples_every_metric_is_nan_and_the_interval_is_everything() -> None:
    scores = CategoryScores(["a", "b"]).compute()
    assert all(math.isnan(value) for value in scores.metrics.values())
    assert set(scores.intervals.values()) == {(0.0, 1.0)}
    assert scores.count == 0


def test_very_many_classes_are_scored_without_the_matrix() -> None:
    classes = CONFUSION_LIMIT + 1
    random = torch.Generator().manual_seed(5)
    targets = torch.randint(0, classes, (400,), generator=random)
    logits = torch.randn(400, classes, generator=random) + 4 * torch.nn.functional.one_hot(targets, classes)
    scores = scored(logits, targets, top_k=(), batch=150)
    assert scores.confusion is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "more classes than half the samples": that is the case here
        want = expected(targets.numpy(), logits.argmax(1).numpy())
    assert scores.metrics == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("classes", [10, CONFUSION_LIMIT + 1])
def test_an_update_uses_only_what_every_device_can_do_without_waiting(classes: int) -> None:
    logits, targets = random_answers(classes, 20, seed=7)
    sums = CategoryScores([str(index) for index in range(classes)])
    with Strict():
        sums.update(logits, targets)


def test_counts_stay_exact_beyond_what_int32_can_count() -> None:
    sums = CategoryScores(["a", "b"])
    sums.update(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    sums.load_state_dict(sums.state_dict() | {"confusion": sums.state_dict()["confusion"] * 2**31})
    sums.update(torch.tensor([[1.0, 0.0]]), torch.tensor([0]))
    assert sums.compute().count == 2**31 + 1


def test_the_names_said_beforehand_are_the_names_reported() -> None:
    logits, targets = random_answers(9, 20, seed=6)
    found = scored(logits, targets, top_k=(3, 5), by_order=["auroc"])
    assert list(found.metrics) == metric_names(9, (3, 5), ["auroc"])
    logits, targets = random_answers(2, 20, seed=6)
    assert list(scored(logits, targets).metrics) == metric_names(2, ())


def test_top_k_is_asked_for_by_its_name_and_only_where_it_says_something() -> None:
    asked = ["accuracy", "top3", "digit/top2", "top1", "top10", "top99", "stop4", "top03"]
    assert asked_top_k(asked, classes=10) == (2, 3)


# ---------------------------------------------------------------- two classes


def two_classes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Logits (N, 2) on a coarse grid, so that many tie, and targets with both classes."""
    random = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, 2, (count,), generator=random)
    targets[:2] = torch.tensor([0, 1])
    return (torch.randn(count, 2, generator=random) * 2).round() / 2 + torch.eye(2)[targets], targets


@given(count=st.integers(2, 60), seed=st.integers(0, 2**32), positive=st.integers(0, 1), batch=st.integers(1, 60))
def test_the_four_scores_of_two_classes_are_scikit_learns(count: int, seed: int, positive: int, batch: int) -> None:
    logits, targets = two_classes(count, seed)
    truth, answers = (targets == positive).numpy(), logits.double().softmax(1)[:, positive].numpy().round(12)
    chosen = logits.argmax(1).numpy() == positive
    scores = scored(logits, targets, batch=batch, positive=positive)
    assert scores.metrics["auroc"] == pytest.approx(reference.roc_auc_score(truth, answers), abs=1e-12)
    assert scores.metrics["average_precision"] == pytest.approx(reference.average_precision_score(truth, answers))
    assert scores.metrics["sensitivity"] == pytest.approx(reference.recall_score(truth, chosen))
    assert scores.metrics["specificity"] == pytest.approx(reference.recall_score(~truth, ~chosen))
    assert scores.positive == f"class {positive}"
    assert scores.notes == (f"positive: class {positive}",)


def test_the_rates_of_two_classes_have_wilsons_intervals() -> None:
    logits, targets = two_classes(70, seed=3)
    scores = scored(logits, targets)
    for name, index in (("sensitivity", 1), ("specificity", 0)):
        support = int((targets == index).sum())
        want = binomtest(round(scores.metrics[name] * support), support).proportion_ci(method="wilson")
        assert scores.intervals[name] == pytest.approx(want, abs=1e-12)


def test_a_split_of_one_class_only_measures_half_and_says_so() -> None:
    scores = scored(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 0]))
    assert scores.metrics["specificity"] == 0.5
    assert all(math.isnan(scores.metrics[name]) for name in ("auroc", "average_precision", "sensitivity"))
    assert scores.intervals.keys() == {"accuracy", "specificity"}
    assert scores.notes[1] == "no example is class 1, so auroc and average_precision are NaN"


def test_certain_answers_keep_their_order_where_probabilities_would_round_to_one() -> None:
    logits = torch.tensor([[0.0, 40.0], [0.0, 60.0], [0.0, 50.0]])
    assert scored(logits, torch.tensor([0, 1, 1])).metrics["auroc"] == 1.0


def test_an_answer_of_nan_leaves_no_order_to_judge() -> None:
    logits, targets = two_classes(20, seed=4)
    logits[3, 0] = math.nan
    scores = scored(logits, targets)
    assert math.isnan(scores.metrics["auroc"])
    assert scores.nonfinite == 1


@given(classes=st.integers(3, 7), seed=st.integers(0, 2**32), batch=st.integers(1, 60))
def test_asked_for_more_classes_have_scikit_learns_means_of_one_against_the_rest(
    classes: int, seed: int, batch: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    targets = torch.arange(4 * classes) % classes
    logits = torch.randn(len(targets), classes, generator=random) + torch.eye(classes)[targets]
    scores = scored(logits, targets, batch=batch, by_order=["auroc", "average_precision"])
    shares, truth = logits.double().softmax(1).numpy(), np.eye(classes)[targets]
    assert scores.metrics["auroc"] == pytest.approx(reference.roc_auc_score(targets, shares, multi_class="ovr"))
    assert scores.metrics["average_precision"] == pytest.approx(reference.average_precision_score(truth, shares))


def test_classes_that_a_split_lacks_are_left_out_of_the_means_and_that_is_said() -> None:
    logits, targets = random_answers(5, 40, seed=8)
    targets = targets % 3
    scores = scored(logits, targets, by_order=["auroc"])
    shares = logits.double().softmax(1).numpy()
    each = [reference.roc_auc_score(targets == index, shares[:, index]) for index in range(3)]
    assert scores.metrics["auroc"] == pytest.approx(np.mean(each))
    assert "average_precision" not in scores.metrics
    assert scores.notes == ("auroc: mean over 3 of 5 classes, each against the rest",)


def test_several_classes_keep_nothing_unless_asked() -> None:
    logits, targets = random_answers(5, 40, seed=8)
    sums = CategoryScores([str(index) for index in range(5)])
    sums.update(logits, targets)
    assert set(sums.state_dict()) == {"confusion", "within"}
