"""`ft runs` and `ft runs delete`, as typed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import get_args

import pytest
from command_line import FT, Answer, ft, wait_for, write_config
from made_runs import made_run

from ft.cli.commands.runs import Stage, State
from ft.cli.schemas import parts


@pytest.fixture
def home(tmp_path: Path) -> Path:
    runs = tmp_path / "runs"
    for place, score in enumerate((0.5, 0.9, 0.7)):
        settings = {"train": {"lr": 10.0**-place}}
        made_run(runs, "pets", settings, metrics={"accuracy": score, "loss": 1 - score}, started=float(place))
    made_run(runs, "pets", state="failed", finished=None)
    return tmp_path


def paths(answer: Answer) -> list[str]:
    assert answer.code == 0, answer.err
    return [run["path"] for run in json.loads(answer.out)["runs"]]


def test_runs_are_filtered_sorted_and_compared_on_one_line(home: Path) -> None:
    line = [
        "runs",
        "pets",
        "--state",
        "finished",
        "--where",
        "accuracy>0.6",
        "--sort",
        "accuracy",
        "--columns",
        "train.lr",
    ]
    assert paths(ft(*line, "--json", cwd=home)) == ["runs/pets/2", "runs/pets/3"]
    shown = ft(*line, cwd=home).out
    assert shown.index("runs/pets/2") < shown.index("runs/pets/3")
    assert "train.lr" in shown
    assert "  2 of 4 runs\n" in shown
    assert paths(ft("runs", "--limit", "2", "--json", cwd=home)) == ["runs/pets/3", "runs/pets/4"]
    assert paths(ft("runs", "list", "--state", "failed", "--state", "killed", "--json", cwd=home)) == ["runs/pets/4"]


def test_nothing_found_is_no_error_and_says_which_nothing(home: Path) -> None:
    assert ft("runs", "pest", cwd=home).out == "none of the 4 runs below runs/ is asked for; did you mean pets?\n"
    assert ft("runs", "--runs-dir", "none", cwd=home).out == "no runs below none/\n"
    assert "these runs differ in no setting" not in ft("runs", "--differing", cwd=home).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sort", "acuracy"], "did you mean accuracy?"),
        (["--where", "train.lrr=1"], "did you mean train.lr?"),
        (["--where", "train.lr"], "expected KEY=VALUE"),
        (["--columns", ","], "--columns names nothing"),
        (["delete"], "name runs, e.g. ft runs delete digits/3"),
        (["delete", "pets/1", "--by", "loss"], "--by loss ranks runs for --keep-best N"),
        (["delete", "pets/9"], "there is no run pets/9 below runs/"),
    ],
)
def test_what_cannot_be_asked_is_told(home: Path, words: list[str], message: str) -> None:
    answer = ft("runs", *words, cwd=home)
    assert answer.code == 2
    assert message in answer.err
    assert answer.out == ""


def test_without_yes_nothing_is_deleted_and_with_it_what_was_said(home: Path) -> None:
    line = ["runs", "delete", "pets", "--failed", "--keep-best", "1"]
    planned = ft(*line, "--json", cwd=home)
    assert json.loads(planned.out)["deleted"] is False
    assert ft(*line, cwd=home).out.endswith("nothing was deleted; the same with --yes deletes\n")
    assert len(paths(ft("runs", "--json", cwd=home))) == 4
    done = json.loads(ft(*line, "--yes", "--json", cwd=home).out)
    assert done == {**json.loads(planned.out), "deleted": True}
    assert paths(ft("runs", "--json", cwd=home)) == ["runs/pets/2"]
    again = ft(*line, "--yes", cwd=home)
    assert (again.code, again.out) == (0, "nothing to delete below runs/\n")


def test_a_training_under_way_is_not_deleted_and_goes_on(tmp_path: Path) -> None:
    write_config(tmp_path / "tiny.yaml", {"train": {"epochs": 100_000, "checkpoint_every_steps": 5}})
    with subprocess.Popen(
        [*FT, "train", "tiny.yaml"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as training:
        last = tmp_path / "runs/tiny/1/checkpoints/last.pt"
        wait_for(last.exists, training)
        answer = ft("runs", "delete", "tiny/1", "--yes", cwd=tmp_path)
        assert (answer.code, answer.errors) == (6, ["runs/tiny/1 is not deleted: a process works on it"])
        assert training.poll() is None
        training.kill()
    swept = ft("runs", "delete", "--failed", "--json", cwd=tmp_path)
    (gone,) = json.loads(swept.out)["runs"]
    assert (gone["state"], gone["why"]) == ("killed", "unfinished; --resume could go on")
    assert ft("runs", "delete", "tiny/latest", "--yes", cwd=tmp_path).code == 0
    assert not last.exists()


def test_an_experiment_may_be_called_as_a_command(home: Path) -> None:
    made_run(home / "runs", "delete")
    assert paths(ft("runs", "list", "delete", "--json", cwd=home)) == ["runs/delete/1"]


def test_the_states_and_stages_named_twice_are_the_same() -> None:
    assert list(State) == list(get_args(parts.State))
    assert list(Stage) == list(get_args(parts.Stage))
