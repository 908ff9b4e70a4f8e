"""Mixup, cutmix and balanced sampling with the real command: told, and killed runs go on with the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from command_line import ft, write_config
from dying import dying

from ft.core.stages.runs import RunFolder
from ft.core.stages.verify import compare_runs

SETTINGS: dict[str, Any] = {
    "threads": 1,
    "inputs": {"image": {"type": "image", "augment": {"crop": 1}}},
    "outputs": {"digit": {"type": "category", "label_smoothing": 0.1, "class_weights": {"3": 2.0}}},
    "train": {
        "epochs": 2,
        "accumulate": 2,
        "micro_batch": 24,
        "mixup": 0.2,
        "cutmix": 1.0,
        "sampling": "balanced",
        "checkpoint_every_steps": 3,
    },
}


def test_a_killed_run_that_mixes_and_balances_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        write_config(tmp_path / name / "c.yaml", SETTINGS)
    answer = ft("train", "c.yaml", cwd=tmp_path / "whole")
    assert answer.code == 0, answer.err
    assert "sampling balanced: the 10 classes of digit have" in answer.err
    for steps in (7, 9):
        assert dying("step", steps, "train", "c.yaml", "--resume", cwd=tmp_path / "cut") == -9
    assert ft("train", "c.yaml", "--resume", cwd=tmp_path / "cut").code == 0
    whole, cut = (RunFolder(tmp_path / name / "runs/tiny/1") for name in ("whole", "cut"))
    tensors, lines, difference = compare_runs(whole, cut)
    assert difference is None
    assert tensors
    assert lines
    assert json.loads((whole.path / "result.json").read_text())["metrics"]["accuracy"] > 0.5
