"""Gates of means over seeds, by scipy's own tests, and the page that tells of several seeds."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from ft.core.metrics.resampling import Drop
from ft.core.metrics.student import spread, welch
from ft.core.report.gates import GateResult, Gates, check_drops, check_gates
from ft.core.report.seed_gates import over_seeds
from ft.core.report.seeds import Against, SeedScores, SeedsReport, render, seed_rows

VALUES = (0.90, 0.94, 0.95)
SCORES = SeedScores("train", "val", False, (3, 4, 6), "abc", ("a|c",), {"loss": spread(VALUES), "a|c": spread(VALUES)})


def gates_of(value: float, gates: Gates) -> list[GateResult]:
    return check_gates(gates, {"accuracy": value, "loss": value}, {}, {})


@pytest.mark.parametrize("on", ["estimate", "lower_bound"])
def test_least_and_largest_values_hold_the_mean_or_the_end_of_its_interval(on: str) -> None:
    low, high = stats.t.interval(0.95, 2, sum(VALUES) / 3, stats.sem(VALUES))
    mean = sum(VALUES) / 3
    least, most = (mean, mean) if on == "estimate" else (low, high)
    for slack, passed in ((1e-6, True), (-1e-6, False)):
        gates = Gates({"accuracy": least - slack}, {"loss": most + slack}, on=on)  # type: ignore[arg-type]
        results = over_seeds([gates_of(value, gates) for value in VALUES])
        assert [gate.metric for gate in results] == ["accuracy", "loss"]
        assert [gate.passed for gate in results] == [passed, passed]
        assert results[0].value == pytest.approx(mean)
        assert results[0].interval == pytest.approx((low, high))


def test_what_one_seed_did_not_measure_or_measured_as_nan_never_passes() -> None:
    gates = Gates({"accuracy": 0.0})
    for other in (check_gates(gates, {}, {}, {}), gates_of(math.nan, gates)):
        (gate,) = over_seeds([gates_of(0.9, gates), other])
        assert not gate.passed
    (alone,) = over_seeds([gates_of(0.9, Gates({"accuracy": 0.0}, on="lower_bound"))])
    assert not alone.passed  # one value has no interval
    assert over_seeds([]) == over_seeds([[], []]) == []


def dropped(values: tuple[float, ...], margin: float, on: str) -> GateResult:
    gates = Gates(max_drop={"accuracy": margin}, on=on)  # type: ignore[arg-type]
    by_seed = [check_drops(gates, {"accuracy": Drop(value, (value, value), 0.5)}) for value in values]
    (gate,) = over_seeds(by_seed)
    return gate


def test_a_drop_of_the_mean_is_tested_over_seeds() -> None:
    values = (0.010, 0.012, 0.011)
    gate = dropped(values, 0.005, "estimate")
    assert gate.metric == "drop of accuracy"
    assert gate.p == pytest.approx(stats.ttest_1samp(values, 0, alternative="greater").pvalue)
    assert not gate.passed
    assert dropped(values, 0.02, "lower_bound").passed
    wide = (-0.02, 0.05, 0.0)  # above the margin on average, and chance
    assert dropped(wide, 0.005, "estimate").passed
    assert not dropped(wide, 0.02, "lower_bound").passed
    assert not dropped((0.1,), 0.2, "lower_bound").passed


def test_a_seed_without_a_score_has_an_empty_cell() -> None:
    head, rows = seed_rows([SCORES], (3, 4, 5, 6))
    assert head == ["seed", "train, val, a|c"]
    assert [row[1] for row in rows] == ["0.9000", "0.9400", "", "0.9500"]


def test_the_page_says_how_many_finished_and_shows_every_metric() -> None:
    against = Against(
        "old.json", "val", ("loss",), (3, 2), {"loss": (0.93, 0.5)}, {"loss": welch(VALUES, (0.4, 0.6)), "x": None}
    )
    against.means["x"] = (1.0, 2.0)  # type: ignore[index]
    gates = over_seeds([gates_of(value, Gates({"accuracy": 0.99})) for value in VALUES])
    report = SeedsReport(
        "two_words", "ft train c.yaml --seeds 4", (3, 4, 5, 6), {5: "step 7 was <NaN>"}, {3: ["runs/a/1"]}, [SCORES],
        gates, [against], 61.0,
    )  # fmt: skip
    text = render(report)
    assert text.startswith("# two_words: 4 seeds\n\n**3 of 4 seeds finished** in 1 min 1 s.\n\n- seed 5 diverged: ")
    assert "step 7 was \\<NaN>" in text
    assert "| a\\|c   | 0.9300 | 0.0265 | 0.9000 | 0.9500 | 0.8643 to 0.9957" in text
    assert "**failed**" in text
    assert "## Against old.json: validation split\n\n3 seeds against 2, by Welch's t test" in text
    assert "cannot be tested" in text
    assert "```sh\nft train c.yaml --seeds 4\n```" in text
