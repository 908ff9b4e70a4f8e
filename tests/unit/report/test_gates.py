"""Gates let through what reaches them, and nothing that is missing or not a number."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import binomtest

from ft.core.metrics.classification import CategoryScores
from ft.core.metrics.scores import Interval, Scores
from ft.core.report.gates import GateResult, Gates, check_gates, unknown_metrics, upside_down


def least(
    minimum: dict[str, float], metrics: dict[str, float], intervals: dict[str, Interval] | None = None
) -> list[GateResult]:
    return check_gates(Gates(minimum), metrics, intervals or {}, {})


@pytest.mark.parametrize(
    ("value", "passed"), [(0.98, True), (0.9800001, True), (0.9799999, False), (1.0, True), (-1.0, False)]
)
def test_a_gate_passes_from_its_threshold_on(value: float, passed: bool) -> None:
    (gate,) = least({"accuracy": 0.98}, {"accuracy": value}, {"accuracy": (0.9, 0.99)})
    assert gate.passed == passed
    assert (gate.metric, gate.threshold, gate.value, gate.interval) == ("accuracy", 0.98, value, (0.9, 0.99))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_never_passes(value: float) -> None:
    (gate,) = least({"r2": -1e9}, {"r2": value})
    assert not gate.passed


def test_a_metric_that_was_not_measured_never_passes() -> None:
    (gate,) = least({"f1": 0.0}, {"accuracy": 1.0})
    assert not gate.passed
    assert gate.value is None
    assert str(gate) == "f1 >= 0: not measured, FAILED"


def test_a_threshold_of_nan_lets_nothing_through() -> None:
    assert not least({"f1": math.nan}, {"f1": 1.0})[0].passed


def test_no_gate_is_no_result() -> None:
    assert least({}, {"accuracy": 0.1}) == []


def test_unknown_metrics_are_found_with_the_nearest_name_and_their_place() -> None:
    known = ["loss", "accuracy", "f1"]
    (problem,) = unknown_metrics({"accuracy": 0.9, "acuracy": 0.9}, known, ("eval", "min"))
    assert problem.path == ("eval", "min", "acuracy")
    assert "did you mean accuracy?" in problem.message
    (problem,) = unknown_metrics(["f1", "perplexity"], known, ("eval", "metrics"))
    assert problem.path == ("eval", "metrics", 1)
    assert "there are loss, accuracy, f1" in problem.message


def test_gates_that_let_only_bad_models_in_are_refused() -> None:
    lower, known = ["loss", "mae"], ["loss", "mae", "r2"]
    gates = Gates({"r2": 0.5, "mae": 3.0}, {"loss": 1.0, "r2": 0.9, "unknown": 1.0})
    first, second = upside_down(gates, lower, known)
    assert (first.path, second.path) == (("eval", "min", "mae"), ("eval", "max", "r2"))
    assert "better when smaller" in first.message
    assert "better when larger" in second.message


@pytest.mark.parametrize(("value", "passed"), [(0.2, True), (0.1, True), (0.2001, False), (math.nan, False)])
def test_a_largest_value_lets_through_what_stays_below_it(value: float, passed: bool) -> None:
    (gate,) = check_gates(Gates(maximum={"loss": 0.2}), {"loss": value}, {}, {})
    assert gate.passed is passed
    assert str(gate).startswith("loss <= 0.2: ")


@pytest.mark.parametrize(
    ("gates", "interval", "passed"),
    [
        (Gates({"m": 0.9}, on="lower_bound"), (0.91, 0.99), True),
        (Gates({"m": 0.9}, on="lower_bound"), (0.89, 0.99), False),
        (Gates(maximum={"m": 0.98}, on="lower_bound"), (0.91, 0.97), True),
        (Gates(maximum={"m": 0.98}, on="lower_bound"), (0.91, 0.99), False),
        (Gates({"m": 0.9}, on="lower_bound"), None, False),
    ],
)
def test_by_the_lower_bound_the_worse_end_of_the_interval_decides(
    gates: Gates, interval: Interval | None, passed: bool
) -> None:
    (gate,) = check_gates(gates, {"m": 0.95}, {} if interval is None else {"m": interval}, {})
    assert gate.passed is passed
    assert ("no interval" in str(gate)) is (interval is None)


def judged() -> dict[str, Scores]:
    """Of a: 3 of 4 right; of b: 2 of 2; c has no example and is answered once."""
    truth = torch.tensor([0, 0, 0, 0, 1, 1])
    answers = torch.tensor([0, 0, 0, 2, 1, 1])
    scores = CategoryScores(["a", "b", "c"], ())
    scores.update(torch.nn.functional.one_hot(answers, 3).float(), truth)
    return {"kind": scores.compute()}


def test_a_gate_of_every_class_names_the_class_that_fails() -> None:
    gates = check_gates(Gates(per_class={"recall": 0.8, "precision": 0.5}), {}, {}, judged())
    told = {gate.metric: (gate.value, gate.passed) for gate in gates}
    assert told["recall of a"] == (0.75, False)
    assert told["recall of b"] == (1.0, True)
    assert told["recall of c"] == (None, False)  # nothing was measured, so nothing passes
    assert told["precision of c"] == (0.0, False)
    recall = next(gate for gate in gates if gate.metric == "recall of a")
    assert recall.interval == pytest.approx(binomtest(3, 4).proportion_ci(method="wilson"))
    precision = next(gate for gate in gates if gate.metric == "precision of b")
    assert precision.interval == pytest.approx(binomtest(2, 2).proportion_ci(method="wilson"))


def test_of_several_outputs_a_class_is_named_with_its_output() -> None:
    scores = judged()
    gates = check_gates(Gates(per_class={"f1": 0.1}), {}, {}, {**scores, "other": scores["kind"]})
    assert [gate.metric for gate in gates][::3] == ["kind/f1 of a", "other/f1 of a"]
    one = check_gates(Gates(per_class={"other/f1": 0.1}), {}, {}, {**scores, "other": scores["kind"]})
    assert [gate.metric for gate in one] == ["other/f1 of a", "other/f1 of b", "other/f1 of c"]
