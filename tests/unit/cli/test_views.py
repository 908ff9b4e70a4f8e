"""Screens of results: every output's own main metric, and what a reader needs to understand the others."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from rich.console import Console

from ft.cli import eval_view, run_views, views
from ft.core.engine.evaluate import Evaluation
from ft.core.metrics.scores import ClassScores, Scores
from ft.core.stages.deleting import Deletion, Going, Staying
from ft.core.stages.listing import Listing, RunRow
from ft.core.stages.results import EvalResult, FitResult, RunResult
from ft.core.stages.runs import Status


def printed(view: views.View, width: int = 300) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width)
    for line in view:
        console.print(line)
    return stream.getvalue()


def listed(rows: list[RunRow]) -> views.View:
    return run_views.listing(Listing(rows, len(rows)), Path("runs"))


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
    text = printed(listed([RunRow(Path("runs/prices/1"), status)]))
    assert "rmse 3.5000" in text
    assert "val rmse 3.5000, test 3.5000" in text
    assert "0.75" not in text
    assert "validation rmse 3.5000" in printed(views.fit_summary(fitted(metrics, "rmse", "rmse")))


def test_a_run_that_did_not_say_its_main_metric_shows_its_loss() -> None:
    status = Status("train", "prices", 1, metrics={"loss": 0.25, "rmse": 3.5})
    assert "loss 0.2500" in printed(listed([RunRow(Path("runs/prices/1"), status)]))


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
    narrow = printed(listed(rows), width=80).splitlines()
    [line] = [line for line in narrow if "finetune" in line]
    assert line.startswith("runs/pic")
    assert line.split()[0].endswith("…/12")
    assert datetime.fromtimestamp(0).strftime("%Y-%m-%d %H:%M") in line
    assert f"runs/{name}/12" in printed(listed(rows)), "whole where there is room"


def test_what_was_just_judged_is_not_to_be_judged_again() -> None:
    judgement = judged({"pet": Scores({"accuracy": 0.5}, count=10)})
    ranking = judged({"film": Scores({"mrr": 0.5}, count=10, unit="users")})
    fit = fitted({"loss": 0.5}, "loss", "loss")
    assert "next      ft eval runs/pets/1" in printed(views.run(RunResult([fit], None, None)))
    for evaluation, asking in ((judgement, "FILE"), (ranking, "--user ID")):
        told = printed(views.run(RunResult([fit], evaluation, None)))
        assert "ft eval" not in told
        assert f"next      ft predict runs/pets/1 {asking}" in told


def test_a_list_as_wide_as_its_terminal_loses_no_letter_and_says_what_has_no_room() -> None:
    scores = {"val": {"accuracy": 0.123456}, "test": {"accuracy": 0.654321}}
    status = Status("finetune", "x", 12, state="interrupted", started=0.0, epochs=7, metrics=scores["val"],
                    evaluations={"test": scores["test"]}, main_metrics=["accuracy"])  # fmt: skip
    row = RunRow(
        Path("runs/a-rather-long-name-of-pictures/12"), status, 1234, {"train.batch_size": 128, "train.lr": 1e-3}
    )
    found = Listing([row] * 3, 9, ("train.lr", "train.batch_size"))
    wide = printed(run_views.listing(found, Path("runs")), width=200)
    assert "no room" not in wide
    for width in range(40, 200, 5):
        text = printed(run_views.listing(found, Path("runs")), width=width)
        assert all(len(line) <= width for line in text.splitlines())
        assert "0.001" in text or "train.lr" in text.partition("no room for")[2]
        for column, value in {
            "epochs": "7",
            "started": "1970-01-01",
            "state": "interrupted",
            "stage": "finetune",
        }.items():
            shown, _, missing = text.partition("no room for")
            assert (value in shown.split() and column in shown) or column in missing, (width, column)
        assert "val accuracy 0.1235," in text or width < 60
        assert "3 of 9 runs" in text


def test_settings_are_shown_as_a_file_holds_them_on_one_line() -> None:
    status = Status("train", "x", 1)
    values = {"train.optimizer": {"sgd": {"momentum": 0.9}}, "train.clip_norm": None, "tensorboard": False,
              "finetune.freeze": [0, "conv*"], "data.root": "a\nb"}  # fmt: skip
    text = printed(
        run_views.listing(Listing([RunRow(Path("runs/x/1"), status, None, values)], 1, tuple(values)), Path("runs"))
    )
    for told in ("{sgd: {momentum: 0.9}}", " null ", " false ", "[0, conv*]", "a b"):
        assert told in text


def test_sizes_are_told_in_units_that_people_read() -> None:
    assert [run_views.size(count) for count in (0, 999, 1000, 999_949, 999_950, 12_345_678, 10**13)] == [
        "0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "12.3 MB", "10.0 TB",
    ]  # fmt: skip


def test_a_plan_of_deletion_says_that_it_is_one() -> None:
    going = Going(Path("runs/x/1"), "failed", 2_000, "unfinished")
    plan = Deletion(
        (going,), (Staying(Path("runs/x/2"), "runs/x/3 began from it"),), (Path("runs/x/.deleted-4-ab"),), 500
    )
    text = printed(run_views.deletion(plan, Path("runs")))
    assert text.startswith("would delete 1 run, 2.5 kB\n")
    assert "1 unfinished deletion of before, 500 B" in text
    assert "kept      runs/x/2: runs/x/3 began from it" in text
    assert text.endswith("nothing was deleted; the same with --yes deletes\n")
    done = printed(run_views.deletion(replace(plan, done=True), Path("runs")))
    assert done.startswith("deleted 1 run, 2.5 kB\n")
    assert "nothing was deleted" not in done
    assert printed(run_views.deletion(Deletion(()), Path("runs"))) == "nothing to delete below runs/\n"
