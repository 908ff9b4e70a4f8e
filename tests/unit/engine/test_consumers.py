"""What listens to the loop: the metrics file, the checkpoints, TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_parts import loop

from ft.core.engine.board import BoardWriter
from ft.core.engine.checkpoint import load_checkpoint
from ft.core.engine.consumers import CheckpointWriter, MetricsFile
from ft.core.engine.events import EpochEnded, Event, Logged, Validated
from ft.core.engine.loop import Loop
from ft.core.engine.saving import Saver
from ft.core.errors import ResourceError


def drive(it: Loop, *consumers: Any) -> list[Event]:
    seen = []
    for event in it.run():
        seen.append(event)
        for consume in consumers:
            consume(event)
    return seen


def test_every_line_of_the_metrics_file_is_json_and_says_what_happened(tmp_path: Path) -> None:
    seen = drive(loop(epochs=2), MetricsFile(tmp_path / "m.jsonl"))
    rows = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert [row["event"] for row in rows] == [
        {Logged: "train", Validated: "validation", EpochEnded: "epoch"}[type(event)]
        for event in seen
        if isinstance(event, Logged | Validated | EpochEnded)
    ]
    [last] = [row for row in rows if row["event"] == "validation" and row["epoch"] == 2]
    assert last["accuracy"] == [event for event in seen if isinstance(event, Validated)][-1].metrics["accuracy"]


def test_a_number_that_json_has_no_form_for_is_null(tmp_path: Path) -> None:
    MetricsFile(tmp_path / "m.jsonl")(EpochEnded(1, 1, float("nan"), 0.5))
    assert json.loads((tmp_path / "m.jsonl").read_text())["loss"] is None


def test_a_metrics_file_that_cannot_be_written_is_a_lack_of_resources(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot write"):
        MetricsFile(tmp_path)(EpochEnded(1, 1, 0.5, 0.5))


@pytest.mark.parametrize("ema", [None, 0.9])
def test_best_holds_the_weights_of_the_best_validation(tmp_path: Path, ema: float | None) -> None:
    it = loop(epochs=6, lr=0.3, ema=ema)  # a rate so high that the last epoch is not the best
    best: dict[str, torch.Tensor] = {}

    def remember(event: Event) -> None:
        if isinstance(event, Validated) and event.is_best:
            best.update({name: value.clone() for name, value in it.shipped.module.state_dict().items()})

    writer = CheckpointWriter(Saver(tmp_path), it, {"stage": "train"})
    seen = drive(it, writer, remember)
    saved = load_checkpoint(tmp_path / "best.pt")
    assert saved["stage"] == "train"
    assert saved["step"] == max(event.step for event in seen if isinstance(event, Validated) and event.is_best)
    assert all(torch.equal(saved["weights"][name], value) for name, value in best.items())
    assert "resume" not in saved


def test_last_goes_on_and_ships_the_averaged_weights(tmp_path: Path) -> None:
    it = loop(epochs=2, ema=0.9)
    drive(it, CheckpointWriter(Saver(tmp_path), it, {}))
    last = load_checkpoint(tmp_path / "last.pt")
    assert last["epoch"] == 2
    assert it.ema is not None
    for name, value in it.ema.module.state_dict().items():
        assert torch.equal(last["weights"][name], value)
    for name, value in it.network.module.state_dict().items():
        assert torch.equal(last["resume"]["loop"]["module"][name], value)


def test_without_validation_best_is_the_last_state(tmp_path: Path) -> None:
    it = loop(epochs=2, validated=False)
    drive(it, CheckpointWriter(Saver(tmp_path), it, {}))
    weights = load_checkpoint(tmp_path / "best.pt")["weights"]
    assert all(torch.equal(weights[name], value) for name, value in it.network.module.state_dict().items())


def test_a_run_that_ends_inside_an_epoch_still_leaves_its_last_state(tmp_path: Path) -> None:
    it = loop(max_steps=3)
    drive(it, CheckpointWriter(Saver(tmp_path), it, {}))
    assert load_checkpoint(tmp_path / "last.pt")["step"] == 3


def test_tensorboard_reads_back_every_number(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    seen = drive(loop(epochs=2), BoardWriter(tmp_path, "name: x\n"))
    board = accumulator.EventAccumulator(str(tmp_path))
    board.Reload()
    validated = [event for event in seen if isinstance(event, Validated)]
    read = [(event.step, event.value) for event in board.Scalars("validation/accuracy")]
    assert read == [(event.step, pytest.approx(event.metrics["accuracy"])) for event in validated]
    assert {"train/loss", "train/lr", "epoch/loss"} <= set(board.Tags()["scalars"])
    [text] = board.Tags()["tensors"]
    assert text.startswith("settings")


@pytest.mark.fault(14)
def test_a_full_disk_under_tensorboard_is_an_error_with_the_files_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = pytest.importorskip("tensorboard.summary.writer.record_writer")
    board = BoardWriter(tmp_path / "board", "name: x\n")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records.RecordWriter, "write", full)
    with pytest.raises(ResourceError, match=r"cannot write .*tfevents.*: No space left on device"):
        drive(loop(epochs=1), board)
    board.close()
