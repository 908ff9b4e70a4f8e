"""Metric names: bare with one output, `output/metric` with several."""

from __future__ import annotations

from ft.core.metrics.scores import Scores, flat_intervals, flat_metrics

DIGIT = Scores({"accuracy": 0.9}, {"accuracy": (0.8, 0.95)}, count=10)
PRICE = Scores({"mae": 2.0, "r2": 0.5}, {"mae": (1.0, 3.0)}, count=10)


def test_one_output_keeps_its_bare_names() -> None:
    assert flat_metrics({"digit": DIGIT}) == {"accuracy": 0.9}
    assert flat_intervals({"digit": DIGIT}) == {"accuracy": (0.8, 0.95)}


def test_several_outputs_put_their_name_before() -> None:
    both = {"digit": DIGIT, "price": PRICE}
    assert flat_metrics(both) == {"digit/accuracy": 0.9, "price/mae": 2.0, "price/r2": 0.5}
    assert flat_intervals(both) == {"digit/accuracy": (0.8, 0.95), "price/mae": (1.0, 3.0)}


def test_the_loss_comes_first_and_leaves_the_old_scores_alone() -> None:
    assert list(DIGIT.with_loss(0.1).metrics.items()) == [("loss", 0.1), ("accuracy", 0.9)]
    assert "loss" not in DIGIT.metrics
