"""What is explained of an output, against probabilities."""

from __future__ import annotations

import pytest
import torch

from ft.core.models.heads.category import CategoryHead
from ft.core.models.heads.labels import LabelsHead
from ft.core.models.heads.number import NumberHead
from ft.core.models.heads.score import score_kind, score_of


def test_log_odds_are_those_of_the_classes_probability() -> None:
    head, raw = CategoryHead("kind", ["a", "b", "c"]), torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    for index in range(3):
        p = raw.double().softmax(1)[:, index]
        torch.testing.assert_close(score_of(head, index, "log-odds")(raw).double(), (p / (1 - p)).log())
    torch.testing.assert_close(score_of(head, 2, "logit")(raw), raw[:, 2])


@pytest.mark.parametrize("kind", ["log-odds", "logit"])
def test_a_single_logit_speaks_for_one_class_and_against_the_other(kind: str) -> None:
    head, raw = CategoryHead("kind", ["no", "yes"], binary=True), torch.tensor([[1.5], [-3.0]])
    assert score_kind(head, kind) == "log-odds"  # type: ignore[arg-type]
    torch.testing.assert_close(score_of(head, 1, kind)(raw), raw[:, 0])  # type: ignore[arg-type]
    torch.testing.assert_close(score_of(head, 0, kind)(raw), -raw[:, 0])  # type: ignore[arg-type]


def test_a_label_has_its_own_log_odds_and_a_number_its_own_units() -> None:
    labels, raw = LabelsHead("tags", ["x", "y"]), torch.tensor([[0.5, -2.0]])
    torch.testing.assert_close(score_of(labels, 1, "log-odds")(raw), raw[:, 1])
    number = NumberHead("price", mean=100.0, std=20.0)
    torch.testing.assert_close(score_of(number, None, "value")(torch.tensor([[1.5]])), torch.tensor([130.0]))
    assert (score_kind(labels, "logit"), score_kind(number, "logit")) == ("log-odds", "value")
