"""Runs are compared by what lies in their folders, whole or not; nothing is judged again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from ft.core.errors import ConfigError
from ft.core.metrics.scores import Scores
from ft.core.report.comparison import EXACT, RESAMPLED, Comparison
from ft.core.report.model import MainMetric, RunReport
from ft.core.stages.baseline import PerExample
from ft.core.stages.compare import find_run, read_kept, side_by_side
from ft.core.stages.reporting import write_report
from ft.core.stages.runs import RunFolder, create_run

BARE = RunReport("x", "eval", "", "", {"y": MainMetric("accuracy", True)}, {"test": {"y": Scores({"accuracy": 0.5})}})


def made(runs: Path, config: str = "", rows: str = "", **status: Any) -> RunFolder:
    run = create_run(runs, "x", "train")
    run.update(state="finished", main_metrics=["accuracy"], **status)
    run.write("config.yaml", config)
    run.write("metrics.jsonl", rows)
    run.lock.release()
    return run


def judged(runs: Path, values: Mapping[str, Any], metric: str, identity: str = "same") -> RunFolder:
    run = made(runs, evaluations={"test": {metric: 0.5}})
    run.update(main_metrics=[metric])
    arrays = {name: np.asarray(each, dtype=np.float32) for name, each in values.items()}
    report = BARE if metric == "accuracy" else RunReport("x", "eval", "", "", {"y": MainMetric(metric, False)}, {})
    write_report(run, "report-test", report, PerExample(identity, 200, arrays).packed())
    return run


def compared(*runs: RunFolder) -> Comparison:
    return side_by_side([read_kept(run) for run in runs])


def test_settings_that_differ_are_named_to_the_last_layer(tmp_path: Path) -> None:
    layers = (
        "model: {{layers: [Flatten, {{Linear: {{out_features: {0}}}}}]}}\ntrain: {{lr: {1}}}\nfinetune: {{lr: {1}}}\n"
    )
    found = compared(made(tmp_path, layers.format(8, 0.1)), made(tmp_path, layers.format(16, 0.2)))
    assert found.settings == {"model.layers.1.Linear.out_features": ["8", "16"], "train.lr": ["0.1", "0.2"]}


def test_a_damaged_file_of_settings_is_told_and_the_others_are_compared(tmp_path: Path) -> None:
    texts = ("train: {lr: 0.1}\n", "train: {lr: [", "train: {lr: 0.2}\n")
    found = compared(*(made(tmp_path, text) for text in texts))
    assert found.settings == {"train.lr": ["0.1", "?", "0.2"]}
    assert found.notes == [f"{tmp_path}/x/2/config.yaml: cannot be read, so its settings are not compared"]


def test_curves_are_the_validations_with_gaps_where_nothing_is_finite(tmp_path: Path) -> None:
    rows = [
        {"event": "validation", "step": s, "epoch": s, "loss": s / 2, "accuracy": a} for s, a in ((1, 0.5), (2, None))
    ]
    text = "\n".join(map(json.dumps, rows)) + '\n{"event": "validation", "ep'
    [side] = compared(made(tmp_path, rows=text)).runs
    assert side.curves["loss"] == [(1, 0.5), (2, 1.0)]
    assert side.curves["accuracy"][0] == (1, 0.5)
    assert np.isnan(side.curves["accuracy"][1][1])


def test_without_validation_the_training_loss_is_drawn(tmp_path: Path) -> None:
    [side] = compared(made(tmp_path, rows='{"event": "epoch", "step": 9, "epoch": 1, "loss": 0.25}\n')).runs
    assert side.curves == {"training loss": [(1, 0.25)]}


def test_a_run_whose_process_is_gone_is_called_killed(tmp_path: Path) -> None:
    run = create_run(tmp_path, "x", "train")
    run.lock.release()
    [side] = compared(run).runs
    assert (side.state, side.scores, side.curves) == ("killed", {}, {})
    rows = ('{"event": "validation", "step": 1, "epoch": 1, "loss": 1.0}', '{"event": "train", "step": 2, "epoch": 2}')
    run.write("metrics.jsonl", "\n".join(rows))
    found = compared(run)
    assert found.runs[0].scores == {"val": {"loss": (1.0, None)}}
    assert found.notes == [f"{run.path} is killed: its val scores are those of its last validation"]


def test_right_and_wrong_answers_are_compared_by_the_exact_test(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    first, second = draw.random(200) < 0.9, draw.random(200) < 0.8
    [found] = compared(
        judged(tmp_path, {"accuracy": first}, "accuracy"), judged(tmp_path, {"accuracy": second}, "accuracy")
    ).differences
    lost, won = int((first & ~second).sum()), int((second & ~first).sum())
    assert found.test == EXACT
    assert found.p == pytest.approx(binomtest(lost, lost + won).pvalue, rel=1e-9)
    assert found.gain == pytest.approx(second.mean() - first.mean())
    assert found.interval[0] < found.gain < found.interval[1]


def test_of_an_error_the_smaller_one_is_better(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    errors = draw.random(200) + 1
    [found] = compared(
        judged(tmp_path, {"mae": errors}, "mae"), judged(tmp_path, {"mae": errors - draw.random(200)}, "mae")
    ).differences
    assert (found.test, found.verdict) == (RESAMPLED, "better, beyond chance")
    assert found.gain == pytest.approx(0.5, abs=0.1)


def test_equal_answers_are_within_chance(tmp_path: Path) -> None:
    right = np.arange(200) % 3 > 0
    [found] = compared(*(judged(tmp_path, {"accuracy": right}, "accuracy") for _ in range(2))).differences
    assert (found.gain, found.p, found.verdict) == (0, 1, "within chance")


@pytest.mark.parametrize(
    ("values", "identity", "why"),
    [
        ({"accuracy": np.zeros(200)}, "other", "judged on other examples"),
        ({"loss": np.zeros(200)}, "same", "no mean over examples; ft eval --baseline tests it"),
    ],
)
def test_what_cannot_be_tested_says_why(tmp_path: Path, values: dict[str, Any], identity: str, why: str) -> None:
    first = judged(tmp_path, {"accuracy": np.zeros(200)}, "accuracy")
    [found] = compared(first, judged(tmp_path, values, "accuracy", identity)).differences
    assert found.verdict == why


def test_a_run_is_found_by_its_folder_its_number_and_its_name(tmp_path: Path) -> None:
    runs = [made(tmp_path) for _ in range(2)]
    for word, expected in (("x/1", runs[0]), ("x", runs[1]), (runs[0].path, runs[0]), ("x/latest", runs[1])):
        assert find_run(Path(word), tmp_path).path == expected.path
    with pytest.raises(ConfigError, match="y is no run, also not below"):
        find_run(Path("y"), tmp_path)


def test_a_setting_that_is_nothing_is_no_difference_from_one_that_is_not_there(tmp_path: Path) -> None:
    texts = ("data: {source: mnist}\ninputs: null\neval: {min: {}}\n", "data: {source: mnist, root: null}\n")
    assert compared(*(made(tmp_path, text) for text in texts)).settings == {}
