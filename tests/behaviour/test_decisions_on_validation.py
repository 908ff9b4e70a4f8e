"""Temperatures and thresholds are chosen on validation when training ends, and travel in the checkpoint."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ft

from ft.core.engine.checkpoint import load_checkpoint


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Rows of which one in five is ill; the value says it only roughly."""
    draw = np.random.default_rng(0)
    ill = draw.random(1_500) < 0.2
    values = draw.normal(size=1_500) + 1.2 * ill
    lines = ["v,w,state,tags"]
    for value, sick in zip(values, ill, strict=True):
        tags = "|".join(["hot"] * bool(value > 1.5) + ["odd"] * bool(sick))
        lines.append(f"{value:.4f},{draw.normal():.4f},{'ill' if sick else 'fine'},{tags}")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def experiment(home: Path, output: dict[str, Any], name: str = "state", **more: Any) -> str:
    settings = {
        "name": "clinic",
        "data": {"source": "table", "root": ".", "train": "rows.csv", "split": {"val": 400, "test": 400}},
        "inputs": {"v": {"type": "number"}, "w": {"type": "number"}},
        "outputs": {name: output},
        "model": {"body": [{"Linear": {"out_features": 16, "activation": "ReLU"}}]},
        "train": {"epochs": 8, "batch_size": 64, "lr": 0.02},
        "eval": {"metrics": ["accuracy", "sensitivity", "specificity", "ece", "loss"]},
        **more,
    }
    (home / "clinic.yaml").write_text(json.dumps(settings))
    return "clinic.yaml"


def answers(home: Path, run: str, split_rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    with (home / "ask.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["v", "w"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(split_rows)
    told = ft("predict", run, "ask.csv", "--json", cwd=home)
    assert told.code == 0, told.err
    found: list[dict[str, Any]] = json.loads(told.out)["predictions"]
    return found


def test_a_threshold_reaches_its_sensitivity_on_validation_and_answers_by_it(home: Path) -> None:
    output = {"type": "category", "positive": "ill", "threshold": {"sensitivity": 0.9}, "calibrate": "temperature"}
    trained = ft("train", experiment(home, output), cwd=home)
    assert trained.code == 0, trained.err
    decisions = load_checkpoint(home / "runs/clinic/1/checkpoints/best.pt")["decisions"]["state"]
    assert f"state: the positive class is answered from {decisions['threshold']:.3g} on" in trained.err
    assert 0 < decisions["threshold"] < 0.5
    judged = json.loads(ft("eval", "runs/clinic/1", "--split", "val", "--json", cwd=home).out)
    assert judged["metrics"]["sensitivity"] >= 0.9
    plain = json.loads(ft("train", experiment(home, {"type": "category", "positive": "ill"}), "--json", cwd=home).out)
    assert judged["metrics"]["sensitivity"] > plain["metrics"]["sensitivity"]

    with (home / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))[:200]
    for answer in answers(home, "runs/clinic/1", rows):
        ill = answer["probabilities"]["ill"]
        if abs(ill - decisions["threshold"]) > 1e-4:
            assert answer["value"] == ("ill" if ill > decisions["threshold"] else "fine")


def test_the_temperature_is_that_of_least_loss_on_validation_and_changes_no_answer(home: Path) -> None:
    sure = {"train": {"epochs": 40, "batch_size": 16, "lr": 0.05}}
    assert ft("train", experiment(home, {"type": "category"}, **sure), cwd=home).code == 0
    assert ft("train", experiment(home, {"type": "category", "calibrate": "temperature"}, **sure), cwd=home).code == 0
    plain, warm = (
        json.loads(ft("eval", f"runs/clinic/{run}", "--split", "val", "--json", cwd=home).out)["metrics"]
        for run in (1, 2)
    )
    assert plain["accuracy"] == warm["accuracy"]
    with (home / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    shares = np.array([each["probabilities"]["ill"] for each in answers(home, "runs/clinic/1", rows)])
    scores = np.log(shares / (1 - shares))
    temperature = load_checkpoint(home / "runs/clinic/2/checkpoints/best.pt")["decisions"]["state"]["temperature"]
    warmed = np.array([each["probabilities"]["ill"] for each in answers(home, "runs/clinic/2", rows)])
    assert np.log(warmed / (1 - warmed)) == pytest.approx(scores / temperature, abs=1e-3)
    assert warm["loss"] < plain["loss"]
    assert temperature != 1


def test_each_label_has_its_own_threshold(home: Path) -> None:
    output = {"type": "labels", "threshold": "f1"}
    file = experiment(home, output, "tags", eval={"metrics": ["f1"]})
    trained = json.loads(ft("train", file, "--json", cwd=home).out)
    first, second = load_checkpoint(home / "runs/clinic/1/checkpoints/best.pt")["decisions"]["tags"]["threshold"]
    assert first != second
    judged = json.loads(ft("eval", "runs/clinic/1", "--split", "val", "--json", cwd=home).out)
    assert judged["metrics"]["f1"] >= trained["metrics"]["f1"]  # 0.5 was one of those that could be chosen
    assert any("chosen on validation" in choice for choice in trained["choices"])


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ({"threshold": {"sensitivity": 0.9, "specificity": 0.5}}, "needs one of sensitivity and specificity"),
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": "f2"}, "threshold"),
        ({"calibrate": "platt"}, "calibrate"),
    ],
)
def test_what_cannot_be_chosen_is_told(home: Path, output: dict[str, Any], message: str) -> None:
    answer = ft("config", "validate", experiment(home, {"type": "category", **output}), cwd=home)
    assert answer.code == 2
    assert message in answer.err


def test_what_is_chosen_on_validation_needs_one(home: Path) -> None:
    data = {"source": "table", "root": ".", "train": "rows.csv", "split": {"test": 400}}
    for output in ({"calibrate": "temperature"}, {"threshold": "f1"}):
        answer = ft("train", experiment(home, {"type": "category", **output}, data=data), cwd=home)
        assert answer.code == 2
        assert "is chosen on validation and needs validation examples" in answer.err
    three = ft("train", experiment(home, {"type": "category", "threshold": 0.3}, "v"), cwd=home)
    assert three.code == 2
