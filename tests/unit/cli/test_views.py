"""Screens of results: every output's own main metric, and what a reader needs to understand the others."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from rich.console import Console

from ft.cli import eval_view, views
from ft.core.engine.evaluate import Evaluation
from ft.core.metrics.scores import ClassScores, Scores
from ft.core.stages.listing import RunRow
from ft.core.stages.results import EvalResult, FitResult, RunResult
from ft.core.stages.runs import Status


def printed(view: views.View, width: int = 300) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width)
    for line in view:
        console.print(line)
    return stream.getvalue()


def judged(scores: dict[str, Scores]) -> EvalResult:
    evaluation = Evaluation(0.5, scores, next(iter(scores.values())).count)
    metrics = evaluation.metrics()
    return EvalResult(
        "pets", "train", Path("best.pt"), None, "test", "", evaluation, metrics, {}, "loss", [], 1.0, "cpu", "fp32"
    )


def fitted(metrics: dict[str, float], main: str, *mains: str) -> FitResult:
    return FitResult(
        "train", "pets", Path("runs/pets/1"), Path("best.pt"), metrics, {}, main, None, 2, 3, 30, "epochs", 1.0, 10, 10,
        0, "cpu", "fp32", main_metrics=mains,
    )  # fmt: skip


def test_the_list_of_runs_shows_the_metric_that_the_training_showed() -> None:
    metrics = {"loss": 0.25, "rmse": 3.5, "r2": 0.75}
    status = Status("train", "prices", 1, metrics=metrics, evaluations={"test": metrics}, main_metrics=["rmse"])
    text = printed(views.runs([RunRow(Path("runs/prices/1"), status)], Path("runs")))
    assert "rmse 3.5000" in text
    assert "val rmse 3.5000, test 3.5000" in text
    assert "0.75" not in text
    assert "validation rmse 3.5000" in printed(views.fit_summary(fitted(metrics, "rmse", "rmse")))


def test_a_run_that_did_not_say_its_main_metric_shows_its_loss() -> None:
    status = Status("train", "prices", 1, metrics={"loss": 0.25, "rmse": 3.5})
    assert "loss 0.2500" in printed(views.runs([RunRow(Path("runs/prices/1"), status)], Path("runs")))


def test_a_metric_that_was_never_a_number_chose_nothing_and_that_is_said() -> None:
    result = replace(fitted({}, "auroc", "accuracy"), undecided=True)
    assert "validation auroc was never a number: best is the last state" in printed(views.fit_summary(result))
    assert "no validation split" in printed(views.fit_summary(replace(result, undecided=False)))


def test_every_output_speaks_for_itself() -> None:
    metrics = {"loss": 0.5, "digit/accuracy": 0.9, "speaker/accuracy": 0.8}
    text = printed(views.fit_summary(fitted(metrics, "loss", "digit/accuracy", "speaker/accuracy")))
    assert "validation loss 0.5000, best at epoch 2 of 3" in text
    assert "digit/accuracy        0.9000" in text
    assert "speaker/accuracy      0.8000" in text


def test_the_positive_class_stands_beside_the_scores() -> None:
    scores = Scores({"auroc": 0.9}, positive="pneumonia", count=10, notes=("positive: pneumonia",))
    assert "  positive: pneumonia\n" in printed(eval_view.evaluation(judged({"finding": scores})))
    several = printed(eval_view.evaluation(judged({"finding": scores, "age": Scores({"mae": 1.0}, count=10)})))
    assert "  finding: positive: pneumonia\n" in several


def test_labels_are_listed_and_users_are_called_users() -> None:
    labels = Scores({"f1": 0.5}, per_class=[ClassScores("war", 0.5, 0.25, 0.125, 7)], count=10)
    assert "war" in printed(eval_view.evaluation(judged({"genre": labels})))
    ranking = Scores({"ndcg@10": 0.1}, count=943, unit="users")
    assert "943 test users" in printed(eval_view.evaluation(judged({"film": ranking})))


def test_a_long_name_is_shortened_where_a_date_would_break() -> None:
    status = Status("finetune", "x", 12, state="interrupted", started=0.0, metrics={"loss": 0.25})
    name = "pictures-of-birds-with-a-large-network-and-all-augmentation"
    rows = [RunRow(Path(f"runs/{name}/12"), status)]
    narrow = printed(views.runs(rows, Path("runs")), width=80).splitlines()
    [line] = [line for line in narrow if "finetune" in line]
    assert line.startswith("runs/pic")
    assert line.split()[0].endswith("…/12")
    assert datetime.fromtimestamp(0).strftime("%Y-%m-%d %H:%M") in line
    assert f"runs/{name}/12" in printed(views.runs(rows, Path("runs"))), "whole where there is room"


def test_what_was_just_judged_is_not_to_be_judged_again() -> None:
    judgement = judged({"pet": Scores({"accuracy": 0.5}, count=10)})
    ranking = judged({"film": Scores({"mrr": 0.5}, count=10, unit="users")})
    fit = fitted({"loss": 0.5}, "loss", "loss")
    assert "next      ft eval runs/pets/1" in printed(views.run(RunResult([fit], None, None)))
    for evaluation, asking in ((judgement, "FILE"), (ranking, "--user ID")):
        told = printed(views.run(RunResult([fit], evaluation, None)))
        assert "ft eval" not in told
        assert f"next      ft predict runs/pets/1 {asking}" in told
