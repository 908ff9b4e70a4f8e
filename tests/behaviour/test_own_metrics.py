"""Metrics of the user's own code: with an interval, in gates, slices and baselines; never run by a checkpoint alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import ft, write_config

CODE = """
import numpy as np
from cost_table import PRICE

def cost(answers):
    assert answers.classes[3] == "3" and answers.probabilities.shape == (len(answers.targets), 10)
    return PRICE * np.abs(answers.targets - answers.predictions)

def worst(answers):
    return float(np.abs(answers.targets - answers.predictions).max())

def breaks(answers):
    return answers.nothing

def shapeless(answers):
    return np.ones(3)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "cost_table.py").write_text("PRICE = 2.0\n")
    (tmp_path / "metrics.py").write_text(CODE)
    write_config(tmp_path / "tiny.yaml", {"train": {"epochs": 3, "batch_size": 64, "lr": 0.01}})
    assert ft("train", "tiny.yaml", cwd=tmp_path).code == 0
    return tmp_path


def test_a_value_of_each_example_has_an_interval_slices_gates_and_a_baseline(home: Path) -> None:
    words = ["--metric", "cost=metrics.py:cost:lower", "--metric", "worst=metrics.py:worst:lower", "--slice", "digit"]
    first = ft("eval", "runs/tiny/1", *words, "--max", "cost=9", "--out", "main.json", "--json", cwd=home)
    assert first.code == 0, first.err
    document = json.loads(first.out)
    matrix = document["outputs"]["digit"]["confusion"]
    count = sum(map(sum, matrix))
    cost = sum(2 * abs(i - j) * n for i, row in enumerate(matrix) for j, n in enumerate(row)) / count
    assert document["metrics"]["cost"] == pytest.approx(cost)
    assert document["intervals"]["cost"][0] < cost < document["intervals"]["cost"][1]
    assert document["metrics"]["worst"] == max(abs(i - j) for i, r in enumerate(matrix) for j, n in enumerate(r) if n)
    assert "worst" not in document["intervals"]
    report = (home / "runs/tiny/1/report-test.md").read_text().split("## Metrics of your own\n")[1]
    assert f"| cost   | {cost:.4f} |" in report
    mean = sum(part["count"] * part["metrics"]["cost"] for part in document["slices"]) / count
    assert mean == pytest.approx(cost)
    assert ft("train", "tiny.yaml", "train.max_steps=6", cwd=home).code == 0
    against = ["--baseline", "main.json", "--max-drop", "cost=0.1"]
    worse = ft("eval", "runs/tiny/2", *words, *against, cwd=home)
    assert worse.code == 3
    assert "drop of cost <= 0.1" in worse.err


def test_the_file_names_its_metrics_and_a_checkpoint_alone_runs_none(home: Path) -> None:
    folder = home / "there"
    folder.mkdir()
    own = {"cost": "../metrics.py:cost:lower"}
    write_config(folder / "own.yaml", {"name": "own", "eval": {"python": own, "max": {"cost": 0.0001}}})
    ran = ft("run", "there/own.yaml", cwd=home)
    assert ran.code == 3
    assert "cost <= 0.0001" in ran.err
    refused = ft("eval", "runs/own/1", cwd=home)
    assert refused.code == 2
    assert f"--metric cost={home / 'metrics.py'}:cost:lower" in refused.err
    allowed = ft("eval", "runs/own/1", "--metric", "cost=metrics.py:cost:lower", "--max", "cost=9", cwd=home)
    assert allowed.code == 0, allowed.err
    assert ft("eval", "runs/own/1", "eval.python.cost=metrics.py:cost", "eval.max={}", cwd=home).code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--metric", "cost"], "expected NAME=FILE.py:FUNCTION"),
        (["--metric", "cost=none.py:cost"], "there is no file"),
        (["--metric", "cost=metrics.py:cots"], "did you mean cost?"),
        (["--metric", "accuracy=metrics.py:cost"], "ft's own name"),
        (["--metric", "breaks=metrics.py:breaks"], "metrics.py:13: AttributeError"),
        (["--metric", "shapeless=metrics.py:shapeless"], "one for each of the 300 examples"),
        (["--metric", "cost=metrics.py:cost:lower", "--min", "cost=1"], "better when smaller"),
    ],
)
def test_code_that_is_not_as_it_should_be_is_told(home: Path, words: list[str], message: str) -> None:
    answer = ft("eval", "runs/tiny/1", *words, cwd=home)
    assert answer.code == 2
    assert message in answer.err
