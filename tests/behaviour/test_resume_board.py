"""TensorBoard shows a run that was killed as one course: what a later process wrote again is not there twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import ft_process, write_config
from dying import dying

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

TRAIN = {"epochs": 3, "log_every_steps": 2}  # 21 steps an epoch, and a checkpoint at the end of each


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard's own reader makes of the files: (step, value) by tag."""
    events = accumulator.EventAccumulator(str(folder / "runs/tiny/1/tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(each.step, each.value) for each in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.mark.fault(1)
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((9, 12), id="before the first checkpoint"),
        pytest.param((40, 8), id="after it", marks=pytest.mark.long),
    ],
)
def test_tensorboard_shows_each_step_once_after_kills(tmp_path: Path, steps: tuple[int, ...]) -> None:
    write_config(tmp_path / "c.yaml", {"tensorboard": True, "train": TRAIN})
    for number in steps:  # each in a process of its own: TensorBoard sorts the files of one second by process number
        assert dying("step", number, "train", "c.yaml", "--resume", cwd=tmp_path) == -9
    assert ft_process("train", "c.yaml", "--resume", cwd=tmp_path).code == 0
    lines = [json.loads(line) for line in (tmp_path / "runs/tiny/1/metrics.jsonl").read_text().splitlines()]
    logged = [(line["step"], line["loss"]) for line in lines if line["event"] == "train"]
    scalars = shown(tmp_path)
    assert [step for step, _ in scalars["train/loss"]] == [step for step, _ in logged]
    assert [value for _, value in scalars["train/loss"]] == pytest.approx([loss for _, loss in logged])
    assert [step for step, _ in scalars["validation/accuracy"]] == [21, 42, 63]
