"""`ft run`: the stages a file names, in one process, the data prepared once. `--smoke`: all of them on two batches."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ft.core.config.load import Loaded
from ft.core.data.prepare import Data, prepare_data
from ft.core.errors import ConfigError, Problem
from ft.core.stages.checks import check_writable
from ft.core.stages.evaluate import judge
from ft.core.stages.fit import finetune, train
from ft.core.stages.inspect import validate
from ft.core.stages.notices import Notice
from ft.core.stages.options import Options
from ft.core.stages.results import EvalResult, FitResult, RunResult
from ft.core.stages.start import finetuning_start
from ft.core.stages.subject import Subject, open_checkpoint


def run(loaded: Loaded, options: Options) -> RunResult:
    """Train, fine-tune and evaluate as the file's sections say. What would fail at the end is found before training.

    Raises ConfigError when the file names no stage, or asks to evaluate a split that the data do not have.
    """
    stages = loaded.named_stages()
    if not {"train", "finetune"} & set(stages):
        raise ConfigError("this file names nothing to run; add train: or finetune: (eval: judges what they give)")
    check_writable(options.runs_dir)
    start = _foresee(loaded, options, stages)
    data = _prepare(loaded, options)
    if "eval" in stages:
        with loaded.locating():
            _check_split(loaded.eval.split, data)
    return _run(loaded, options, stages, loaded.eval.split if "eval" in stages else None, data, start)


def smoke(loaded: Loaded, options: Options) -> RunResult:
    """Every stage of the file, and an evaluation in any case, on two batches each, in a folder that vanishes."""
    stages = loaded.named_stages()
    if not {"train", "finetune"} & set(stages):
        stages = ["train", *stages]
    start = _foresee(loaded, options, stages)
    data = _prepare(loaded, options)
    if "eval" in stages:
        with loaded.locating():
            _check_split(loaded.eval.split, data)
    split = next(s for s in (loaded.eval.split, "val", "train") if s in data.examples)
    with tempfile.TemporaryDirectory(prefix="ft-smoke-") as folder:
        tried = replace(options, runs_dir=Path(folder), smoke=True)
        return _run(loaded, tried, stages, split, data, start)


def _foresee(loaded: Loaded, options: Options, stages: Sequence[str]) -> Path | None:
    """Find before any training what a later stage would stumble over. The weights a fine-tuning starts from, if they
    are there already: None when this very run has to train them.
    """
    validate(loaded)
    if "finetune" not in stages or ("train" in stages and loaded.stage("finetune").from_ is None):
        return None
    with loaded.locating():
        return finetuning_start(Subject(loaded), None, options.runs_dir).path


def _prepare(loaded: Loaded, options: Options) -> Data:
    experiment = loaded.experiment
    options.on_notice(Notice("stage", f"{experiment.name}: {', '.join(loaded.named_stages())}"))
    with loaded.locating():
        data = prepare_data(experiment.data, experiment.inputs, experiment.outputs)
    options.on_notice(Notice("data", data.summary()))
    return data


def _check_split(split: str, data: Data) -> None:
    if split not in data.examples:
        raise ConfigError(
            Problem(
                f"eval asks for the {split} split, which the data do not have; set data.split.{split}, or eval.split",
                ("eval", "split"),
            )
        )


def _run(
    loaded: Loaded, options: Options, stages: Sequence[str], split: str | None, data: Data, start: Path | None
) -> RunResult:
    fits: list[FitResult] = []
    if "train" in stages:
        fits.append(train(loaded, options, data)[0])
    if "finetune" in stages:
        fits.append(finetune(Subject(loaded), options, start or fits[-1].best, data)[0])
    if split is None:
        return RunResult(fits, None, None)
    verdicts = [_judge(fit, loaded, split, options, data) for fit in fits]
    return RunResult(fits, verdicts[-1], verdicts[0] if len(verdicts) > 1 else None)


def _judge(fit: FitResult, loaded: Loaded, split: str, options: Options, data: Data) -> EvalResult:
    """Judge what a fit left on disk: the checkpoint is read back, so what is judged is what ships."""
    subject = open_checkpoint(fit.best, python=_code(loaded))
    options.on_notice(Notice("stage", f"eval {fit.run} on {split}"))
    return judge(subject, options, split=split, data=data)


def _code(loaded: Loaded) -> Path | None:
    """The user's model file: named by the file that the command line named, so it may run again."""
    spec = loaded.experiment.model.python
    return None if spec is None else Path(spec.rpartition(":")[0])


def smoke_finetune(subject: Subject, options: Options, weights: Path | None) -> RunResult:
    """A fine-tuning on two batches and its evaluation, in a folder that vanishes."""
    with subject.loaded.locating():
        start = finetuning_start(subject, weights, options.runs_dir)
    with tempfile.TemporaryDirectory(prefix="ft-smoke-") as folder:
        tried = replace(options, runs_dir=Path(folder), smoke=True)
        fit, data = finetune(subject, tried, start.path)
        split = next(s for s in ("val", "train") if s in data.examples)
        return RunResult([fit], _judge(fit, subject.loaded, split, tried, data), None)
