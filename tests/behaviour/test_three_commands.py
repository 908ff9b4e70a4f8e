"""Train, fine-tune, evaluate: what each takes, what it says, what it leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from command_line import ft, ft_process, write_config


def test_the_three_commands_follow_each_other_without_a_file_named(tmp_path: Path) -> None:
    write_config(tmp_path / "tiny.yaml")
    assert ft("train", "tiny.yaml", cwd=tmp_path).code == 0
    finetuned = ft("finetune", "--freeze", "0,1", cwd=tmp_path)
    assert finetuned.code == 0
    assert "the newest finished training run: runs/tiny/1" in finetuned.err
    judged = ft("eval", cwd=tmp_path)
    assert judged.code == 0
    assert "the newest finished run: runs/tiny/2" in judged.err
    assert "300 test examples" in judged.out


def test_finetuning_twice_starts_from_the_training_both_times(trained: Path) -> None:
    for _ in range(2):
        answer = ft("finetune", "--json", cwd=trained)
        assert json.loads(answer.out)["parent"] == str(trained / "runs/tiny/1")


def test_a_finetuning_is_a_run_of_its_own_that_names_its_parent(trained: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in (trained / "runs/tiny/1").rglob("*"))
    assert ft("finetune", cwd=trained).code == 0
    status = json.loads((trained / "runs/tiny/2/status.json").read_text())
    assert (status["stage"], status["state"], status["parent"]) == (
        "finetune",
        "finished",
        str(trained / "runs/tiny/1"),
    )
    assert sorted((path, path.stat().st_mtime_ns) for path in (trained / "runs/tiny/1").rglob("*")) == before


def test_a_checkpoint_is_judged_with_nothing_beside_it(checkpoint: Path) -> None:
    answer = ft_process("eval", checkpoint.name, cwd=checkpoint.parent)
    assert answer.code == 0, answer.err
    assert "300 test examples" in answer.out
    assert [path.name for path in checkpoint.parent.iterdir()] == ["checkpoint.pt"]


def test_a_run_stands_for_its_best_checkpoint(trained: Path) -> None:
    by_run = json.loads(ft("eval", "runs/tiny/1", "--json", cwd=trained).out)
    by_file = json.loads(ft("eval", "runs/tiny/1/checkpoints/best.pt", "--json", cwd=trained).out)
    by_link = json.loads(ft("eval", "runs/tiny/latest", "--json", cwd=trained).out)
    assert by_run["metrics"] == by_file["metrics"] == by_link["metrics"]


def test_judging_a_run_writes_into_it(trained: Path) -> None:
    assert ft("eval", cwd=trained).code == 0
    assert (trained / "runs/tiny/1/report-test.md").is_file()
    status = json.loads((trained / "runs/tiny/1/status.json").read_text())
    assert 0.7 < status["evaluations"]["test"]["accuracy"] <= 1


def test_the_scores_are_those_of_an_independent_count(trained: Path) -> None:
    """The confusion matrix adds up to the accuracy, to the recalls and to the number of test examples."""
    answer = json.loads(ft("eval", "--json", cwd=trained).out)
    digit = answer["outputs"]["digit"]
    confusion = torch.tensor(digit["confusion"])
    assert confusion.sum() == 300
    assert answer["metrics"]["accuracy"] == pytest.approx(confusion.diag().sum().item() / 300)
    recalls = (confusion.diag() / confusion.sum(1)).tolist()
    assert [row["recall"] for row in digit["per_class"]] == pytest.approx(recalls)


# ---------------------------------------------------------------- the run's folder


def test_a_run_holds_what_the_contract_names(trained_folder: Path) -> None:
    run = trained_folder / "runs/tiny/1"
    assert {path.name for path in run.iterdir()} == {
        "config.yaml", "env.json", "metrics.jsonl", "checkpoints", "report.md", "report.html", "report.json",
        "status.json", "result.json", ".lock",
    }  # fmt: skip
    assert {path.name for path in (run / "checkpoints").iterdir()} == {"best.pt", "last.pt"}
    assert (run.parent / "latest").resolve() == run.resolve()
    environment = json.loads((run / "env.json").read_text())
    assert {"torch", "device", "threads", "fingerprint"} <= environment.keys()
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {row["event"] for row in rows} == {"train", "validation", "epoch"}


def test_tensorboard_files_are_written_when_wished(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    write_config(tmp_path / "c.yaml", {"tensorboard": True, "train": {"max_steps": 2}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    assert list((tmp_path / "runs/tiny/1/tensorboard").iterdir())


def test_the_kept_settings_run_again_and_give_the_same_bits(trained: Path) -> None:
    shutil.copy(trained / "runs/tiny/1/config.yaml", trained / "again.yaml")
    assert ft("train", "again.yaml", cwd=trained).code == 0
    first, second = (
        torch.load(trained / f"runs/tiny/{number}/checkpoints/best.pt", weights_only=True) for number in (1, 2)
    )
    assert first["weights"].keys() == second["weights"].keys()
    assert all(torch.equal(value, second["weights"][name]) for name, value in first["weights"].items())
    assert first["metrics"] == second["metrics"]


def test_another_seed_gives_other_bits(trained: Path) -> None:
    assert ft("train", "tiny.yaml", "seed=4", cwd=trained).code == 0
    first, second = (
        torch.load(trained / f"runs/tiny/{number}/checkpoints/best.pt", weights_only=True)["weights"]
        for number in (1, 2)
    )
    assert not torch.equal(first["linear_1.weight"], second["linear_1.weight"])


def test_what_came_from_the_environment_is_kept_unexpanded(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"seed": "${env:FT_TEST_SEED}", "train": {"max_steps": 1}})
    assert ft("train", "c.yaml", cwd=tmp_path, env={"FT_TEST_SEED": "987654"}).code == 0
    run = tmp_path / "runs/tiny/1"
    assert yaml.safe_load((run / "config.yaml").read_text())["seed"] == "${env:FT_TEST_SEED}"
    for path in run.rglob("*"):
        assert not path.is_file() or b"987654" not in path.read_bytes(), path


def test_ft_runs_moves_the_runs(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"max_steps": 1}})
    answer = ft("train", "c.yaml", "-q", cwd=tmp_path, env={"FT_RUNS": "elsewhere"})
    assert answer.out == "elsewhere/tiny/1/checkpoints/best.pt\n"
    answer = ft("train", "c.yaml", "-q", "--runs-dir", "there", cwd=tmp_path, env={"FT_RUNS": "elsewhere"})
    assert answer.out == "there/tiny/1/checkpoints/best.pt\n"


# ---------------------------------------------------------------- ft run, --smoke


def test_run_goes_through_every_stage_that_the_file_names(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"finetune": {"freeze": [0, 1]}, "eval": {"min": {"accuracy": 0.5}}})
    answer = ft("run", "c.yaml", "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert [fit["stage"] for fit in document["fits"]] == ["train", "finetune"]
    assert document["evaluation"]["split"] == "test"
    assert document["evaluation"]["passed"] is True


def test_run_ends_with_the_gates_exit_code(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"eval": {"min": {"accuracy": 0.999}}})
    answer = ft("run", "c.yaml", cwd=tmp_path)
    assert answer.code == 3
    assert len(answer.errors) == 1
    assert "accuracy >= 0.999" in answer.errors[0]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"data": {"split": {"test": ...}}, "eval": {}}, "eval asks for the test split"),
        ({"finetune": {"optimizer": "adan"}}, "adan is not an optimizer"),
        ({"finetune": {"freeze": [17]}}, "17 matches no layer"),
        ({"finetune": {"monitor": "acuracy"}}, "did you mean accuracy"),
        ({"finetune": {"from": "nowhere.pt"}}, "there is no file nowhere.pt"),
        ({"eval": {"min": {"accurracy": 0.9}}}, "accurracy is not a metric"),
    ],
)
def test_run_finds_before_training_what_would_fail_after_it(tmp_path: Path, changes: dict, place: str) -> None:
    write_config(tmp_path / "c.yaml", changes)
    answer = ft("run", "c.yaml", cwd=tmp_path)
    assert answer.code == 2
    assert place in answer.err
    assert not (tmp_path / "runs").exists()


def test_a_run_heeds_the_weights_that_finetune_names(trained: Path) -> None:
    write_config(trained / "c.yaml", {"name": "other", "finetune": {"from": "runs/tiny/1"}, "train": {"max_steps": 1}})
    document = json.loads(ft("run", "c.yaml", "--json", cwd=trained).out)
    assert document["fits"][1]["parent"] == str(trained / "runs/tiny/1")


@pytest.mark.parametrize("command", ["train", "run"])
def test_smoke_goes_through_every_stage_and_leaves_nothing(tmp_path: Path, command: str) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"epochs": 1000}, "finetune": {"freeze": [0, 1]}, "eval": {}})
    answer = ft(command, "c.yaml", "--smoke", "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert [fit["steps"] for fit in document["fits"]] == [2, 2]
    assert document["evaluation"]["examples"] == 128
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


def test_smoke_of_a_finetuning_finds_the_real_runs(trained: Path) -> None:
    before = sorted(trained.rglob("*"))
    assert ft("finetune", "tiny.yaml", "--smoke", cwd=trained).code == 0
    write_config(trained / "only.yaml", {"train": ..., "finetune": {"epochs": 1}})
    assert ft("run", "only.yaml", "--smoke", cwd=trained).code == 0
    (trained / "only.yaml").unlink()
    assert sorted(trained.rglob("*")) == before
