"""`--seeds N`: N ordinary runs with the bits of N commands, their scores together, none lost when one is cut short."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import FT, Answer, ft, wait_for, write_config
from dying import dying
from scipy import stats

from ft.core.engine.checkpoint import load_checkpoint

EPOCHS: dict[str, Any] = {
    "inputs": {"image": {"type": "image", "augment": {"crop": 1}}},
    "model": {
        "layers": ["Flatten", {"Linear": {"out_features": 16, "activation": "ReLU"}}, {"Dropout": 0.2}, "Linear"]
    },
    "train": {"epochs": 2, "batch_size": 64, "lr": 0.01, "checkpoint_every_steps": 3},
    "finetune": {"epochs": 1, "freeze": [1]},
    "eval": {"metrics": ["accuracy", "f1"]},
}


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with seeds 3, 4 and 5 of all stages: runs 1 to 6 and seeds-1. Not to be changed."""
    folder = tmp_path_factory.mktemp("grouped")
    write_config(folder / "c.yaml", EPOCHS)
    answer = ft("run", "c.yaml", "--seeds", 3, "--json", cwd=folder)
    assert answer.code == 0, answer.err
    (folder / "said.json").write_text(answer.out)
    return folder


@pytest.fixture
def work(grouped: Path, tmp_path: Path) -> Path:
    shutil.copytree(grouped, tmp_path / "work", symlinks=True)
    return tmp_path / "work"


def weights(folder: Path, number: int) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_checkpoint(folder / f"runs/tiny/{number}/checkpoints/best.pt")["weights"]
    return found


def assert_same_run(folder: Path, number: int, other: Path, theirs: int) -> None:
    """The same bits of weights and the same lines of metrics, clocks aside."""
    ours, them = weights(folder, number), weights(other, theirs)
    assert list(ours) == list(them)
    assert all(torch.equal(ours[name], them[name]) for name in ours)
    clocks = ("seconds", "examples_per_s")
    lines = [
        [
            {key: value for key, value in json.loads(line).items() if key not in clocks}
            for line in (home / f"runs/tiny/{each}/metrics.jsonl").read_text().splitlines()
        ]
        for home, each in ((folder, number), (other, theirs))
    ]
    assert lines[0] == lines[1]


def said(answer: Answer) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(answer.out)
    return document


def test_each_seed_has_the_bits_of_a_command_of_its_own(grouped: Path, tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", EPOCHS)
    for index, seed in enumerate((3, 4, 5)):
        assert ft("run", "c.yaml", f"seed={seed}", cwd=tmp_path).code == 0
        for stage in (1, 2):
            assert_same_run(grouped, 2 * index + stage, tmp_path, 2 * index + stage)
        ours, alone = (home / f"runs/tiny/{2 * index + 1}/config.yaml" for home in (grouped, tmp_path))
        assert ours.read_text() == alone.read_text()
    assert not torch.equal(weights(grouped, 1)["linear_1.weight"], weights(grouped, 3)["linear_1.weight"])


def test_mean_spread_and_interval_are_those_of_the_single_results(grouped: Path) -> None:
    document = json.loads((grouped / "said.json").read_text())
    assert (document["kind"], document["asked"], document["finished"]) == ("seeds", 3, 3)
    assert [one["seed"] for one in document["seeds"]] == [3, 4, 5]
    assert [one["runs"] for one in document["seeds"]] == [[f"runs/tiny/{n}", f"runs/tiny/{n + 1}"] for n in (1, 3, 5)]
    stages = [(each["stage"], each["split"], each["judged"]) for each in document["scores"]]
    assert stages == [
        ("train", "val", False),
        ("finetune", "val", False),
        ("train", "test", True),
        ("finetune", "test", True),
    ]
    singles = [one["result"]["evaluation"]["metrics"]["accuracy"] for one in document["seeds"]]
    told = document["scores"][3]["metrics"]["accuracy"]
    assert told["values"] == singles
    assert told["mean"] == pytest.approx(sum(singles) / 3)
    assert told["sd"] == pytest.approx(stats.tstd(singles))
    assert (told["min"], told["max"]) == (min(singles), max(singles))
    low, high = stats.t.interval(0.95, 2, told["mean"], stats.sem(singles))
    assert told["interval"] == pytest.approx([low, high])
    validated = [one["result"]["fits"][0]["metrics"]["loss"] for one in document["seeds"]]
    assert document["scores"][0]["metrics"]["loss"]["values"] == validated
    assert json.loads((grouped / "runs/tiny/seeds-1/seeds.json").read_text()) == document
    report = (grouped / "runs/tiny/seeds-1/report.md").read_text()
    assert report.startswith("# tiny: 3 seeds\n\n**3 of 3 seeds finished**")
    assert "## eval of finetune, test" in report


def test_the_folder_of_seeds_is_no_run(work: Path) -> None:
    rows = said(ft("runs", "--json", cwd=work))["runs"]
    assert [Path(row["path"]).name for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert (work / "runs/tiny/latest").resolve().name == "6"
    answer = ft("eval", "runs/tiny/seeds-1", cwd=work)
    assert answer.code == 2
    assert "not the folder of a run" in answer.err
    assert ft("train", "c.yaml", cwd=work).code == 0
    assert (work / "runs/tiny/7/checkpoints/best.pt").is_file()


def test_quiet_prints_the_weights_of_every_seed(work: Path) -> None:
    answer = ft("train", "c.yaml", "--seeds=2", "seed=8", "-q", cwd=work)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines() == [f"runs/tiny/{number}/checkpoints/best.pt" for number in (7, 8)]
    assert [load_checkpoint(work / path)["experiment"]["seed"] for path in answer.out.splitlines()] == [8, 9]


def test_the_screen_says_what_was_reached_and_where_it_is(work: Path) -> None:
    answer = ft("finetune", "runs/tiny/1", "--seeds", 2, cwd=work)
    assert answer.code == 0, answer.err
    assert answer.out.startswith("tiny: 2 of 2 seeds finished in ")
    assert "finetune, val accuracy" in answer.out
    assert "95 % interval" in answer.out
    assert "runs in runs/tiny" in answer.out
    assert "report    runs/tiny/seeds-2/report.md" in answer.out
    parents = {json.loads((work / f"runs/tiny/{number}/status.json").read_text())["parent"] for number in (7, 8)}
    assert [Path(parent).name for parent in parents] == ["1"]  # one start for all


@pytest.mark.fault(1)
def test_killed_in_its_second_seed_it_goes_on_with_that_and_the_missing_one(grouped: Path, tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", EPOCHS)
    steps = 2 * 21 + 21  # of the first seed: two epochs and the fine-tuning's one
    assert dying("step", steps + 30, "run", "c.yaml", "--seeds", 3, cwd=tmp_path) == -9
    assert len(list((tmp_path / "runs/tiny").glob("[0-9]*"))) == 3
    answer = ft("run", "c.yaml", "--seeds", 3, "--resume", "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "goes on from runs/tiny/3/checkpoints/last" in answer.err
    assert "not bit-exact" not in answer.err
    for number in range(1, 7):
        assert_same_run(tmp_path, number, grouped, number)
    assert not (tmp_path / "runs/tiny/7").exists()
    whole = json.loads((grouped / "said.json").read_text())
    assert said(answer)["scores"] == whole["scores"]
    assert [one["runs"] for one in said(answer)["seeds"]] == [one["runs"] for one in whole["seeds"]]


@pytest.mark.fault(8)
@pytest.mark.fault(24)
def test_sigterm_saves_and_tells_how_to_go_on_and_one_process_has_the_seeds(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"epochs": 100_000}})
    words = ["train", "c.yaml", "--seeds", "2"]
    process = subprocess.Popen([*FT, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (tmp_path / "runs/tiny/1/checkpoints/last.pt").exists(), process)
    second = ft(*words, "--resume", cwd=tmp_path)
    assert second.code == 6
    assert f"runs/tiny/seeds-1 is in use by process {process.pid}" in second.err
    process.send_signal(signal.SIGTERM)
    told = process.communicate(timeout=30)[1]
    assert process.returncode == 75
    assert "go on with: ft train c.yaml --seeds 2 --resume" in told
    assert not (tmp_path / "runs/tiny/2").exists()


def test_a_group_can_get_more_seeds_and_never_fewer(work: Path) -> None:
    answer = ft("run", "c.yaml", "--seeds", 4, "--resume", "--json", cwd=work)
    assert answer.code == 0, answer.err
    assert [one["runs"][0] for one in said(answer)["seeds"]] == [f"runs/tiny/{n}" for n in (1, 3, 5, 7)]
    assert not (work / "runs/tiny/seeds-2").exists()
    answer = ft("run", "c.yaml", "--seeds", 2, "--resume", cwd=work)
    assert answer.code == 2
    assert "has seeds up to 6" in answer.err


def test_a_run_that_was_removed_is_told_and_made_again(work: Path) -> None:
    shutil.rmtree(work / "runs/tiny/6")
    answer = ft("run", "c.yaml", "--seeds", 3, "--resume", "--json", cwd=work)
    assert answer.code == 0, answer.err
    assert "seed 5: its run runs/tiny/6 is gone; begun again" in answer.err
    assert said(answer)["scores"] == json.loads((work / "said.json").read_text())["scores"]


def test_other_settings_or_another_beginning_are_not_gone_on_with(work: Path) -> None:
    refused = ft("run", "c.yaml", "--seeds", 3, "--resume", "train.lr=0.02", cwd=work)
    assert refused.code == 2
    assert "train.lr: 0.01 -> 0.02" in refused.err
    other = ft("run", "c.yaml", "--seeds", 2, "--resume", "seed=30", cwd=work)
    assert other.code == 0, other.err
    assert "no seeds from 30 on of run tiny to go on with: begins them" in other.err
    assert ft("finetune", "runs/tiny/1", "--seeds", 2, cwd=work).code == 0
    another = ft("finetune", "runs/tiny/3", "--seeds", 2, "seed=3", "--resume", cwd=work)
    assert another.code == 0, another.err
    assert "/runs/tiny/3: begins others" in another.err


def test_a_damaged_record_is_told_and_never_begun_again_silently(work: Path) -> None:
    (work / "runs/tiny/seeds-1/group.json").write_text('{"command": "run"')
    answer = ft("run", "c.yaml", "--seeds", 3, "--resume", cwd=work)
    assert answer.code == 4
    assert "group.json is damaged" in answer.err
    assert not (work / "runs/tiny/7").exists()


@pytest.fixture
def fragile(tmp_path: Path) -> Path:
    """A model that diverges with seed 4, and with no other."""
    write_config(tmp_path / "c.yaml", {"model": {"python": "fragile.py:build", "layers": ...}})
    (tmp_path / "fragile.py").write_text(
        "import torch\n"
        "class Fragile(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        return super().forward(x.flatten(1)) * (float('nan') if torch.initial_seed() == 4 else 1)\n"
        "def build():\n"
        "    return Fragile(64, 10)\n"
    )
    return tmp_path


@pytest.mark.fault(11)
def test_a_seed_that_diverges_is_told_and_the_others_go_on(fragile: Path) -> None:
    answer = ft("train", "c.yaml", "--seeds", 3, "--json", cwd=fragile)
    assert answer.code == 5
    document = said(answer)  # one document, and it tells
    assert (document["asked"], document["finished"], document["passed"]) == (3, 2, False)
    assert [one["state"] for one in document["seeds"]] == ["finished", "diverged", "finished"]
    assert document["seeds"][1]["result"] is None
    assert document["seeds"][1]["runs"] == ["runs/tiny/2"]
    assert document["scores"][0]["seeds"] == [3, 5]
    assert "1 of 3 seeds diverged: seed 4: " in answer.err
    assert "**2 of 3 seeds finished**" in (fragile / "runs/tiny/seeds-1/report.md").read_text()
    again = ft("train", "c.yaml", "--seeds", 3, "--resume", cwd=fragile)
    assert again.code == 5
    assert "2 of 3 seeds finished" in again.out
    assert not (fragile / "runs/tiny/4").exists()


def test_gates_hold_the_mean_or_the_end_of_its_interval(work: Path) -> None:
    told = json.loads((work / "said.json").read_text())["scores"][3]["metrics"]["accuracy"]
    between = (told["mean"] + told["interval"][0]) / 2
    words = ["run", "c.yaml", "--seeds", 3, "--resume", "--json", f"eval.min.accuracy={between}"]
    answer = ft(*words, cwd=work)
    assert answer.code == 0, answer.err
    (gate,) = said(answer)["gates"]
    assert (gate["value"], gate["passed"]) == (pytest.approx(told["mean"]), True)
    assert gate["interval"] == pytest.approx(told["interval"])
    summary = work / "summary.md"
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    answer = ft(*words, "eval.gate_on=lower_bound", cwd=work, env=env)
    assert answer.code == 3
    assert summary.read_text().startswith("## tiny, mean of 3 seeds: 1 of 1 gates failed\n")
    assert "::error title=tiny%2C mean of 3 seeds%3A gate failed::accuracy >= " in answer.err
    assert said(answer)["passed"] is False
    assert f"by its 95 % interval down to {told['interval'][0]:.6g}, FAILED" in answer.err
    answer = ft(*words, "eval.min.accuracy=0.1", "eval.per_class.recall=0.999", cwd=work)
    assert answer.code == 3
    gates = said(answer)["gates"]
    assert [gate["metric"] for gate in gates][:2] == ["accuracy", "recall of 0"]
    of_zero = [
        next(gate["value"] for gate in one["result"]["evaluation"]["gates"] if gate["metric"] == "recall of 0")
        for one in said(answer)["seeds"]
    ]
    assert gates[1]["value"] == pytest.approx(sum(of_zero) / 3)


def test_two_groups_are_held_against_each_other(work: Path) -> None:
    words = ["run", "c.yaml", "--seeds", 2, "train.epochs=1", "train.lr=0.001", "--against", "runs/tiny/seeds-1"]
    answer = ft(*words, "--json", cwd=work)
    assert answer.code == 0, answer.err
    document = said(answer)
    assert [each["split"] for each in document["against"]] == ["val", "test"]
    found = document["against"][1]["differences"]["accuracy"]
    ours = document["scores"][3]["metrics"]["accuracy"]["values"]
    theirs = json.loads((work / "said.json").read_text())["scores"][3]["metrics"]["accuracy"]["values"]
    exact = stats.ttest_ind(ours, theirs, equal_var=False)
    assert found["value"] == pytest.approx(sum(ours) / 2 - sum(theirs) / 3)
    assert found["p"] == pytest.approx(exact.pvalue)
    assert "## Against runs/tiny/seeds-1: test split" in (work / "runs/tiny/seeds-2/report.md").read_text()
    shown = ft(*words, "--resume", cwd=work)
    assert "2 seeds against 3, by Welch's t test" in shown.out
    cut = ft(*words, "data.split.seed=9", cwd=work)
    assert cut.code == 4
    assert "its val split holds other examples" in cut.err


def test_a_smoke_test_tries_every_seed_and_keeps_nothing(work: Path) -> None:
    before = sorted(path.name for path in (work / "runs/tiny").iterdir())
    for words in (["run", "c.yaml"], ["train", "c.yaml"], ["finetune", "runs/tiny/1"]):
        answer = ft(*words, "--seeds", 2, "--smoke", "--json", cwd=work)
        assert answer.code == 0, answer.err
        document = said(answer)
        assert (document["folder"], document["finished"]) == (None, 2)
        assert [one["result"]["fits"][-1]["best"] for one in document["seeds"]] == [None, None]
    assert sorted(path.name for path in (work / "runs/tiny").iterdir()) == before


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--seeds", "0"], 2, "--seeds 0: expected at least 2"),
        (["--seeds", "1"], 2, "one alone has no spread"),
        (["--seeds", "-3"], 2, "expected at least 2"),
        (["--seeds", "some"], 2, "--seeds"),
        (["--seeds", "3", f"seed={2**63 - 2}"], 2, "leaves no room for 3"),
        (["--against", "runs/tiny/seeds-1"], 2, "say --seeds N too"),
        (["--seeds", "2", "--against", "none.json"], 2, "--against none.json: there is no such file"),
        (["--seeds", "2", "--against", "c.yaml"], 2, "this is not what --seeds writes"),
        (["--seeds", "2", "--against", "."], 2, "--against seeds.json: there is no such file"),
        (["--seeds", "2", "--against", "damaged.json"], 4, "its scores are damaged"),
        (["--seeds", "2", "--resume", "runs/tiny/1"], 2, "say --resume alone"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(work: Path, words: list[str], code: int, message: str) -> None:
    document = json.loads((work / "said.json").read_text())
    document["scores"][0]["metrics"]["loss"]["values"] = ["low"]
    (work / "damaged.json").write_text(json.dumps(document))
    answer = ft("train", "c.yaml", *words, cwd=work)
    assert (answer.code, message in answer.err) == (code, True), answer.err
    assert not (work / "runs/tiny/7").exists()
