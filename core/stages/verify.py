"""`ft verify-resume`: the promise of `--resume`, proved on the user's own experiment.

A few steps are trained twice, each time in processes of their own: once undisturbed, once killed (SIGKILL) at several
steps and gone on with. What both leave on the disk must be equal in every bit: weights, averaged weights, optimizer,
schedule, random generators, position, metrics. Only clocks may differ.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ft.core.config.load import Loaded, load_experiment
from ft.core.engine.checkpoint import load_checkpoint
from ft.core.engine.events import Event, Stepped
from ft.core.errors import FtError, ResourceError
from ft.core.stages.drive import Stage
from ft.core.stages.fit import finetune, train
from ft.core.stages.notices import Notice
from ft.core.stages.options import Options
from ft.core.stages.runs import RunFolder
from ft.core.stages.start import finetuning_start, open_start
from ft.core.stages.subject import Subject

KILLS = 3
CLOCKS = (
    "/resume/progress/seconds",
    "/resume/progress/metrics_bytes",  # the lines say how long things took
    "/resume/loop/epoch_seconds",
    "/resume/progress/history/epoch_seconds",
    "/resume/loop/log/seconds",
)
RATES = ("examples_per_s", "seconds")


@dataclass(frozen=True)
class Verified:
    """A stage that was killed after each of `kills` steps, of `steps`. tensors, lines: how many were compared.

    difference: the first thing that differs, None when all are equal.
    """

    stage: Stage
    kills: tuple[int, ...]
    steps: int
    tensors: int
    lines: int
    difference: str | None
    seconds: float


def verify_resume(loaded: Loaded, file: Path, settings: list[str], options: Options, steps: int) -> list[Verified]:
    """Each stage that the file names (training, where it names none), `steps` optimizer steps of it at most.

    file, settings: what `loaded` was read from. Raises what a stage raises, and ResourceError when one dies unasked.
    """
    stages: list[Stage] = [stage for stage in ("train", "finetune") if stage in loaded.named_stages()] or ["train"]
    with tempfile.TemporaryDirectory(prefix="ft-verify-") as folder:
        trial = _Trial(file, settings, Path(folder), steps)
        weights = None
        if stages[0] == "finetune":
            start = finetuning_start(Subject(loaded), None, options.runs_dir, options.on_notice)
            weights = None if start.named else start.path  # what has a name, each process finds for itself
        results = []
        for stage in stages:
            options.on_notice(Notice("stage", f"{stage} {loaded.experiment.name}, once killed and once not"))
            result, weights = trial.verify(stage, weights)
            results.append(result)
        return results


@dataclass(frozen=True)
class _Trial:
    file: Path
    settings: list[str]
    folder: Path
    steps: int

    def verify(self, stage: Stage, weights: Path | None) -> tuple[Verified, Path]:
        """Also the best weights of the undisturbed run."""
        began = time.perf_counter()
        whole = self._run(stage, weights, "whole", None)
        steps = whole.status().steps
        kills = tuple(sorted(random.Random(0).sample(range(1, steps + 1), min(KILLS, steps))))
        for kill in kills:
            cut = self._run(stage, weights, "cut", kill)
        cut = self._run(stage, weights, "cut", None)
        tensors, lines, difference = compare_runs(whole, cut)
        seconds = time.perf_counter() - began
        return Verified(stage, kills, steps, tensors, lines, difference, seconds), whole.best

    def _run(self, stage: Stage, weights: Path | None, name: str, kill: int | None) -> RunFolder:
        """One process. kill: the step after which it ends itself; None: it runs to the end."""
        runs = self.folder / name / stage
        told = self.folder / "error"
        settings = [
            *self.settings,
            f"{stage}.max_steps={self.steps}",
            f"{stage}.checkpoint_every_steps={max(1, self.steps // 8)}",
        ]
        process = multiprocessing.get_context("spawn").Process(
            target=_child, args=(stage, self.file, settings, weights, runs, kill, told)
        )
        process.start()
        process.join()
        if told.exists():
            raise _error(told.read_text(encoding="utf-8"))
        if process.exitcode != (0 if kill is None else -signal.SIGKILL):
            raise ResourceError(f"the process that was to {stage} ended with code {process.exitcode}")
        [status] = runs.glob("*/1/status.json")
        return RunFolder(status.parent)


def _child(
    stage: Stage, file: Path, settings: list[str], weights: Path | None, runs: Path, kill: int | None, told: Path
) -> None:
    def listen(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    options = Options(runs, resume=True, on_event=listen)
    try:
        loaded = load_experiment(file, settings)
        if stage == "train":
            train(loaded, options)
        else:
            if weights is None:
                start = finetuning_start(Subject(loaded), None, runs, options.on_notice)
            else:
                start = open_start(weights, "the training")
            finetune(loaded, start, options)
    except FtError as error:
        told.write_text(json.dumps([type(error).__name__, str(error)]), encoding="utf-8")


def _error(text: str) -> FtError:
    """An error of another process, of its own class."""
    name, message = json.loads(text)
    kinds = {kind.__name__: kind for kind in _kinds(FtError)}
    error = FtError.__new__(kinds[name])
    Exception.__init__(error, message)
    return error


def _kinds(kind: type[FtError]) -> Iterator[type[FtError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)


# ---------------------------------------------------------------- comparing


def compare_runs(whole: RunFolder, cut: RunFolder) -> tuple[int, int, str | None]:
    """(tensors, lines of metrics, the first difference) of two finished runs."""
    tensors = 0
    for name in ("last.pt", "best.pt"):
        first, second = (dict(_leaves(load_checkpoint(run.checkpoints / name))) for run in (whole, cut))
        for path in first | second:
            if not path.startswith(CLOCKS) and (how := _difference(first.get(path), second.get(path))):
                return tensors, 0, f"{name}{path} {how}"
            tensors += isinstance(first.get(path), Tensor)
    lines, others = (_lines(run.path / "metrics.jsonl") for run in (whole, cut))
    for number, (line, other) in enumerate(zip(lines, others, strict=False), 1):
        if line != other:
            return tensors, number - 1, f"metrics.jsonl line {number} is {other}, not {line}"
    if len(lines) != len(others):
        return tensors, len(lines), f"metrics.jsonl has {len(others)} lines, not {len(lines)}"
    return tensors, len(lines), None


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}/{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}/{index}")
    else:
        yield path, value


def _difference(value: Any, other: Any) -> str | None:
    """How they differ, by bits: a NaN equals itself."""
    if not (isinstance(value, Tensor) and isinstance(other, Tensor)):
        same = value == other or (value != value and other != other)
        return None if same else f"is {other!r}, not {value!r}"
    if (value.dtype, value.shape) != (other.dtype, other.shape):
        return f"is {other.dtype} {tuple(other.shape)}, not {value.dtype} {tuple(value.shape)}"
    if torch.equal(value.contiguous().flatten().view(torch.uint8), other.contiguous().flatten().view(torch.uint8)):
        return None
    largest = (value.double() - other.double()).abs().max().item()
    return f"differs by up to {largest:.3g} in {int((value != other).sum())} of {value.numel()} values"


def _lines(path: Path) -> list[dict[str, Any]]:
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [{key: value for key, value in row.items() if key not in RATES} for row in rows]
