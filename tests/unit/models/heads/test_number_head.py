"""The number head against torch's own losses in normalised units, and its metrics in the user's."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sklearn.metrics import mean_absolute_error
from torch import Tensor
from torch.nn import functional

from ft.core.config.schema import Huber, HuberLoss, NumberOutput, OutputColumn
from ft.core.models.heads import HEADS, make_head
from ft.core.models.heads.number import NumberHead

MEAN, STD = 250.0, 40.0
LOSSES: list[Literal["mse", "l1", "huber"]] = ["mse", "l1", "huber"]


def batch(count: int = 33) -> tuple[Tensor, Tensor]:
    """raw (N, 1) and targets (N,) in the user's units."""
    random = torch.Generator().manual_seed(count)
    return 2 * torch.randn(count, 1, generator=random), MEAN + STD * torch.randn(count, generator=random)


def torchs(loss: str, raw: Tensor, targets: Tensor, delta: float = 1.0) -> Tensor:
    """The mean loss in normalised units, float64."""
    answers, wanted = raw[:, 0].double(), (targets.double() - MEAN) / STD
    match loss:
        case "mse":
            return functional.mse_loss(answers, wanted)
        case "l1":
            return functional.l1_loss(answers, wanted)
    return functional.huber_loss(answers, wanted, delta=delta)


@pytest.mark.parametrize("loss", LOSSES)
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_uneven_micro_batches_add_up_to_torchs_mean(loss: Literal["mse", "l1", "huber"], sizes: list[int]) -> None:
    raw, targets = batch(sum(sizes))
    head = NumberHead("price", mean=MEAN, std=STD, loss=loss, delta=0.7)
    pieces = list(zip(raw.split(sizes), targets.split(sizes), strict=True))
    total = sum(float(head.loss_sum(*piece)) for piece in pieces)
    denominator = sum(float(head.denominator(piece)) for _, piece in pieces)
    assert total / denominator == pytest.approx(float(torchs(loss, raw, targets, 0.7)), rel=2e-6, abs=1e-6)


def test_answers_come_back_in_the_users_units() -> None:
    raw, _ = batch()
    decoded = NumberHead("price", mean=MEAN, std=STD).decode(raw)
    assert decoded.probabilities is None
    torch.testing.assert_close(decoded.prediction, MEAN + STD * raw[:, 0])


def test_a_perfect_answer_costs_nothing_and_decodes_to_the_target() -> None:
    _, targets = batch()
    raw = ((targets - MEAN) / STD)[:, None]
    head = NumberHead("price", mean=MEAN, std=STD)
    assert float(head.loss_sum(raw, targets)) == 0.0
    torch.testing.assert_close(head.decode(raw).prediction, targets)


def test_metrics_are_in_the_users_units() -> None:
    raw, targets = batch()
    head = NumberHead("price", mean=MEAN, std=STD)
    scores = head.scores()
    head.update(scores, raw, targets)
    want = mean_absolute_error(targets.double(), MEAN + STD * raw[:, 0].double())
    assert scores.compute().metrics["mae"] == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_answers_are_summed_in_float32(dtype: torch.dtype) -> None:
    raw, targets = batch(5000)
    narrow = (10 * raw).to(dtype)
    head = NumberHead("price", mean=MEAN, std=STD)
    loss = head.loss_sum(narrow, targets)
    assert loss.dtype == torch.float32
    want = 5000 * float(torchs("mse", narrow, targets))
    assert want > 65504  # beyond fp16's range
    assert float(loss) == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_main_metric_is_what_the_loss_minimises(loss: Literal["mse", "l1", "huber"]) -> None:
    head = NumberHead("price", loss=loss)
    assert head.main_metric == ("rmse" if loss == "mse" else "mae")
    assert head.higher_is_better == (head.direction(head.main_metric) == "max")
    assert head.metric_names() == ["loss", *head.scores().compute().metrics]
    assert [metric for metric in head.metric_names() if head.direction(metric) == "max"] == ["r2", "spearman"]


# ---------------------------------------------------------------- from settings


def test_settings_reach_the_head() -> None:
    settings = NumberOutput(type="number", loss=HuberLoss(huber=Huber(delta=0.3)), weight=2.0)
    head = make_head("price", settings, {"mean": MEAN, "std": STD})
    raw, targets = batch()
    assert (head.name, head.size, head.weight) == ("price", 1, 2.0)
    assert float(head.loss_sum(raw, targets)) == pytest.approx(33 * float(torchs("huber", raw, targets, 0.3)), rel=1e-5)


def test_without_normalisation_targets_are_learned_as_they_are() -> None:
    head = make_head("price", NumberOutput(type="number", loss="l1", normalize="none"), {"mean": MEAN, "std": STD})
    assert float(head.loss_sum(torch.tensor([[3.0]]), torch.tensor([5.0]))) == 2.0
    assert float(head.decode(torch.tensor([[3.0]])).prediction) == 3.0


@pytest.mark.parametrize("kind", sorted(HEADS))
def test_every_head_of_the_table_can_be_made(kind: str) -> None:
    needed = {"user": "user", "item": "film"} if kind == "ranking" else {}
    settings = TypeAdapter(OutputColumn).validate_python({"type": kind, **needed})
    head = make_head("answer", settings, {"classes": ["a", "b", "c"], "mean": 0.0, "std": 1.0})
    assert head.name == "answer"
