"""Pictures are read while the network learns, by threads: one that fails is named, one that dies costs no step."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import FT, ft, write_config
from dying import dying
from PIL import Image
from small_tables import write_rows

from ft.core.engine.checkpoint import load_checkpoint

pytest.importorskip("pyarrow", reason="tables need pyarrow")

PICTURES: dict[str, Any] = {
    "name": "tiny",
    "device": "cpu",
    "precision": "fp32",
    "tensorboard": False,
    "data": {"source": "table", "train": "t.csv", "split": {"val": 0.2}},
    "inputs": {"picture": {"type": "image", "size": 8, "keep": "files", "augment": {"crop": 1}}},
    "outputs": {"label": {"type": "category"}},
    "model": {"layers": ["Flatten", "Linear"]},
    "train": {"epochs": 3, "batch_size": 4, "checkpoint_every_steps": 1},
}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with forty pictures of two kinds, their table, and the experiment."""
    names = [f"{number}.png" for number in range(40)]
    for number, name in enumerate(names):
        Image.new("RGB", (8, 8), (200 * (number % 2), 5 * number, 0)).save(tmp_path / name)
    write_rows(tmp_path / "t.csv", [{"picture": name, "label": f"l{n % 2}"} for n, name in enumerate(names)])
    write_config(tmp_path / "c.yaml", base=PICTURES)
    return tmp_path


@pytest.mark.fault(16)
def test_a_reader_that_dies_takes_the_run_along_at_once_and_no_step_is_lost(pictures: Path) -> None:
    write_config(pictures / "whole.yaml", {"name": "whole"}, base=PICTURES)
    assert ft("train", "whole.yaml", cwd=pictures).code == 0
    began = time.monotonic()
    assert dying("read", 110, "train", "c.yaml", cwd=pictures) == -9
    assert time.monotonic() - began < 60  # it does not hang
    answer = ft("train", "c.yaml", "--resume", cwd=pictures)
    assert answer.code == 0, answer.err
    assert "goes on from" in answer.err
    ours, theirs = (load_checkpoint(pictures / f"runs/{name}/1/checkpoints/last.pt") for name in ("tiny", "whole"))
    assert ours["step"] == theirs["step"]
    for name, value in theirs["weights"].items():
        assert torch.equal(ours["weights"][name], value)


@pytest.mark.fault(17)
def test_a_picture_gone_in_mid_run_is_named_with_its_row_and_what_was_saved_stays(pictures: Path) -> None:
    command = [*FT, "train", "c.yaml", "train.epochs=100000"]
    process = subprocess.Popen(command, cwd=pictures, stderr=subprocess.PIPE, text=True)
    last = pictures / "runs/tiny/1/checkpoints/last.pt"
    deadline = time.monotonic() + 60
    while not last.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    (pictures / "7.png").rename(pictures / "away.png")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 4, said
    assert "Traceback" not in said
    assert "column picture, train, t.csv row 8: 7.png: no such file" in said
    assert "it goes on with: ft train c.yaml train.epochs=100000 --resume" in said
    assert load_checkpoint(last)["step"] > 0
