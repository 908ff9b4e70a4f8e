"""What a pipeline stands on: results on stdout, progress on stderr, one exit code for each way to end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import FT, ft, ft_process, wait_for, write_config

LONG = {"train": {"epochs": 100_000, "validate_every_epochs": 1}}


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    """`ft WORDS` in a process of its own, not waited for."""
    return subprocess.Popen([*FT, *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# ---------------------------------------------------------------- streams


def test_results_are_on_stdout_and_progress_on_stderr(trained: Path) -> None:
    answer = ft("train", "tiny.yaml", "train.max_steps=2", cwd=trained)
    assert "runs/tiny/2/checkpoints/best.pt" in answer.out
    assert "epoch" not in answer.out.split("best at")[0]
    assert "device cpu" in answer.err
    assert "\x1b" not in answer.out + answer.err  # off a terminal nothing moves and nothing has colour
    assert "\r" not in answer.out + answer.err


def test_quiet_leaves_the_path_of_the_best_weights(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"max_steps": 1}})
    answer = ft("train", "c.yaml", "-q", cwd=tmp_path)
    assert (answer.out, answer.err) == ("runs/tiny/1/checkpoints/best.pt\n", "")
    answer = ft("finetune", "-q", cwd=tmp_path)
    assert (answer.out.count("\n"), answer.err) == (1, "")
    assert (tmp_path / answer.out.strip()).is_file()
    answer = ft("eval", "-q", cwd=tmp_path)
    assert answer.err == ""
    assert answer.out.startswith("accuracy=")


@pytest.mark.parametrize(
    "words",
    [
        ["train", "tiny.yaml", "train.max_steps=1"],
        ["finetune"],
        ["eval"],
        ["eval", "--min", "accuracy=1"],
        ["run", "tiny.yaml", "train.max_steps=1"],
        ["runs"],
        ["layers", "tiny.yaml"],
        ["doctor"],
        ["train", "nowhere.yaml"],
        ["train", "tiny.yaml", "train.epocs=1"],
        ["eval", "tiny.yaml"],
        ["eval", "damaged.pt"],
    ],
    ids=" ".join,
)
def test_json_is_exactly_one_document_with_a_version(trained: Path, words: list[str]) -> None:
    (trained / "damaged.pt").write_bytes(b"no")
    answer = ft(*words, "--json", cwd=trained)
    document = json.loads(answer.out)  # raises on a second document
    assert document["schema_version"] == 1
    if "error" in document:
        assert document["exit_code"] == answer.code != 0


def test_a_failed_gate_still_prints_one_document(trained: Path) -> None:
    answer = ft("eval", "--min", "accuracy=1", "--json", cwd=trained)
    assert answer.code == 3
    assert json.loads(answer.out)["schema_version"] == 1


@pytest.mark.fault(29)
def test_a_reader_that_has_read_enough_is_no_error(trained: Path) -> None:
    shell = f"set -o pipefail; {' '.join(FT)} config schema | head -1"
    done = subprocess.run(["bash", "-c", shell], cwd=trained, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{\n", "")


def test_no_command_waits_for_an_answer(trained: Path) -> None:
    """stdin is closed; a prompt would fail or hang."""
    done = subprocess.run(
        [*FT, "config", "init", "--out", "tiny.yaml"], cwd=trained, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "there already" in done.stderr


# ---------------------------------------------------------------- exit codes


def test_0_done(trained: Path) -> None:
    assert ft("eval", "--min", "accuracy=0.5", cwd=trained).code == 0


@pytest.mark.parametrize("words", [["trian"], ["train"], ["train", "--nope"], ["train", "a.yaml", "b.yaml"]], ids=str)
def test_2_usage(tmp_path: Path, words: list[str]) -> None:
    assert ft(*words, cwd=tmp_path).code == 2


def test_3_a_gate_failed(trained: Path) -> None:
    answer = ft("eval", "--min", "accuracy=0.999", cwd=trained)
    assert answer.code == 3
    assert "accuracy" in answer.out  # the scores are shown all the same


def test_4_data_or_checkpoint_unusable(tmp_path: Path) -> None:
    (tmp_path / "foreign.pt").write_bytes(b"hello")
    assert ft("eval", "foreign.pt", cwd=tmp_path).code == 4


@pytest.mark.fault(11)
def test_5_diverged(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"optimizer": "sgd", "lr": 1e25, "max_steps": 6}})
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 5
    assert json.loads((tmp_path / "runs/tiny/1/status.json").read_text())["state"] == "diverged"


def test_5_a_judged_checkpoint_whose_answers_are_nan(tmp_path: Path) -> None:
    """A user's model may divide by zero on data that training never saw."""
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Sequential):\n"
        "    def forward(self, x):\n"
        "        y = super().forward(x)\n"
        "        return y if self.training or len(x) != 300 else y * float('nan')\n"
        "def build(num_classes):\n"
        "    return Net(torch.nn.Flatten(), torch.nn.Linear(64, num_classes))\n"
    )
    write_config(tmp_path / "c.yaml", {"model": {"layers": ..., "python": "net.py:build"}, "train": {"max_steps": 2}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    answer = ft("eval", "--python", "net.py", "eval.batch_size=300", cwd=tmp_path)
    assert answer.code == 5
    assert "300 of 300" in answer.err


@pytest.mark.fault(15)
def test_6_the_runs_folder_cannot_be_made_and_no_data_were_read_for_it(tmp_path: Path) -> None:
    """The data are missing too: that would be exit 4, had they been looked for."""
    write_config(tmp_path / "c.yaml", {"data": {"source": "image_folder", "root": "nowhere", "split": ...}})
    (tmp_path / "runs").write_text("a file in the way")
    for command in ("train", "run"):
        answer = ft(command, "c.yaml", cwd=tmp_path)
        assert answer.code == 6
        assert "--runs-dir" in answer.err


@pytest.mark.fault(10)
def test_130_interrupted_and_what_was_saved_stays(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", LONG)
    process = start("train", "c.yaml", cwd=tmp_path)
    wait_for((tmp_path / "runs/tiny/1/checkpoints/last.pt").is_file, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    status = json.loads((tmp_path / "runs/tiny/1/status.json").read_text())
    assert status["state"] == "interrupted"
    assert status["epochs"] >= 1
    told = f"step {status['steps']} is saved in runs/tiny/1; go on with: ft train c.yaml --resume"
    assert f"error: interrupted; {told}\n" in err
    assert ft("eval", "runs/tiny/1", cwd=tmp_path).code == 0
    assert ft("eval", cwd=tmp_path).code == 2  # not finished, so not the newest finished one


# ---------------------------------------------------------------- killed, and two at once


def test_killed_in_the_middle_the_checkpoints_before_can_be_used(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", LONG)
    process = start("train", "c.yaml", cwd=tmp_path)
    last = tmp_path / "runs/tiny/1/checkpoints/last.pt"
    wait_for(last.is_file, process)
    first = last.stat().st_mtime_ns
    wait_for(lambda: last.stat().st_mtime_ns != first, process)  # overwriting is under way
    process.kill()
    process.communicate()
    assert ft("eval", "runs/tiny/1", cwd=tmp_path).code == 0
    assert ft("eval", last, cwd=tmp_path).code == 0
    assert ft("finetune", cwd=tmp_path).code == 2  # it never finished
    assert json.loads((tmp_path / "runs/tiny/1/status.json").read_text())["state"] == "running"


def test_two_that_start_together_get_two_folders_and_the_same_bits(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"max_steps": 5}})
    both = [start("train", "c.yaml", "-q", cwd=tmp_path) for _ in range(2)]
    said = sorted(process.communicate(timeout=120)[0].strip() for process in both)
    assert said == [f"runs/tiny/{number}/checkpoints/best.pt" for number in (1, 2)]
    first, second = (torch.load(tmp_path / path, weights_only=True)["weights"] for path in said)
    assert all(torch.equal(value, second[name]) for name, value in first.items())


# ---------------------------------------------------------------- checkpoints that are not whole


def test_a_checkpoint_loads_with_weights_only(checkpoint: Path) -> None:
    whole = torch.load(checkpoint, weights_only=True)
    assert {"format_version", "experiment", "weights", "columns", "metrics", "sha256"} <= whole.keys()
    assert whole["columns"]["outputs"]["digit"]["classes"] == [str(digit) for digit in range(10)]


def test_no_flipped_byte_goes_unseen(checkpoint: Path) -> None:
    """Wherever it lies: the file is refused, or (in the padding of the archive) its contents are unharmed."""
    sound = checkpoint.read_bytes()
    contents = torch.load(checkpoint, weights_only=True)
    middle = sound.find(contents["weights"]["linear_1.weight"].numpy().tobytes()[:64])
    assert middle > 0
    for place in (middle + 1, middle + 700, *np.linspace(0, len(sound) - 1, 12).astype(int).tolist()):
        damaged = bytearray(sound)
        damaged[place] ^= 0x10
        checkpoint.write_bytes(damaged)
        answer = ft("eval", checkpoint.name, "--json", cwd=checkpoint.parent)
        if answer.code == 4:
            assert len(answer.errors) == 1
            continue
        assert answer.code == 0, answer.err
        assert middle not in (place - 1, place - 700)
        assert all(
            torch.equal(value, contents["weights"][name])
            for name, value in torch.load(checkpoint, weights_only=True)["weights"].items()
        )


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_checkpoint_cut_short_is_refused(checkpoint: Path, share: float) -> None:
    sound = checkpoint.read_bytes()
    checkpoint.write_bytes(sound[: int(len(sound) * share)])
    for command in ("eval", "finetune", "layers"):
        answer = ft(command, checkpoint.name, cwd=checkpoint.parent)
        assert answer.code == 4
        assert len(answer.errors) == 1


def test_a_file_of_someone_else_is_refused_and_its_code_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save({"format": "ft-checkpoint", "weights": Evil()}, tmp_path / "evil.pt")
    torch.save({"some": torch.zeros(2)}, tmp_path / "weights.pt")
    for name in ("evil.pt", "weights.pt"):
        for command in (["eval", name], ["predict", name, name], ["layers", name]):
            assert ft(*command, cwd=tmp_path).code == 4
    shutil.copy(tmp_path / "evil.pt", tmp_path / "start.pt")
    write_config(tmp_path / "c.yaml")
    assert ft("finetune", "c.yaml", "--from", "start.pt", cwd=tmp_path).code == 4
    assert not (tmp_path / "owned").exists()


def test_help_is_there_for_every_command(tmp_path: Path) -> None:
    for command in ("train", "finetune", "eval", "run", "predict", "layers", "runs", "doctor", "config"):
        assert ft(command, "--help", cwd=tmp_path).code == 0


def test_the_version_is_one_line(tmp_path: Path) -> None:
    answer = ft_process("--version", cwd=tmp_path)
    assert answer.code == 0
    assert answer.out.startswith("ft ")
    assert answer.out.count("\n") == 1
