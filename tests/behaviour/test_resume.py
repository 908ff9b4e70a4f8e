"""A run that was killed, anywhere, goes on with the bits of one that was not. Real processes, real signals."""

from __future__ import annotations

import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import FT, changed, ft, ft_process, wait_for, write_config
from dying import dying

from ft.core.engine.checkpoint import load_checkpoint, save_checkpoint
from ft.core.engine.saving import lasts
from ft.core.stages.runs import RunFolder
from ft.core.stages.verify import compare_runs

# Everything that a state must hold: 5 epochs of 11 steps.
RICH: dict[str, Any] = {
    "inputs": {"image": {"type": "image", "augment": {"crop": 1}}},
    "model": {
        "layers": ["Flatten", {"Linear": {"out_features": 32, "activation": "ReLU"}}, {"Dropout": 0.2}, "Linear"]
    },
    "train": {
        "epochs": 5,
        "batch_size": 64,
        "accumulate": 2,
        "ema": 0.9,
        "schedule": "cosine",
        "warmup_steps": 5,
        "patience": 4,
        "clip_norm": 1.0,
        "log_every_steps": 4,
        "checkpoint_every_steps": 3,
    },
    "finetune": {"epochs": 2, "freeze": [1], "checkpoint_every_steps": 3},
}
CLOCKS = ("seconds", "epoch_seconds", "metrics_bytes", "examples_per_s")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run that nobody disturbed, trained and fine-tuned."""
    folder = tmp_path_factory.mktemp("whole")
    write_config(folder / "c.yaml", RICH)
    answer = ft("run", "c.yaml", cwd=folder)
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the same file and no run."""
    write_config(tmp_path / "c.yaml", RICH)
    return tmp_path


def plain(value: Any) -> Any:
    """Everything but clocks, tensors as their bytes."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key not in CLOCKS}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().flatten().view(torch.uint8).numpy().tobytes()
    return value


def saved(folder: Path, number: int = 1) -> tuple[Any, ...]:
    """What a run left: both checkpoints, the metrics' lines, the result."""
    run = folder / f"runs/tiny/{number}"
    checkpoints = [load_checkpoint(run / "checkpoints" / name) for name in ("last.pt", "best.pt")]
    for each in checkpoints:  # where it lies is no part of it
        each.pop("parent")
        each.get("resume", {"progress": {}})["progress"].pop("origin", None)
    lines = [plain(json.loads(line)) for line in (run / "metrics.jsonl").read_text().splitlines()]
    result: Mapping[str, Any] = json.loads((run / "result.json").read_text())
    told = {key: result[key] for key in ("metrics", "intervals", "best_epoch", "epochs", "steps", "reason")}
    return plain(checkpoints), lines, told


@pytest.mark.fault(1)
@pytest.mark.fault(3)
def test_killed_at_several_steps_it_ends_with_the_bits_of_the_run_that_was_not(whole: Path, home: Path) -> None:
    for steps in (7, 4, 13):
        assert dying("step", steps, "train", "c.yaml", "--resume", cwd=home) == -9
    answer = ft("train", "c.yaml", "--resume", cwd=home)
    assert answer.code == 0, answer.err
    assert "goes on from" in answer.err
    assert "not bit-exact" not in answer.err
    assert saved(home) == saved(whole)
    assert len(list((home / "runs/tiny").glob("[0-9]*"))) == 1


@pytest.mark.long
@pytest.mark.fault(3)
def test_a_fine_tuning_goes_on_with_what_was_frozen(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "work", symlinks=True)
    home = tmp_path / "work"
    shutil.rmtree(home / "runs/tiny/2")
    assert dying("step", 8, "finetune", "c.yaml", cwd=home) == -9
    answer = ft("finetune", "c.yaml", "--resume", cwd=home)
    assert answer.code == 0, answer.err
    assert saved(home, 2) == saved(whole, 2)


@pytest.mark.fault(4)
@pytest.mark.parametrize(
    ("place", "number"),
    [
        ("written", 4),
        *(pytest.param(*case, marks=pytest.mark.long) for case in [("clone", 4), ("synced", 4), ("verified", 4)]),
        *(pytest.param("moved", number, marks=pytest.mark.long) for number in (11, 12, 13, 14)),
    ],
)
def test_killed_inside_the_saving_it_loses_nothing(whole: Path, home: Path, place: str, number: int) -> None:
    assert dying(place, number, "train", "c.yaml", cwd=home) == -9
    folder = home / "runs/tiny/1/checkpoints"
    assert any(load_checkpoint(path)["step"] for path in folder.glob("last*.pt"))
    answer = ft("train", "c.yaml", "--resume", cwd=home)
    assert answer.code == 0, answer.err
    assert saved(home) == saved(whole)
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.long
@pytest.mark.fault(4)
def test_killed_before_its_first_checkpoint_it_begins_again_in_its_folder(whole: Path, home: Path) -> None:
    assert dying("step", 2, "train", "c.yaml", cwd=home) == -9
    answer = ft("train", "c.yaml", "--resume", cwd=home)
    assert "ended before its first checkpoint" in answer.err
    assert saved(home) == saved(whole)


def test_a_finished_run_is_told_again_and_not_trained(whole: Path) -> None:
    before = saved(whole)
    answer = ft("train", "c.yaml", "--resume", cwd=whole)
    assert answer.code == 0
    assert "runs/tiny/1 is finished: nothing is left to do (its data were not read again)" in answer.err
    assert "epoch" not in answer.err
    assert "trained in" in answer.out
    assert saved(whole) == before


def test_the_run_of_another_stage_is_told_how_it_goes_on(whole: Path) -> None:
    answer = ft("finetune", "c.yaml", "--resume", "runs/tiny/1", cwd=whole)
    assert answer.code == 2
    assert answer.errors == ["--resume runs/tiny/1: this is a train; go on with ft train --resume runs/tiny/1"]


def test_all_stages_of_a_file_go_on(whole: Path, home: Path) -> None:
    assert dying("step", 60, "run", "c.yaml", "--resume", cwd=home) == -9  # the training has 55
    answer = ft("run", "c.yaml", "--resume", cwd=home)
    assert answer.code == 0, answer.err
    assert "runs/tiny/1 is finished" in answer.err
    assert (saved(home), saved(home, 2)) == (saved(whole), saved(whole, 2))


# ---------------------------------------------------------------- what may change, and what not


@pytest.mark.fault(22)
def test_more_epochs_are_allowed_and_the_schedule_is_told(whole: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(whole, tmp_path / "work", symlinks=True))
    answer = ft("train", "c.yaml", "--resume", "train.epochs=7", cwd=home)
    assert answer.code == 0, answer.err
    assert "changed since then: train.epochs: 5 -> 7" in answer.err
    assert "the schedule spans" in answer.err
    lines = [json.loads(line) for line in (home / "runs/tiny/1/metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["event"] == "epoch"] == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.fault(22)
def test_other_settings_are_refused_with_old_and_new(whole: Path) -> None:
    answer = ft("train", "c.yaml", "--resume", "train.lr=0.5", "seed=9", cwd=whole)
    assert answer.code == 2
    assert "seed: 3 -> 9; train.lr: 0.01 -> 0.5" in answer.err
    words = ["train.augment=false", "train.clip_norm=null", "train.schedule={cosine: {min_lr: 1e-5}}"]
    told = ft("train", "c.yaml", "--resume", *words, cwd=whole).err
    assert "train.schedule: cosine -> not said; train.clip_norm: 1.0 -> null; train.augment: true -> false" in told


@pytest.mark.parametrize("shorter", ["train.epochs=4", "train.max_steps=20"])
def test_a_run_is_not_made_shorter(killed: Path, shorter: str) -> None:
    answer = ft("train", "c.yaml", "--resume", shorter, cwd=killed)
    assert answer.code == 2
    assert "longer, not shorter" in answer.err
    assert shorter.split("=")[0] in answer.err


def test_pieces_of_another_size_are_told_to_change_bits(killed: Path) -> None:
    answer = ft("train", "c.yaml", "--resume", "train.micro_batch=8", cwd=killed)
    assert answer.code == 0, answer.err
    assert "not bit-exact because train.micro_batch: " in answer.err


def test_a_fine_tuning_goes_on_when_all_runs_were_moved(home: Path) -> None:
    assert dying("step", 33, "run", "c.yaml", cwd=home) == -9  # training takes 30
    (home / "runs").rename(home / "elsewhere")
    answer = ft("run", "c.yaml", "--resume", "--runs-dir", "elsewhere", cwd=home)
    assert answer.code == 0, answer.err
    assert sorted(path.name for path in (home / "elsewhere/tiny").iterdir()) == ["1", "2", "latest"]


@pytest.mark.fault(23)
def test_other_data_are_refused_by_name(whole: Path) -> None:
    answer = ft("train", "c.yaml", "--resume", "data.split.val=150", "train.epochs=9", cwd=whole)
    assert answer.code == 4
    assert "train has 1,347 examples, 1,297 before, val has 150 examples, 200 before" in answer.err


def test_a_run_that_diverged_is_not_gone_on_with(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"optimizer": "sgd", "lr": 1e25, "max_steps": 6}})
    assert ft("train", "c.yaml", "--resume", cwd=tmp_path).code == 5
    answer = ft("train", "c.yaml", "--resume", cwd=tmp_path)
    assert answer.code == 5
    assert "diverged, and would again" in answer.err


# ---------------------------------------------------------------- damaged checkpoints


@pytest.fixture
def killed(home: Path) -> Path:
    """A run with two checkpoints to go on from."""
    assert dying("step", 13, "train", "c.yaml", cwd=home) == -9
    return home


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content if how == "flipped" else content[: len(content) // 2])


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("cut", marks=[pytest.mark.fault(5), pytest.mark.long]),
        pytest.param("flipped", marks=pytest.mark.fault(6)),
    ],
)
def test_a_damaged_newest_checkpoint_is_named_once_and_the_one_before_it_used(
    whole: Path, killed: Path, how: str
) -> None:
    newest, older = lasts(killed / "runs/tiny/1/checkpoints")  # in the midst of a move the newest is last-1.pt
    step = load_checkpoint(older)["step"]
    damage(newest, how)
    answer = ft("train", "c.yaml", "--resume", cwd=killed)
    assert answer.code == 0, answer.err
    assert answer.err.count("warning: ") == 1
    assert f"warning: {newest.relative_to(killed)} " in answer.err
    assert f"{older.name}: step {step}" in answer.err
    assert saved(killed) == saved(whole)


@pytest.mark.fault(7)
def test_without_any_whole_checkpoint_nothing_is_started(killed: Path) -> None:
    for path in (killed / "runs/tiny/1/checkpoints").glob("last*.pt"):
        damage(path, "cut")
    for _ in range(2):  # nor when it is asked again
        answer = ft("train", "c.yaml", "--resume", cwd=killed)
        assert answer.code == 4
        assert "Nothing was started" in answer.err


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"stage": "train"}', "\0garbage"])
def test_a_lost_status_is_written_again_and_the_run_goes_on(killed: Path, whole: Path, text: str | None) -> None:
    status = killed / "runs/tiny/1/status.json"
    status.unlink()
    if text is not None:
        status.write_text(text)
    assert "killed" in ft("runs", cwd=killed).out
    answer = ft("train", "c.yaml", "--resume", cwd=killed)
    assert answer.code == 0, answer.err
    assert answer.err.count("status.json is lost or damaged") == 1
    assert "runs/tiny/1 to go on" not in answer.err
    assert saved(killed) == saved(whole)


def test_a_checkpoint_without_what_going_on_needs_gives_way_to_the_one_before_it(killed: Path, whole: Path) -> None:
    checkpoints = killed / "runs/tiny/1/checkpoints"
    (checkpoints / "last.pt").unlink()  # when the kill came it may have had its older name too: one file, two names
    shutil.copy(checkpoints / "best.pt", checkpoints / "last.pt")
    answer = ft("train", "c.yaml", "--resume", cwd=killed)
    assert answer.code == 0, answer.err
    assert "holds weights to use" in answer.err
    assert saved(killed) == saved(whole)


def test_metrics_cut_in_the_middle_of_a_line_stay_lines(killed: Path) -> None:
    run = killed / "runs/tiny/1"
    known = load_checkpoint(run / "checkpoints/last.pt")["resume"]["progress"]["metrics_bytes"]
    metrics = run / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes()[: known - 9])
    answer = ft("train", "c.yaml", "--resume", cwd=killed)
    assert "has lost lines" in answer.err
    for line in metrics.read_text().splitlines():
        json.loads(line)


def of_a_later_step(checkpoints: Path) -> int:
    """As after a fall-back: best.pt is of a later step than the checkpoint, whose own best nothing will surpass."""
    newest = lasts(checkpoints)[0]
    last, best = load_checkpoint(newest), load_checkpoint(checkpoints / "best.pt")
    assert best["step"] == last["resume"]["loop"]["loop"]["best_step"]
    last["resume"]["loop"]["loop"]["best_value"] = 2.0  # of an accuracy
    save_checkpoint(newest, last)
    save_checkpoint(checkpoints / "best.pt", best | {"step": 54})
    return int(best["step"])


def test_best_weights_of_a_step_that_another_course_never_had_are_not_kept(killed: Path) -> None:
    checkpoints = killed / "runs/tiny/1/checkpoints"
    of_a_later_step(checkpoints)
    answer = ft("train", "c.yaml", "--resume", "train.epochs=6", "train.patience=9", cwd=killed)
    assert answer.code == 0, answer.err
    assert "best.pt is of step 54, where this run may not come by again" in answer.err
    best, last = load_checkpoint(checkpoints / "best.pt"), load_checkpoint(checkpoints / "last.pt")
    assert best["step"] == last["resume"]["loop"]["loop"]["best_step"]
    assert best["metrics"] == json.loads((killed / "runs/tiny/1/result.json").read_text())["metrics"]


def test_the_same_course_finds_its_later_best_weights_again(killed: Path) -> None:
    step = of_a_later_step(killed / "runs/tiny/1/checkpoints")
    answer = ft("train", "c.yaml", "--resume", "train.log_every_steps=5", cwd=killed)
    assert answer.code == 0, answer.err
    assert "not bit-exact" not in answer.err
    last = load_checkpoint(killed / "runs/tiny/1/checkpoints/last.pt")
    assert last["resume"]["loop"]["loop"]["best_step"] == step


# ---------------------------------------------------------------- in a loop of the shell's


@pytest.mark.fault(1)
def test_the_readmes_loop_goes_on_after_a_kill_and_ends_with_the_run(whole: Path, home: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    [loop] = [line for line in readme.splitlines() if line.startswith("until ft train")]
    dies = shlex.join([sys.executable, str(Path(__file__).parents[1] / "helpers/dying.py"), "step", "7"])
    (home / "ft").write_text(
        "#!/bin/sh\n"
        "echo start >> starts\n"
        f'case $(wc -l < starts) in 1) exec {dies} "$@" ;; 2) exit 75 ;; *) exec {shlex.join(FT)} "$@" ;; esac\n'
    )
    (home / "ft").chmod(0o755)
    environment = os.environ | {"PATH": f"{home}:{os.environ['PATH']}"}
    command = ["sh", "-c", loop.replace("my.yaml", "c.yaml")]
    assert subprocess.run(command, cwd=home, env=environment, capture_output=True, check=False).returncode == 0
    assert (home / "starts").read_text().count("start") == 3
    assert saved(home) == saved(whole)


@pytest.mark.parametrize("code", [2, 4, 5, 130])
def test_the_readmes_loop_ends_where_another_start_would_not_help(tmp_path: Path, code: int) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    [loop] = [line for line in readme.splitlines() if line.startswith("until ft train")]
    (tmp_path / "ft").write_text(f"#!/bin/sh\necho start >> starts\nexit {code}\n")
    (tmp_path / "ft").chmod(0o755)
    subprocess.run(["sh", "-c", loop], cwd=tmp_path, env={"PATH": f"{tmp_path}:{os.defpath}"}, check=True, timeout=30)
    assert (tmp_path / "starts").read_text() == "start\n"


# ---------------------------------------------------------------- the long way


@pytest.mark.long
@pytest.mark.fault(1)
@pytest.mark.fault(2)
def test_killed_twenty_times_at_random_moments_it_is_the_run_that_was_not(tmp_path: Path) -> None:
    settings = changed(RICH, {"train": {"epochs": 400, "patience": 300, "checkpoint_every_steps": 29}, "finetune": ...})
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        write_config(tmp_path / name / "c.yaml", settings)
    began = time.monotonic()
    assert ft("train", "c.yaml", cwd=tmp_path / "whole").code == 0
    seconds = time.monotonic() - began
    draws = random.Random(20)
    for _ in range(20):
        with subprocess.Popen(
            [*FT, "train", "c.yaml", "--resume"], cwd=tmp_path / "cut", stderr=subprocess.DEVNULL
        ) as process:
            status = tmp_path / "cut/runs/tiny/1/status.json"
            wait_for(lambda: status.exists() and json.loads(status.read_text())["pid"] == process.pid)  # noqa: B023
            time.sleep(draws.uniform(0, seconds / 20))  # on average half the run, so none of them comes too late
            process.kill()
    assert ft("train", "c.yaml", "--resume", cwd=tmp_path / "cut").code == 0
    assert saved(tmp_path / "cut") == saved(tmp_path / "whole")


@pytest.mark.long
@pytest.mark.fault(1)
def test_verify_resume_says_that_all_is_equal(home: Path) -> None:
    answer = ft_process("verify-resume", "c.yaml", "--steps", "14", "--json", cwd=home)
    assert answer.code == 0, answer.err
    stages = json.loads(answer.out)["stages"]
    assert [(stage["stage"], stage["exact"], len(stage["kills"])) for stage in stages] == [
        ("train", True, 3),
        ("finetune", True, 3),
    ]


def test_two_runs_that_differ_are_found_out_with_the_first_tensor(whole: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(whole, tmp_path / "other", symlinks=True))
    path = other / "runs/tiny/1/checkpoints/last.pt"
    contents = load_checkpoint(path)
    name = next(iter(contents["weights"]))
    contents["weights"][name].flatten()[0] += 1e-3
    save_checkpoint(path, contents)
    tensors, _, difference = compare_runs(RunFolder(whole / "runs/tiny/1"), RunFolder(other / "runs/tiny/1"))
    assert difference is not None
    assert difference.startswith(f"last.pt/weights/{name} differs by up to 0.001 in 1 of ")
    assert tensors == 0
    assert compare_runs(RunFolder(whole / "runs/tiny/1"), RunFolder(whole / "runs/tiny/1"))[2] is None
