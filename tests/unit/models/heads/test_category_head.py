"""The category head against torch's own losses, whole and in pieces."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional

from ft.core.config.schema import CategoryOutput
from ft.core.errors import ConfigError
from ft.core.models.heads import make_head
from ft.core.models.heads.category import CategoryHead, balanced_weights

CLASSES = ["ant", "bee", "cat", "dog", "eel"]
WEIGHTS = [0.5, 2.0, 1.0, 3.0, 0.25]


def batch(count: int = 33, size: int = 5, classes: int = 5, seed: int = 0) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    raw = 3 * torch.randn(count, size, generator=random)
    return raw, torch.randint(0, classes, (count,), generator=random)


def mean_loss(head: CategoryHead, raw: Tensor, targets: Tensor) -> Tensor:
    return head.loss_sum(raw, targets) / head.denominator(targets)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_the_mean_loss_and_its_gradient_are_torchs(smoothing: float, weights: list[float] | None) -> None:
    raw, targets = batch()
    ours, theirs = raw.clone().requires_grad_(), raw.clone().requires_grad_()
    head = CategoryHead("animal", CLASSES, label_smoothing=smoothing, class_weights=weights)
    tensor = None if weights is None else torch.tensor(weights)
    want = functional.cross_entropy(theirs, targets, weight=tensor, label_smoothing=smoothing)
    found = mean_loss(head, ours, targets)
    torch.testing.assert_close(found, want, rtol=1e-6, atol=1e-6)
    found.backward()
    want.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("weights", [None, [0.5, 2.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_one_logit_gives_binary_cross_entropy(smoothing: float, weights: list[float] | None) -> None:
    raw, targets = batch(size=1, classes=2)
    head = CategoryHead("spam", ["no", "yes"], binary=True, label_smoothing=smoothing, class_weights=weights)
    assert head.size == 1
    hard = targets.double()
    soft = hard * (1 - smoothing) + smoothing / 2
    first, second = weights or (1.0, 1.0)
    logits = raw[:, 0].double()
    log_no, log_yes = functional.logsigmoid(-logits), functional.logsigmoid(logits)
    losses = -(first * (1 - soft) * log_no + second * soft * log_yes)
    want = losses.sum() / (first * (1 - hard) + second * hard).sum()
    assert float(mean_loss(head, raw, targets)) == pytest.approx(float(want), rel=1e-6)
    if weights is None:
        torchs = functional.binary_cross_entropy_with_logits(raw[:, 0], soft.float())
        assert float(mean_loss(head, raw, targets)) == pytest.approx(float(torchs), rel=1e-6)


def test_one_logit_stays_finite_for_extreme_answers() -> None:
    raw = torch.tensor([[1e4], [-1e4], [1e4]], requires_grad=True)
    head = CategoryHead("spam", ["no", "yes"], binary=True)
    loss = mean_loss(head, raw, torch.tensor([1, 0, 0]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(1e4 / 3)
    assert raw.grad is not None
    torch.testing.assert_close(raw.grad, torch.tensor([[0.0], [0.0], [1 / 3]]))


@given(
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6),
    smoothing=st.sampled_from([0.0, 0.1]),
    weighted=st.booleans(),
)
def test_uneven_micro_batches_add_up_to_the_whole_batch(sizes: list[int], smoothing: float, weighted: bool) -> None:
    raw, targets = batch(sum(sizes))
    weights = WEIGHTS if weighted else None
    head = CategoryHead("animal", CLASSES, label_smoothing=smoothing, class_weights=weights)
    pieces = list(zip(raw.split(sizes), targets.split(sizes), strict=True))
    total = sum(float(head.loss_sum(*piece)) for piece in pieces)
    denominator = sum(float(head.denominator(piece)) for _, piece in pieces)
    whole = functional.cross_entropy(
        raw, targets, weight=torch.tensor(weights) if weights else None, label_smoothing=smoothing
    )
    assert total / denominator == pytest.approx(float(whole), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_logits_are_summed_in_float32(dtype: torch.dtype) -> None:
    raw, targets = batch(count=4096)
    narrow = 40 * raw.to(dtype)  # this sum is beyond fp16's range
    head = CategoryHead("animal", CLASSES)
    loss = head.loss_sum(narrow, targets)
    assert loss.dtype == torch.float32
    want = functional.cross_entropy(narrow.double(), targets, reduction="sum")
    assert float(want) > 65504
    assert float(loss) == pytest.approx(float(want), rel=1e-5)


def test_decoding_gives_probabilities_and_the_most_likely_class() -> None:
    raw, _ = batch()
    decoded = CategoryHead("animal", CLASSES).decode(raw.bfloat16())
    assert decoded.probabilities is not None
    assert decoded.probabilities.dtype == torch.float32
    torch.testing.assert_close(decoded.probabilities, raw.bfloat16().float().softmax(1))
    assert torch.equal(decoded.prediction, raw.bfloat16().argmax(1))


def test_decoding_one_logit_gives_both_classes() -> None:
    raw, _ = batch(size=1)
    decoded = CategoryHead("spam", ["no", "yes"], binary=True).decode(raw)
    assert decoded.probabilities is not None
    torch.testing.assert_close(decoded.probabilities[:, 1], raw[:, 0].sigmoid())
    torch.testing.assert_close(decoded.probabilities.sum(1), torch.ones(33))
    assert torch.equal(decoded.prediction, (raw[:, 0] > 0).long())


def test_scores_of_one_logit_count_both_classes() -> None:
    head = CategoryHead("spam", ["no", "yes"], binary=True)
    scores = head.scores()
    head.update(scores, torch.tensor([[-1.0], [2.0], [3.0], [-4.0]]), torch.tensor([0, 1, 0, 1]))
    assert scores.compute().confusion == [[1, 1], [1, 1]]


def test_nan_logits_give_a_nan_loss_and_score_zero() -> None:
    head = CategoryHead("animal", CLASSES)
    raw, targets = torch.full((4, 5), math.nan), torch.zeros(4, dtype=torch.int64)
    scores = head.scores()
    head.update(scores, raw, targets)
    assert math.isnan(float(head.loss_sum(raw, targets)))
    assert scores.compute().metrics["accuracy"] == 0.0
    assert scores.compute().nonfinite == 4


def test_every_promised_metric_is_reported_and_has_a_direction() -> None:
    head = CategoryHead("digit", [str(index) for index in range(10)], top_k=(3, 5))
    assert head.metric_names() == ["loss", *head.scores().compute().metrics]
    assert {metric for metric in head.metric_names() if head.direction(metric) == "min"} == {"loss"}
    assert head.main_metric in head.metric_names()
    assert head.higher_is_better == (head.direction(head.main_metric) == "max")


def test_weights_moved_in_an_evaluation_can_still_be_trained_with() -> None:
    head = CategoryHead("animal", CLASSES, class_weights=WEIGHTS)
    elsewhere = torch.zeros(3, dtype=torch.int64, device="meta")
    with torch.inference_mode():
        head.denominator(elsewhere)
    raw = torch.zeros(3, 5, device="meta", requires_grad=True)
    head.loss_sum(raw, elsewhere).backward()
    assert raw.grad is not None


# ---------------------------------------------------------------- from settings


def test_class_weights_are_given_by_name_and_one_where_left_out() -> None:
    settings = CategoryOutput(type="category", class_weights={"dog": 3.0, "ant": 0.5})
    head = make_head("animal", settings, {"classes": CLASSES})
    raw, targets = batch()
    want = functional.cross_entropy(raw, targets, weight=torch.tensor([0.5, 1, 1, 3, 1]))
    torch.testing.assert_close(head.loss_sum(raw, targets) / head.denominator(targets), want)


def test_balanced_weights_are_scikit_learns() -> None:
    targets = [0] * 7 + [1] * 2 + [2] * 11
    want = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    assert balanced_weights([7, 2, 11]) == pytest.approx(want)
    settings = CategoryOutput(type="category", class_weights="balanced")
    head = make_head("animal", settings, {"classes": CLASSES[:3], "counts": [7, 2, 11]})
    assert float(head.denominator(torch.tensor(targets))) == pytest.approx(20)  # balanced: as if all were even


def test_a_class_that_training_lacks_gets_a_finite_weight() -> None:
    assert balanced_weights([4, 0]) == [0.5, 2.0]


def test_every_unknown_class_among_the_weights_is_named_with_its_nearest() -> None:
    settings = CategoryOutput(type="category", class_weights={"cta": 1.0, "dog": 2.0, "zebra": 3.0})
    with pytest.raises(ConfigError) as caught:
        make_head("animal", settings, {"classes": CLASSES})
    first, second = caught.value.problems
    assert first.path == ("outputs", "animal", "class_weights", "cta")
    assert "did you mean cat?" in first.message
    assert "the classes are ant, bee, cat, dog, eel" in second.message


def test_one_logit_for_more_than_two_classes_is_refused() -> None:
    settings = CategoryOutput(type="category", loss="binary_cross_entropy")
    with pytest.raises(ConfigError, match="needs two classes and animal has 5") as caught:
        make_head("animal", settings, {"classes": CLASSES})
    assert caught.value.problems[0].path == ("outputs", "animal", "loss")


def test_settings_reach_the_head() -> None:
    settings = CategoryOutput(type="category", loss="binary_cross_entropy", label_smoothing=0.2, weight=0.3)
    head = make_head("spam", settings, {"classes": ["no", "yes"]})
    assert (head.name, head.size, head.weight) == ("spam", 1, 0.3)
    right = head.loss_sum(torch.tensor([[100.0]]), torch.tensor([1]))
    assert float(right) == pytest.approx(0.1 * 100)  # smoothing: a tenth of the target stays with the other class


def test_a_top_k_named_in_the_experiment_is_reported() -> None:
    settings = CategoryOutput(type="category")
    head = make_head("digit", settings, {"classes": [str(index) for index in range(10)]}, ["accuracy", "digit/top3"])
    assert [name for name in head.metric_names() if name.startswith("top")] == ["top3", "top5"]


def test_areas_of_several_classes_are_reported_when_this_output_asks() -> None:
    settings = CategoryOutput(type="category")
    head = make_head("animal", settings, {"classes": CLASSES}, ["animal/auroc", "colour/average_precision"])
    assert head.metric_names() == ["loss", *head.scores().compute().metrics]
    assert head.metric_names()[-1] == "auroc"


def test_the_positive_class_is_the_second_unless_the_settings_name_it() -> None:
    state = {"classes": ["ill", "well"]}
    for positive, named in ((None, "well"), ("ill", "ill")):
        head = make_head("state", CategoryOutput(type="category", positive=positive), state)
        scores = head.scores()
        head.update(scores, torch.tensor([[3.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0, 0]))
        found = scores.compute()
        assert found.positive == named
        assert found.metrics["sensitivity" if named == "ill" else "specificity"] == pytest.approx(2 / 3)
        assert head.metric_names() == ["loss", *found.metrics]


@pytest.mark.parametrize(
    ("classes", "positive", "message"),
    [(["ill", "well"], "il", "did you mean ill"), (CLASSES, "ant", "speaks of two classes and state has 5")],
)
def test_a_positive_class_that_cannot_be_is_refused(classes: list[str], positive: str, message: str) -> None:
    settings = CategoryOutput(type="category", positive=positive)
    with pytest.raises(ConfigError, match=message) as caught:
        make_head("state", settings, {"classes": classes})
    assert caught.value.problems[0].path == ("outputs", "state", "positive")
