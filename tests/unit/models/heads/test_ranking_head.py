"""The ranking head against its two losses written out item by item in float64."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from ft.core.config.schema import RankingOutput
from ft.core.models.heads import make_head
from ft.core.models.heads import ranking as module
from ft.core.models.heads.ranking import RankingHead

Loss = Literal["softmax", "bpr"]
both = pytest.mark.parametrize("loss", ["softmax", "bpr"])


def batch(users: int = 9, items: int = 12) -> tuple[Tensor, Tensor]:
    """raw (B, C) and targets int16 (B, C) in -1, 0, 1, with a row without chosen and one without candidates."""
    random = torch.Generator().manual_seed(users)
    targets = torch.randint(-1, 2, (users, items), generator=random).to(torch.int16)
    targets[0], targets[-1] = 0, 1
    return 3 * torch.randn(users, items, generator=random), targets


def written_out(loss: Loss, raw: Tensor, targets: Tensor) -> Tensor:
    """The sum over the chosen items, one after another."""
    total = 0 * raw.double().sum()
    for scores, told in zip(raw.double(), targets, strict=True):
        candidates = scores[told == 0]
        for own in scores[told == 1]:
            if loss == "softmax":
                total = total - torch.cat([own[None], candidates]).log_softmax(0)[0]
            elif len(candidates):
                total = total - functional.logsigmoid(own - candidates).mean()
    return total


@both
@given(users=st.integers(2, 9), items=st.integers(1, 12))
def test_the_loss_and_its_gradient_are_those_of_the_formula(loss: Loss, users: int, items: int) -> None:
    raw, targets = batch(users, items)
    ours, theirs = raw.clone().requires_grad_(), raw.clone().requires_grad_()
    found, want = RankingHead("film", loss=loss).loss_sum(ours, targets), written_out(loss, theirs, targets)
    assert found.item() == pytest.approx(want.item(), rel=1e-5, abs=1e-5)
    found.backward()
    want.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


@both
@given(users=st.integers(2, 9), items=st.integers(1, 12))
def test_one_chosen_item_a_row_has_the_loss_and_the_gradient_of_the_formula(loss: Loss, users: int, items: int) -> None:
    """The targets of training, with a row that has nothing but its chosen item."""
    raw, targets = batch(users, items)
    targets = targets.clamp(max=0)
    targets[-1] = -1
    targets[torch.arange(users), torch.randint(items, (users,), generator=torch.Generator().manual_seed(items))] = 1
    head, training = RankingHead("film", loss=loss), targets.to(torch.int8)
    spoilt = raw.masked_fill(targets == -1, float("nan"))  # what is not to be looked at
    ours, theirs = (raw if loss == "bpr" else spoilt).clone().requires_grad_(), raw.clone().requires_grad_()
    found, want = head.loss_sum(ours, training), written_out(loss, theirs, targets)
    assert found.item() == pytest.approx(want.item(), rel=1e-5, abs=1e-5)
    found.backward()
    want.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)
    assert float(head.denominator(training)) == users


@both
def test_the_loss_changes_no_score(loss: Loss) -> None:
    raw, _ = batch()
    targets = torch.zeros(raw.shape, dtype=torch.int8)
    targets[:, 0], targets[:, 1] = 1, -1
    before = raw.clone()
    RankingHead("film", loss=loss).loss_sum(raw, targets)
    assert torch.equal(raw, before)


@both
def test_micro_batches_add_up_and_divide_by_the_chosen(loss: Loss) -> None:
    raw, targets = batch(20)
    head = RankingHead("film", loss=loss)
    pieces = list(zip(raw.split([3, 7, 10]), targets.split([3, 7, 10]), strict=True))
    total = sum(float(head.loss_sum(*piece)) for piece in pieces)
    assert total == pytest.approx(float(head.loss_sum(raw, targets)), rel=1e-6)
    assert sum(float(head.denominator(piece)) for _, piece in pieces) == int((targets == 1).sum())


def test_pieces_of_the_pairs_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    raw, targets = batch(20)
    whole = RankingHead("film", loss="bpr").loss_sum(raw, targets)
    monkeypatch.setattr(module, "PAIRS_AT_ONCE", 30)
    torch.testing.assert_close(RankingHead("film", loss="bpr").loss_sum(raw, targets), whole)


@both
def test_what_is_not_to_be_looked_at_changes_nothing(loss: Loss) -> None:
    raw, targets = batch()
    head = RankingHead("film", loss=loss)
    other = raw.masked_fill(targets == -1, 1e6)
    torch.testing.assert_close(head.loss_sum(other, targets), head.loss_sum(raw, targets))


@both
def test_extreme_scores_stay_finite(loss: Loss) -> None:
    raw = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]], requires_grad=True)
    found = RankingHead("film", loss=loss).loss_sum(raw, torch.tensor([[1, 0, 0], [1, 0, 0]], dtype=torch.int8))
    found.backward()
    assert math.isfinite(found.item())
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


def test_the_first_of_equal_items_is_the_answer() -> None:
    decoded = RankingHead("film").decode(torch.tensor([[0.0, 2.0, 2.0], [1.0, 1.0, 1.0]]))
    assert decoded.prediction.tolist() == [1, 0]
    assert decoded.probabilities is None


def test_every_promised_metric_is_reported_and_has_a_direction() -> None:
    settings = RankingOutput(type="ranking", user="user", item="film", loss="bpr", weight=2.0)
    head = make_head("liked", settings, {}, ["liked/ndcg@5", "other/ndcg@7"])
    assert head.metric_names() == ["loss", *head.scores().compute().metrics]
    assert "recall@5" in head.metric_names()
    assert "ndcg@7" not in head.metric_names()
    assert head.main_metric == "ndcg@10"
    assert head.main_metric in head.metric_names()
    assert {metric for metric in head.metric_names() if head.direction(metric) == "min"} == {"loss"}
    assert (head.name, head.size, head.weight) == ("liked", 1, 2.0)
    raw, targets = batch()
    assert float(head.loss_sum(raw, targets)) == pytest.approx(float(written_out("bpr", raw, targets)), rel=1e-5)


@both
def test_choices_beside_the_ranked_items_have_no_loss(loss: Loss) -> None:
    raw, targets = batch()
    wider = torch.cat([targets, torch.full((len(targets), 1), -1, dtype=torch.int16)], dim=1)
    head = RankingHead("film", loss=loss)
    assert torch.equal(head.loss_sum(raw, wider), head.loss_sum(raw, targets))
    assert torch.equal(head.denominator(wider), head.denominator(targets))
