"""Readers that leave, code that prints, schedulers that end a command, settings and files on one line."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import FT, ft, ft_process, write_config
from PIL import Image

LONG = {"train": {"epochs": 100_000, "validate_every_epochs": 1}}
NET = """
import torch
print("a print while importing")
class Net(torch.nn.Sequential):
    def forward(self, x):
        print("a print in forward")
        return super().forward(x) * {factor}
def build(num_classes):
    return Net(torch.nn.Flatten(), torch.nn.Linear(64, num_classes))
"""


def bash(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A line of shell in which `ft` is this ft; a pipe's exit code is that of the first command that failed."""
    whole = f'set -o pipefail; ft() {{ {" ".join(FT)} "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", whole], cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def own_network(folder: Path, factor: str = "1", changes: Mapping[str, Any] | None = None) -> None:
    """c.yaml with a model of the user's own code, which prints."""
    (folder / "net.py").write_text(NET.format(factor=factor))
    write_config(folder / "c.yaml", {"model": {"layers": ..., "python": "net.py:build"}, **(changes or {})})


# ---------------------------------------------------------------- readers that leave


@pytest.mark.fault(29)
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ft eval runs/tiny/1 | true", 0),
        ("ft eval runs/tiny/1 --json | true", 0),
        ("ft eval runs/tiny/1 --min accuracy=0.9999 | true", 3),
        ("ft eval runs/tiny/1 >&-", 0),
        ("ft trian --json | true", 2),
    ],
)
def test_without_a_reader_a_command_ends_with_its_own_code(trained: Path, line: str, code: int) -> None:
    done = bash(line, trained)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "ended the process" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.fault(29)
def test_training_goes_on_when_nobody_reads_its_progress(trained: Path) -> None:
    done = bash("ft train tiny.yaml train.epochs=30 2>&1 | head -1", trained)
    assert done.returncode == 0
    assert json.loads((trained / "runs/tiny/2/status.json").read_text())["state"] == "finished"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_result_that_cannot_be_written_is_a_lacking_resource(trained: Path) -> None:
    done = bash("ft eval runs/tiny/1 >/dev/full", trained)
    assert done.returncode == 6
    assert "cannot write the result" in done.stderr


# ---------------------------------------------------------------- code that prints


def test_what_code_prints_does_not_get_between_a_result_and_its_reader(tmp_path: Path) -> None:
    own_network(tmp_path, changes={"train": {"max_steps": 1}})
    quiet = ft("train", "c.yaml", "-q", cwd=tmp_path)
    assert quiet.out == "runs/tiny/1/checkpoints/best.pt\n"
    assert "a print while importing" in quiet.err
    assert "a print in forward" in quiet.err
    judged = ft("eval", "--python", "net.py", "--json", cwd=tmp_path)
    assert json.loads(judged.out)["schema_version"] == 1
    valid = ft("config", "validate", "c.yaml", cwd=tmp_path)
    assert (valid.code, valid.out) == (0, "c.yaml: valid\n")


def test_stdout_is_as_before_after_a_command(tmp_path: Path) -> None:
    before = sys.stdout, sys.stderr, signal.getsignal(signal.SIGTERM)
    assert ft("train", "nowhere.yaml", cwd=tmp_path).code == 2
    assert (sys.stdout, sys.stderr, signal.getsignal(signal.SIGTERM)) == before


# ---------------------------------------------------------------- a scheduler that ends a command


@pytest.mark.fault(8)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_terminated_is_preempted_and_the_run_says_so(tmp_path: Path, number: signal.Signals) -> None:
    """Twice at once, as `timeout` sends it. SIGHUP: the terminal was closed."""
    write_config(tmp_path / "c.yaml", LONG)
    saved = tmp_path / "runs/tiny/1/checkpoints/last.pt"
    with subprocess.Popen([*FT, "train", "c.yaml"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not saved.is_file() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 75
    assert re.fullmatch(
        r"error: terminated: step \d+ is saved in runs/tiny/1; go on with: ft train c.yaml --resume",
        err.splitlines()[-1],
    )
    assert "Traceback" not in err
    assert json.loads((tmp_path / "runs/tiny/1/status.json").read_text())["state"] == "preempted"


# ---------------------------------------------------------------- smoke tests keep nothing


def test_a_smoke_test_names_no_path_that_is_gone(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"finetune": {"epochs": 1}})
    for command in ("train", "run"):
        answer = ft(command, "c.yaml", "--smoke", "-q", cwd=tmp_path)
        assert (answer.code, answer.out) == (0, "")
    answer = ft("run", "c.yaml", "--smoke", "--json", cwd=tmp_path)
    document = json.loads(answer.out)
    assert [(fit["run"], fit["best"], fit["parent"]) for fit in document["fits"]] == [(None,) * 3] * 2
    for verdict in (document["evaluation"], document["baseline"]):
        assert (verdict["run"], verdict["checkpoint"]) == (None, None)
    assert "ft-smoke-" not in answer.out


# ---------------------------------------------------------------- predict


@pytest.fixture
def pictures(trained: Path) -> Path:
    """The trained folder with two pictures in it."""
    Image.linear_gradient("L").save(trained / "one.png")
    Image.new("L", (8, 8), 200).save(trained / "two.png")
    return trained


def test_predict_takes_settings_anywhere_on_the_line(pictures: Path) -> None:
    plain = ft("predict", "runs/tiny/1", "one.png", "two.png", "--json", cwd=pictures)
    mixed = ft("predict", "device=cpu", "runs/tiny/1", "one.png", "seed=1", "two.png", "--json", cwd=pictures)
    assert (plain.code, mixed.code) == (0, 0)
    assert mixed.out == plain.out
    wrong = ft("predict", "runs/tiny/1", "one.png", "devise=cpu", cwd=pictures)
    assert wrong.code == 2
    assert "device" in wrong.err


@pytest.mark.fault(26)
def test_a_model_trained_on_a_gpu_answers_on_a_machine_without_one(pictures: Path) -> None:
    """The checkpoint says cuda; only the setting on the line makes it answer here."""
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    from ft.core.engine.checkpoint import load_checkpoint, save_checkpoint

    whole = load_checkpoint(pictures / "runs/tiny/1/checkpoints/best.pt")
    whole["experiment"]["device"] = "cuda"
    save_checkpoint(pictures / "gpu.pt", whole)
    assert ft("predict", "gpu.pt", "one.png", cwd=pictures).code == 2
    assert ft("predict", "gpu.pt", "one.png", "device=cpu", cwd=pictures).code == 0


def test_a_picture_called_like_a_setting_is_a_picture(pictures: Path) -> None:
    (pictures / "one.png").rename(pictures / "seed=1")
    document = json.loads(ft("predict", "runs/tiny/1", "seed=1", "--json", cwd=pictures).out)
    assert [answer["file"] for answer in document["predictions"]] == ["seed=1"]


@pytest.mark.parametrize("words", [["runs/tiny/1"], ["runs/tiny/1", "device=cpu"], ["runs/tiny/1", "no.png"]])
def test_predict_without_a_picture_is_a_usage_error(pictures: Path, words: list[str]) -> None:
    assert ft("predict", *words, cwd=pictures).code == 2


def test_an_answer_that_is_no_number_is_no_answer(tmp_path: Path) -> None:
    """A model may divide by zero on a picture of one colour, which training never showed it."""
    spread = "x.flatten(1).amax(1, True) - x.flatten(1).amin(1, True)"  # (B, 1)
    own_network(tmp_path, f"(({spread}) / ({spread}))", {"train": {"max_steps": 1}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    Image.linear_gradient("L").save(tmp_path / "one.png")
    Image.new("L", (8, 8), 200).save(tmp_path / "two.png")
    words = ["predict", "runs/tiny/1", "--python", "net.py"]
    assert ft(*words, "one.png", cwd=tmp_path).code == 0
    answer = ft(*words, "one.png", "two.png", "--json", cwd=tmp_path)
    assert answer.code == 5
    assert "for two.png:" in answer.err
    assert json.loads(answer.out)["exit_code"] == 5


def test_a_picture_gets_the_bits_that_evaluation_gives_it(tmp_path: Path) -> None:
    """The network sees both in the same memory format."""
    seen = "(print('strides', x.stride()) or 1)"
    own_network(tmp_path, seen, {"train": {"max_steps": 1}})
    (tmp_path / "net.py").write_text(
        (tmp_path / "net.py").read_text().replace("torch.nn.Flatten()", "torch.nn.Conv2d(1, 1, 1), torch.nn.Flatten()")
        .replace("super().forward(x)", "super().forward(x.expand(-1, 1, -1, -1))")
    )  # fmt: skip
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    Image.linear_gradient("L").save(tmp_path / "one.png")
    judged = ft("eval", "--python", "net.py", cwd=tmp_path).err
    asked = ft("predict", "runs/tiny/1", "--python", "net.py", "one.png", cwd=tmp_path).err
    strides = [{line for line in err.splitlines() if line.startswith("strides")} for err in (judged, asked)]
    assert strides[0] == strides[1] != set()


# ---------------------------------------------------------------- usage errors, small options


@pytest.mark.parametrize(
    "words",
    [
        ["trian"],
        ["train", "--nope"],
        ["predict"],
        ["config", "shwo"],
        ["predict", "a", "--top", "0"],
    ],
    ids=" ".join,
)
def test_a_usage_error_is_a_document_too(tmp_path: Path, words: list[str]) -> None:
    answer = ft(*words, "--json", cwd=tmp_path)
    document = json.loads(answer.out)
    assert (answer.code, document["schema_version"], document["exit_code"]) == (2, 1, 2)
    assert document["error"]
    assert "Usage:" in answer.err
    assert ft(*words, cwd=tmp_path).out == ""


def test_a_key_with_a_dash_is_a_setting(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"inputs": {"my-col": {"type": "image"}}})
    shown = ft("config", "show", "c.yaml", "inputs.my-col.size=8", cwd=tmp_path)
    assert shown.code == 0, shown.err
    assert "size: 8" in shown.out


def test_eval_finds_out_first_that_its_output_is_a_folder(trained: Path) -> None:
    answer = ft("eval", "--out", "runs", cwd=trained)
    assert answer.code == 2
    assert answer.err.count("\n") == 1  # nothing was begun


def test_validate_says_it_in_json(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml")
    for words, skips in ((["--quick"], True), ([], False)):
        document = json.loads(ft("config", "validate", "c.yaml", *words, "--json", cwd=tmp_path).out)
        assert (document["schema_version"], document["valid"]) == (1, True)
        assert bool(document["skipped"]) is skips
    answer = ft("config", "validate", "c.yaml", "train.epocs=1", "--json", cwd=tmp_path)
    assert json.loads(answer.out)["exit_code"] == answer.code == 2


def test_eval_shows_the_checkpoint_as_it_can_be_typed(trained: Path) -> None:
    assert ft("eval", cwd=trained).out.startswith("tiny: runs/tiny/1/checkpoints/best.pt, 300 test examples")


def test_what_comes_next_can_be_typed_as_it_stands(trained: Path) -> None:
    """The network has two layers with weights; freezing 0, 1 and 2 would be all of it."""
    out = ft("train", "tiny.yaml", "train.max_steps=2", cwd=trained).out
    assert "best at epoch 1 of 1 (2 steps)" in out
    (line,) = (line for line in out.splitlines() if "next" in line)
    words = line.split("next")[1].strip().split("    ")[0].split()
    assert words == ["ft", "finetune", "--freeze", "0,1"]
    assert ft(*words[1:], cwd=trained).code == 0


def test_help_is_on_stdout(tmp_path: Path) -> None:
    answer = ft_process("train", "--help", cwd=tmp_path)
    assert (answer.code, answer.err) == (0, "")
    assert "--smoke" in answer.out
