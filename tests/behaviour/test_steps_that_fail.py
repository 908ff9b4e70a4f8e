"""A step whose loss is no number, that finds no memory, or whose checkpoint finds no disk: told, and nothing lost."""

from __future__ import annotations

import json
import resource
import subprocess
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from command_line import FT, ft, write_config

from ft.core.engine.checkpoint import load_checkpoint
from ft.core.errors import ResourceError
from ft.core.stages.runs import RunFolder

TABLE: dict[str, Any] = {
    "name": "tiny",
    "device": "cpu",
    "precision": "fp32",
    "tensorboard": False,
    "data": {"source": "table", "train": "t.csv", "split": {"val": 0.2}},
    "inputs": {"v": {"type": "vector", "columns": ["a", "b"], "normalize": "none"}},
    "outputs": {"y": {"type": "number"}},
    "model": {"layers": [{"Linear": {"out_features": 8}}, "ReLU", "Linear"]},
    "train": {"epochs": 3, "batch_size": 16, "checkpoint_every_steps": 1, "optimizer": "sgd", "lr": 0.01},
}
NARROW = {"data": {"split": {"val": 200}}, "train": {"epochs": 2, "micro_batch": "auto"}}


@pytest.mark.fault(11)
def test_the_example_that_spoilt_a_step_is_named_and_what_was_saved_is_healthy(tmp_path: Path) -> None:
    rows = [f"{row % 7},{row % 5},{row % 3}" for row in range(200)]
    rows[137] = "1,3e38,1"  # its square is beyond float32
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    write_config(tmp_path / "c.yaml", {}, base=TABLE)
    answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 5, answer.err
    assert "t.csv row 138" in answer.err
    assert "learning rate of 0.01" in answer.err
    for path in (tmp_path / "runs/tiny/1/checkpoints").glob("*.pt"):
        weights = load_checkpoint(path)["weights"]
        assert all(torch.isfinite(value).all() for value in weights.values() if value.is_floating_point())


def memory_for(most: int) -> Any:
    """A forward pass of more than `most` examples in training finds no memory, as on a small GPU."""
    whole = torch.nn.Linear.forward

    def forward(self: torch.nn.Linear, x: torch.Tensor) -> torch.Tensor:
        if self.training and torch.is_grad_enabled() and len(x) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return whole(self, x)

    return patch.object(torch.nn.Linear, "forward", forward)


@pytest.mark.fault(13)
def test_out_of_memory_halves_what_goes_through_at_once_and_says_so(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", NARROW)
    with memory_for(20):
        answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 0, answer.err
    assert "at most 16 examples" in answer.err
    whole = ft("train", "c.yaml", cwd=tmp_path)
    assert whole.code == 0
    losses = [
        [
            json.loads(line).get("loss")
            for line in (tmp_path / f"runs/tiny/{run}/metrics.jsonl").read_text().splitlines()
        ]
        for run in (1, 2)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train": {"micro_batch": "auto"}, "model": {"layers": ["Flatten", "BatchNorm1d", "Linear"]}}, "batch norm"),
        ({}, "batch_size"),
    ],
)
def test_where_halving_is_no_way_out_there_is_advice(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    write_config(tmp_path / "c.yaml", changes)
    with memory_for(20):
        answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 6
    assert said in answer.errors[-1]


@pytest.mark.fault(14)
def test_a_disk_that_takes_no_checkpoint_leaves_the_old_one(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"epochs": 1}})
    assert ft("train", "c.yaml", cwd=tmp_path).code == 0
    last = tmp_path / "runs/tiny/1/checkpoints/last.pt"
    before, room = last.read_bytes(), last.stat().st_size - 1000
    done = subprocess.run(
        [*FT, "train", "c.yaml", "--resume", "train.epochs=3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    assert done.returncode == 6, done.stderr
    assert "MB are free" in done.stderr
    assert last.read_bytes() == before
    assert ft("train", "c.yaml", "--resume", "train.epochs=3", cwd=tmp_path).code == 0


@pytest.mark.fault(14)
def test_a_status_that_a_full_disk_does_not_take_either_hides_nothing(tmp_path: Path) -> None:
    write_config(tmp_path / "c.yaml", {"train": {"epochs": 3}})
    save, write, calls = torch.save, RunFolder.write, count(1)

    def third_is_too_much(contents: Any, file: Any) -> None:
        if next(calls) > 2:
            raise OSError(28, "No space left on device")
        save(contents, file)

    def full(run: RunFolder, name: str, text: str) -> None:
        if '"failed"' in text:
            raise ResourceError(f"cannot write {name}: No space left on device")
        write(run, name, text)

    with patch.object(torch, "save", third_is_too_much), patch.object(RunFolder, "write", full):
        answer = ft("train", "c.yaml", cwd=tmp_path)
    assert answer.code == 6
    assert "warning: cannot write status.json" in answer.err
    assert "MB are free" in answer.errors[-1]
    assert "it goes on with: " in answer.err
    assert ft("train", "c.yaml", "--resume", cwd=tmp_path).code == 0
