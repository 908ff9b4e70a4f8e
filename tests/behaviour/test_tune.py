"""`ft tune`: trials that are ordinary runs, a study that loses none, a best.yaml that gives the best trial again."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from command_line import FT, Answer, changed, ft, wait_for, write_config
from dying import dying, pausing
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ft.core.engine.checkpoint import load_checkpoint
from ft.core.stages.tuning import trial as trials

SEARCH: dict[str, Any] = {
    "train.lr": {"log": [1e-4, 0.3]},
    "train.batch_size": {"choices": [64, 128]},
    "model.layers.1.Linear.out_features": {"log_int": [4, 64]},
}
TUNE: dict[str, Any] = {
    "train": {"epochs": 2},
    "tune": {"search": SEARCH, "sampler": "random", "pruner": "none", "trials": 4},
}


def with_tune(**changes: Any) -> dict[str, Any]:
    return changed(TUNE, {"tune": changes})


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with c.yaml and its finished search of four random trials. Not to be changed."""
    folder = tmp_path_factory.mktemp("searched")
    write_config(folder / "c.yaml", TUNE)
    answer = ft("tune", "c.yaml", "--json", cwd=folder)
    assert answer.code == 0, answer.err
    (folder / "said.json").write_text(answer.out)
    return folder


@pytest.fixture
def work(searched: Path, tmp_path: Path) -> Path:
    shutil.copytree(searched, tmp_path / "work", symlinks=True)
    return tmp_path / "work"


def said(answer: Answer) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(answer.out)
    return document


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "said.json").read_text())
    return found


def study_of(folder: Path, name: str = "tiny") -> Path:
    (found,) = (folder / f"runs/{name}-tune").glob("study-*")
    return found


def journal(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """The trials as optuna itself reads them."""
    storage = JournalStorage(JournalFileBackend(str(study_of(folder) / "journal.log")))
    return optuna.load_study(study_name="study", storage=storage).trials


def outcomes(folder: Path) -> list[tuple[dict[str, Any], float | None]]:
    return [(trial.params, trial.value) for trial in journal(folder)]


def weights(path: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_checkpoint(path)["weights"]
    return found


# ---------------------------------------------------------------- what it leaves


def test_best_yaml_is_trained_as_it_is_and_gives_the_bits_of_the_best_trial(work: Path) -> None:
    best = document(work)["best"]
    assert best["score"] == max(trial["score"] for trial in document(work)["trials"])
    answer = ft("train", study_of(work) / "best.yaml", "--json", cwd=work)
    assert answer.code == 0, answer.err
    assert said(answer)["name"] == "tiny"
    assert said(answer)["metrics"]["accuracy"] == best["score"]
    ours, theirs = (
        weights(work / "runs/tiny/1/checkpoints/best.pt"),
        weights(work / best["run"] / "checkpoints/best.pt"),
    )
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_each_trial_is_an_ordinary_run_with_the_settings_that_were_drawn(work: Path) -> None:
    for row in document(work)["trials"]:
        checkpoint = load_checkpoint(work / row["run"] / "checkpoints/best.pt")
        settings = checkpoint["experiment"]
        assert settings["train"]["lr"] == row["settings"]["train.lr"]
        assert settings["train"]["batch_size"] == row["settings"]["train.batch_size"]
        width = row["settings"]["model.layers.1.Linear.out_features"]
        assert settings["model"]["layers"][1]["Linear"]["out_features"] == width
        assert "tune" not in settings
        assert 1e-4 <= row["settings"]["train.lr"] <= 0.3
        assert 4 <= width <= 64
        assert json.loads((work / row["run"] / "result.json").read_text())["metrics"]["accuracy"] == row["score"]
    answer = ft("runs", cwd=work)
    assert [f"train, trial {number}" in answer.out for number in (1, 2, 3, 4)] == [True] * 4


def test_no_trial_is_taken_for_the_newest_training(work: Path) -> None:
    answer = ft("eval", cwd=work)
    assert (answer.code, answer.errors) == (
        2,
        ["there is no finished run below runs/; name a checkpoint, or run ft train first"],
    )
    assert ft("finetune", "c.yaml", cwd=work).code == 2


def test_quiet_leaves_the_path_of_best_yaml(work: Path) -> None:
    answer = ft("tune", "c.yaml", "-q", cwd=work)
    assert (answer.code, answer.err) == (0, "")
    assert (work / answer.out.strip()).samefile(study_of(work) / "best.yaml")


def test_smoke_runs_two_trials_and_keeps_nothing(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", TUNE)
    answer = ft("tune", "c.yaml", "--smoke", "--test", "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert len(said(answer)["trials"]) == 2
    assert said(answer)["best_config"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


def test_the_report_says_what_a_reader_must_know(work: Path) -> None:
    report = (study_of(work) / "report.md").read_text()
    assert "it is too good by chance" in report
    assert "](parallel.svg)" in report
    assert "the best of 4 random draws is expected at" in report.lower()
    best = document(work)["best"]
    assert f"(trial {best['number']}, the best of 4: 4 finished)" in report
    assert "<polyline" in (study_of(work) / "report.html").read_text()


def test_the_test_split_is_looked_at_only_when_asked_and_once(work: Path) -> None:
    assert document(work)["test"] is None
    answer = ft("tune", "c.yaml", "--test", "--json", cwd=work)
    assert answer.code == 0, answer.err
    judged = ft("eval", document(work)["best"]["run"], "--json", cwd=work)
    assert said(answer)["test"]["metrics"] == said(judged)["metrics"]
    assert said(answer)["looks"] == 1
    assert "The test split was looked at once" in (study_of(work) / "report.md").read_text()


def test_looks_at_the_test_split_are_counted_by_trial(tmp_path: Path) -> None:
    tune = {"search": {"train.lr": {"choices": [1e-6, 0.01]}}, "sampler": "grid", "pruner": "none"}
    write_config(tmp_path / "c.yaml", {"tune": tune})
    first, again, both = (
        said(ft("tune", "c.yaml", f"tune.trials={trials}", "--test", "--json", cwd=tmp_path)) for trials in (1, 1, 2)
    )
    assert [each["best"]["settings"]["train.lr"] for each in (first, again, both)] == [1e-6, 1e-6, 0.01]
    assert [each["looks"] for each in (first, again, both)] == [1, 1, 2]
    assert "2 trials of this study were looked at on the test split" in (study_of(tmp_path) / "report.md").read_text()


def test_the_test_split_is_told_by_the_metric_searched_for_though_eval_shows_others(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {**with_tune(metric="loss", trials=1), "eval": {"metrics": ["accuracy"]}})
    answer = ft("tune", "c.yaml", "--test", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "on the test split, looked at once: loss " in answer.out


# ---------------------------------------------------------------- one study, many commands


def test_the_same_command_again_has_nothing_to_do_and_more_trials_go_on(work: Path) -> None:
    before = outcomes(work)
    assert ft("tune", "c.yaml", cwd=work).code == 0
    assert outcomes(work) == before
    assert ft("tune", "c.yaml", "tune.trials=6", cwd=work).code == 0
    assert outcomes(work)[:4] == before
    assert len(outcomes(work)) == 6


def test_a_changed_experiment_begins_another_study(work: Path) -> None:
    assert ft("tune", "c.yaml", "train.weight_decay=0.01", "tune.trials=1", cwd=work).code == 0
    assert len(list((work / "runs/tiny-tune").glob("study-*"))) == 2


def test_of_two_searching_processes_one_is_killed_and_no_trial_is_lost(searched: Path, tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", TUNE)
    with pausing(5, "tune", "c.yaml", cwd=tmp_path) as other:
        assert dying("step", 5, "tune", "c.yaml", cwd=tmp_path) == -signal.SIGKILL  # in a trial of its own
        assert [trial.state.name for trial in journal(tmp_path)] == ["RUNNING", "RUNNING"]
        other.send_signal(signal.SIGCONT)
        assert other.wait(240) == 0
    assert outcomes(tmp_path) == outcomes(searched)
    assert len([path for path in (tmp_path / "runs/tiny-tune").iterdir() if path.name.isdecimal()]) == 4
    assert {trial.state.name for trial in journal(tmp_path)} == {"COMPLETE"}


def test_a_search_that_is_terminated_goes_on_where_it_was(tmp_path: Path) -> None:
    slow = {**TUNE, "train": {"epochs": 80}}
    write_config(tmp_path / "slow.yaml", slow)
    with subprocess.Popen([*FT, "tune", "slow.yaml"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: (tmp_path / "runs/tiny-tune/1/checkpoints/last.pt").exists(), process)
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=240)[1]
    assert process.returncode == 75
    assert "go on with: ft tune slow.yaml\n" in told
    (interrupted,) = journal(tmp_path)
    assert interrupted.state.name == "RUNNING"
    answer = ft("tune", "slow.yaml", "tune.trials=1", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "trial 1 of 1 (taken over)" in answer.err
    assert [path.name for path in (tmp_path / "runs/tiny-tune").iterdir() if path.name.isdecimal()] == ["1"]
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(tmp_path / "slow.yaml", alone)
    assert ft("tune", "slow.yaml", "tune.trials=1", cwd=alone).code == 0
    assert outcomes(tmp_path) == outcomes(alone)


# ---------------------------------------------------------------- trials that fail or are given up


def test_a_trial_that_diverges_is_told_and_the_search_goes_on(tmp_path: Path) -> None:
    search = {"train.lr": {"choices": [1e30, 0.01]}}
    tune = {"search": search, "sampler": "grid", "pruner": "none"}
    write_config(tmp_path / "c.yaml", {"train": {"optimizer": "sgd"}, "tune": tune})
    answer = ft("tune", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    states = {row["settings"]["train.lr"]: row["state"] for row in said(answer)["trials"]}
    assert states == {1e30: "failed", 0.01: "finished"}
    assert "failed: diverged: " in answer.err
    assert said(answer)["best"]["settings"] == {"train.lr": 0.01}


def test_when_all_trials_diverge_the_search_did_too(tmp_path: Path) -> None:
    tune = {"search": {"train.lr": {"choices": [1e30, 1e31]}}, "trials": 2}
    write_config(tmp_path / "c.yaml", {"train": {"optimizer": "sgd"}, "tune": tune})
    answer = ft("tune", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code == 5
    assert said(answer)["error"].startswith("no trial finished (2 failed); trial 2: diverged: ")
    assert ft("tune", "c.yaml", cwd=tmp_path).code == 5  # and so it stays


def test_a_trial_that_runs_out_of_memory_is_told_and_the_search_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, calls = trials.train, []

    def sometimes(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("CUDA error: out of memory")
        return train(*arguments)

    monkeypatch.setattr(trials, "train", sometimes)
    write_config(tmp_path / "c.yaml", with_tune(trials=2))
    answer = ft("tune", "c.yaml", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "warning: trial 1 failed: out of memory: CUDA error: out of memory" in answer.err
    assert [trial.state.name for trial in journal(tmp_path)] == ["FAIL", "COMPLETE"]


def test_hopeless_trials_are_given_up_early_and_their_runs_are_called_so(tmp_path: Path) -> None:
    search = {"train.lr": {"choices": [1e-6, 2e-6, 3e-6, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06]}}
    tune = {"search": search, "sampler": "grid", "pruner": "median"}
    write_config(tmp_path / "c.yaml", {"train": {"epochs": 3}, "tune": tune})
    answer = ft("tune", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    pruned = [row for row in said(answer)["trials"] if row["state"] == "pruned"]
    assert pruned
    for row in pruned:
        status = json.loads((tmp_path / row["run"] / "status.json").read_text())
        assert (status["state"], status["epochs"] < 3) == ("pruned", True)
        assert row["why"].endswith("lags behind")
    found = journal(tmp_path)
    first = {trial.number: trial.intermediate_values[1] for trial in found}
    for trial in found:
        if trial.state.name == "PRUNED" and len(trial.intermediate_values) == 1:
            before = [first[each.number] for each in found[: trial.number] if each.state.name == "COMPLETE"]
            assert first[trial.number] < sorted(before)[len(before) // 2]


def test_a_grid_is_every_combination_once(tmp_path: Path) -> None:
    search = {
        "train.batch_size": {"int": [32, 96], "step": 32},
        "train.optimizer": {"choices": ["adam", {"sgd": {"momentum": 0.9}}]},
    }
    write_config(tmp_path / "c.yaml", {"train": {"max_steps": 1}, "tune": {"search": search, "sampler": "grid"}})
    answer = ft("tune", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    drawn = [json.dumps(list(row["settings"].values())) for row in said(answer)["trials"]]
    wanted = [json.dumps([size, kind]) for size in (32, 64, 96) for kind in ("adam", {"sgd": {"momentum": 0.9}})]
    assert sorted(drawn) == sorted(wanted)


# ---------------------------------------------------------------- other stages, other metrics


def test_fine_tuning_is_searched_from_one_training(work: Path) -> None:
    assert ft("train", "c.yaml", cwd=work).code == 0
    tune = {"stage": "finetune", "metric": "loss", "trials": 2, "search": {"finetune.lr": {"log": [1e-4, 1e-2]}}}
    write_config(work / "f.yaml", {"finetune": {"epochs": 1, "freeze": [1]}, "tune": tune})
    answer = ft("tune", "f.yaml", "--json", cwd=work)
    assert answer.code == 0, answer.err
    found = said(answer)
    assert found["direction"] == "min"
    assert found["best"]["score"] == min(row["score"] for row in found["trials"])
    again = ft("finetune", found["best_config"], "--json", cwd=work)
    assert said(again)["metrics"]["loss"] == found["best"]["score"]
    assert said(again)["parent"].endswith("runs/tiny/1")


# ---------------------------------------------------------------- refused before anything runs


@pytest.mark.parametrize(
    ("key", "search", "told"),
    [
        ("train.lrr", {"log": [0.1, 1]}, "train.lrr=0.1: train.lrr is not a setting; did you mean lr?"),
        (
            "train.batch_size",
            {"linear": [1, 3]},
            "train.batch_size=1.0: train.batch_size is 1.0; expected a whole number",
        ),
        ("train.batch_size", {"int": [64, 5000]}, "train.batch_size is 5000, more than the 1297 training examples"),
        ("train.optimizer", {"log": [0.1, 1]}, "train.optimizer is no number (object or text); search it by choices"),
        ("train.augment", {"int": [0, 1]}, "train.augment is no number (boolean); search it by choices"),
        ("train.schedule", {"choices": ["cosine", "stp"]}, 'train.schedule="stp": stp is not a schedule; did you mean'),
        ("model.layers.1.Linear.out", {"int": [4, 8]}, "model.layers.1.Linear.out=4: Linear has no argument out;"),
        ("model.layers.7.Linear.bias", {"choices": [True]}, "model.layers.7.Linear.bias=true: model.layers is a list;"),
        ("finetune.lr", {"log": [0.1, 1]}, "finetune.lr changes nothing of train, whatever its value"),
        ("data.split.val", {"linear": [0.1, 0.2]}, "data.split.val changes the validation examples"),
        ("name", {"choices": ["a", "b"]}, "name names the runs and has no part in the score"),
    ],
)
def test_what_cannot_be_searched_is_told_at_its_place(
    key: str, search: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = write_config(tmp_path / "c.yaml", {"tune": {"search": {key: search}}})
    line = next(
        number for number, text in enumerate(path.read_text().splitlines(), 1) if f"{key}:" in text and number > 14
    )
    answer = ft("tune", "c.yaml", cwd=tmp_path)
    assert answer.code == 2
    (error,) = answer.errors
    assert error.startswith(f"c.yaml:{line}:5 {told}")
    if "training examples" not in told:  # for which the data must be read
        assert ft("config", "validate", "c.yaml", cwd=tmp_path).errors == [error]
    assert not (tmp_path / "runs").exists()


def test_a_metric_that_is_never_reported_is_told_before_anything_runs(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", with_tune(metric="acuracy"))
    answer = ft("tune", "c.yaml", cwd=tmp_path)
    assert answer.code == 2
    assert "no metric is called acuracy; did you mean accuracy?" in answer.errors[0]
    assert not (tmp_path / "runs").exists()


def test_a_file_that_searches_nothing_is_told_how_to(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml")
    answer = ft("tune", "c.yaml", cwd=tmp_path)
    assert (answer.code, "add e.g. tune:" in answer.errors[0]) == (2, True)


def test_without_optuna_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    write_config(tmp_path / "c.yaml", TUNE)
    answer = ft("tune", "c.yaml", cwd=tmp_path)
    assert (answer.code, answer.errors) == (
        2,
        ["ft tune needs an optional library; install it with: pip install 'ft[tune]'"],
    )
