"""Gates let through what reaches them, and nothing that is missing or not a number."""

from __future__ import annotations

import math

import pytest

from ft.core.report.gates import check_gates, unknown_metrics, upside_down


@pytest.mark.parametrize(
    ("value", "passed"), [(0.98, True), (0.9800001, True), (0.9799999, False), (1.0, True), (-1.0, False)]
)
def test_a_gate_passes_from_its_threshold_on(value: float, passed: bool) -> None:
    (gate,) = check_gates({"accuracy": 0.98}, {"accuracy": value}, {"accuracy": (0.9, 0.99)})
    assert gate.passed == passed
    assert (gate.metric, gate.threshold, gate.value, gate.interval) == ("accuracy", 0.98, value, (0.9, 0.99))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_never_passes(value: float) -> None:
    (gate,) = check_gates({"r2": -1e9}, {"r2": value}, {})
    assert not gate.passed


def test_a_metric_that_was_not_measured_never_passes() -> None:
    (gate,) = check_gates({"f1": 0.0}, {"accuracy": 1.0}, {})
    assert not gate.passed
    assert gate.value is None
    assert str(gate) == "f1 >= 0: not measured, FAILED"


def test_a_threshold_of_nan_lets_nothing_through() -> None:
    assert not check_gates({"f1": math.nan}, {"f1": 1.0}, {})[0].passed


def test_no_gate_is_no_result() -> None:
    assert check_gates({}, {"accuracy": 0.1}, {}) == []


def test_unknown_metrics_are_found_with_the_nearest_name_and_their_place() -> None:
    known = ["loss", "accuracy", "f1"]
    (problem,) = unknown_metrics({"accuracy": 0.9, "acuracy": 0.9}, known, ("eval", "min"))
    assert problem.path == ("eval", "min", "acuracy")
    assert "did you mean accuracy?" in problem.message
    (problem,) = unknown_metrics(["f1", "perplexity"], known, ("eval", "metrics"))
    assert problem.path == ("eval", "metrics", 1)
    assert "there are loss, accuracy, f1" in problem.message


def test_a_least_value_for_an_error_is_refused_because_it_admits_only_bad_models() -> None:
    (problem,) = upside_down({"r2": 0.5, "mae": 3.0}, ["loss", "mae", "mse", "rmse"], ("eval", "min"))
    assert problem.path == ("eval", "min", "mae")
    assert "better when smaller" in problem.message
