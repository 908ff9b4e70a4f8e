"""The labels head against torch's binary cross-entropy, whole and in pieces, and how it reads answers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from ft.core.config.schema import LabelsOutput
from ft.core.models.heads import make_head
from ft.core.models.heads.labels import MOST_WEIGHT, LabelsHead, balanced_weights

LABELS = ["comedy", "drama", "war"]


def batch(count: int = 33) -> tuple[Tensor, Tensor]:
    """raw (N, 3) and multi-hot targets uint8 (N, 3)."""
    random = torch.Generator().manual_seed(count)
    return 3 * torch.randn(count, 3, generator=random), torch.randint(0, 2, (count, 3), generator=random).byte()


@pytest.mark.parametrize("weights", [None, [0.5, 4.0, 1.0]])
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_uneven_micro_batches_add_up_to_torchs_mean(weights: list[float] | None, sizes: list[int]) -> None:
    raw, targets = batch(sum(sizes))
    head = LabelsHead("genre", LABELS, present_weights=weights)
    pieces = list(zip(raw.split(sizes), targets.split(sizes), strict=True))
    total = sum(float(head.loss_sum(*piece)) for piece in pieces)
    denominator = sum(float(head.denominator(piece)) for _, piece in pieces)
    want = functional.binary_cross_entropy_with_logits(
        raw.double(), targets.double(), pos_weight=torch.tensor(weights).double() if weights else None
    )
    assert total / denominator == pytest.approx(float(want), rel=1e-5)


def test_any_number_of_labels_is_given_from_the_threshold_on() -> None:
    raw = torch.tensor([[0.0, 5.0, -5.0], [math.nan, -1.0, 0.1]])
    decoded = LabelsHead("genre", LABELS).decode(raw)
    assert decoded.prediction.dtype == torch.uint8
    assert decoded.prediction.tolist() == [[1, 1, 0], [0, 0, 1]]
    assert decoded.probabilities is not None
    torch.testing.assert_close(decoded.probabilities, raw.sigmoid(), equal_nan=True)
    strict = LabelsHead("genre", LABELS, threshold=0.9).decode(raw)
    assert strict.prediction.tolist() == [[0, 1, 0], [0, 0, 0]]


def test_scores_and_decoding_use_the_same_threshold() -> None:
    raw, targets = batch(200)
    head = LabelsHead("genre", LABELS, threshold=0.7)
    scores = head.scores()
    head.update(scores, raw, targets)
    right = (head.decode(raw).prediction == targets).all(1).double().mean()
    assert scores.compute().metrics["exact_match"] == pytest.approx(float(right))


def test_balanced_weights_are_absences_per_presence_within_bounds() -> None:
    assert balanced_weights([25, 50, 0], 100) == [3.0, 1.0, 100.0]
    assert balanced_weights([1, 10_000], 10_000) == [MOST_WEIGHT, 1 / MOST_WEIGHT]


def test_balanced_presence_weighs_as_much_as_absence() -> None:
    settings = LabelsOutput(type="labels", class_weights="balanced")
    targets = torch.zeros(20, 3)
    targets[:4, 0], targets[:10, 1], targets[:15, 2] = 1, 1, 1
    head = make_head("genre", settings, {"classes": LABELS, "counts": [4, 10, 15], "rows": 20})
    raw = torch.zeros(20, 3, requires_grad=True)
    head.loss_sum(raw, targets).backward()
    assert raw.grad is not None
    torch.testing.assert_close(raw.grad.sum(0), torch.zeros(3))  # yes and no pull alike


def test_every_promised_metric_is_reported_and_has_a_direction() -> None:
    head = LabelsHead("genre", LABELS)
    assert head.metric_names() == ["loss", *head.scores().compute().metrics]
    assert {metric for metric in head.metric_names() if head.direction(metric) == "min"} == {"loss"}
    assert head.main_metric in head.metric_names()


def test_settings_reach_the_head() -> None:
    settings = LabelsOutput(type="labels", threshold=0.2, weight=0.5)
    head = make_head("genre", settings, {"classes": LABELS})
    assert (head.name, head.size, head.weight) == ("genre", 3, 0.5)
    assert head.decode(torch.full((1, 3), -1.0)).prediction.tolist() == [[1, 1, 1]]


def test_areas_over_many_labels_are_reported_when_this_output_asks() -> None:
    state = {"classes": [str(index) for index in range(200)]}
    settings = LabelsOutput(type="labels")
    assert "auroc" not in make_head("tag", settings, state, ["genre/auroc"]).metric_names()
    assert "auroc" in make_head("tag", settings, state, ["tag/auroc"]).metric_names()


def test_weights_moved_in_an_evaluation_can_still_be_trained_with() -> None:
    head = LabelsHead("genre", LABELS, present_weights=[1.0, 2.0, 3.0])
    targets = torch.zeros(3, 3, device="meta")
    with torch.inference_mode():
        head.loss_sum(torch.zeros(3, 3, device="meta"), targets)
    raw = torch.zeros(3, 3, device="meta", requires_grad=True)
    head.loss_sum(raw, targets).backward()
    assert raw.grad is not None
