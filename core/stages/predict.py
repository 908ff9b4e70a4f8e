"""Answers for loose pictures, by the pipeline that the checkpoint holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from ft.core.assemble.parts import memory_format
from ft.core.data.columns.image import ImageColumn, read_picture
from ft.core.engine.evaluate import evaluating
from ft.core.errors import ConfigError, DivergedError
from ft.core.models.heads import Decoded
from ft.core.stages.evaluate import Rebuilt, rebuild
from ft.core.stages.subject import Subject

BATCH_SIZE = 64


@dataclass(frozen=True)
class Prediction:
    """One answer. value: the class's name, or the number. probabilities: by class, most likely first."""

    file: str
    output: str
    value: str | float
    probabilities: dict[str, float] | None


def predict(subject: Subject, files: Sequence[Path]) -> Iterator[Prediction]:
    """Answer for each picture, in the order given.

    Raises DataError for a file that is no picture, DivergedError for a picture whose answer is not finite.
    """
    with subject.loaded.locating():
        rebuilt = rebuild(subject)
    name, column = _picture_input(rebuilt)
    network, device = rebuilt.network, rebuilt.machine.device
    layout = memory_format(network.module, device)  # as in evaluation, so that the answers have the same bits
    waiting = iter(files)
    with evaluating(network.module), torch.inference_mode():
        while batch := list(islice(waiting, BATCH_SIZE)):
            stored = torch.stack([read_picture(file, column) for file in batch])  # uint8 (B, C, H, W)
            prepared = column.prepare(stored.to(device), None).contiguous(memory_format=layout)
            with rebuilt.machine.precision.forward():
                raw = network({name: prepared})
            _check_finite(rebuilt, batch, raw)
            yield from _answers(rebuilt, batch, raw)


def _picture_input(rebuilt: Rebuilt) -> tuple[str, ImageColumn]:
    if len(rebuilt.inputs) == 1:
        name, column = next(iter(rebuilt.inputs.items()))
        if isinstance(column, ImageColumn):
            return name, column
    takes = ", ".join(f"{name} ({column.to_state()['type']})" for name, column in rebuilt.inputs.items())
    raise ConfigError(f"ft predict reads pictures, and this model takes {takes}; use ft eval --data for arrays")


def _check_finite(rebuilt: Rebuilt, files: Sequence[Path], raw: dict[str, Tensor]) -> None:
    """One host sync for the batch."""
    finite = torch.stack([raw[name].float().isfinite().flatten(1).all(1) for name in rebuilt.heads]).all(0)  # (B,)
    broken = [str(file) for file, fine in zip(files, finite.tolist(), strict=True) if not fine]
    if broken:
        raise DivergedError(
            f"the model's answer is NaN or infinite for {', '.join(broken)}: these weights have diverged, or "
            f"{rebuilt.machine.precision.name} is too coarse for them (precision=fp32)"
        )


def _answers(rebuilt: Rebuilt, files: Sequence[Path], raw: dict[str, Tensor]) -> Iterator[Prediction]:
    decoded = {name: head.decode(raw[name].float()) for name, head in rebuilt.heads.items()}
    for row, file in enumerate(files):
        for name, answer in decoded.items():
            yield _answer(str(file), name, answer, row, getattr(rebuilt.heads[name], "classes", ()))


def _answer(file: str, output: str, answer: Decoded, row: int, classes: Sequence[str]) -> Prediction:
    if answer.probabilities is None:
        return Prediction(file, output, float(answer.prediction[row]), None)
    shares = dict(zip(classes, answer.probabilities[row].tolist(), strict=True))
    ranked = dict(sorted(shares.items(), key=lambda item: -item[1]))
    return Prediction(file, output, classes[int(answer.prediction[row])], ranked)
