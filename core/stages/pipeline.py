"""`ft run`: the stages a file names, in one process, the data prepared once. `--smoke`: all of them on two batches."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ft.core.assemble.fit import check_batch_size
from ft.core.config.load import Loaded
from ft.core.data.prepare import Data, prepare_data
from ft.core.errors import ConfigError, Problem
from ft.core.stages.checks import check_writable
from ft.core.stages.evaluate import judge
from ft.core.stages.fit import finetune, kept_columns, train
from ft.core.stages.inspect import STAGES, validate
from ft.core.stages.notices import Notice, tell_data
from ft.core.stages.options import Options
from ft.core.stages.results import EvalResult, FitResult, RunResult
from ft.core.stages.start import Start, finetuning_start, open_start, training_start
from ft.core.stages.subject import Subject, open_checkpoint

Run = Callable[[Loaded, Options], RunResult]  # once or, for other seeds, again: what they share is prepared once


@dataclass(frozen=True)
class Runner:
    """What a file asks for, foreseen. split: to be judged on, None: not at all. data: of all seeds. start: weights from
    elsewhere for the fine-tuning.
    """

    stages: Sequence[str]
    split: str | None
    data: Data
    start: Start | None
    smoke: bool = False

    def __call__(self, loaded: Loaded, options: Options) -> RunResult:
        """Run it. smoke: on two batches, in a folder that vanishes."""
        if not self.smoke:
            return _run(self, loaded, options)
        with tempfile.TemporaryDirectory(prefix="ft-smoke-") as folder:
            return _run(self, loaded, replace(options, runs_dir=Path(folder), smoke=True))


def runner(loaded: Loaded, options: Options) -> Runner:
    """Train, fine-tune and evaluate as the file's sections say. What would fail at the end is found here.

    Raises ConfigError when the file names no stage, or asks to evaluate a split that the data do not have.
    """
    stages = loaded.named_stages()
    if not {"train", "finetune"} & set(stages):
        raise ConfigError("this file names nothing to run; add train: or finetune: (eval: judges what they give)")
    check_writable(options.runs_dir)
    start, data = _foresee(loaded, options, stages)
    return Runner(stages, loaded.eval.split if "eval" in stages else None, data, start)


def smoke_runner(loaded: Loaded, options: Options) -> Runner:
    """Every stage of the file, and an evaluation in any case, on two batches each."""
    stages = loaded.named_stages()
    if not {"train", "finetune"} & set(stages):
        stages = ["train", *stages]
    start, data = _foresee(loaded, options, stages)
    split = next(s for s in (loaded.eval.split, "val", "train") if s in data.examples)
    return Runner(stages, split, data, start, smoke=True)


def smoke_finetuner(start: Start) -> Run:
    """A fine-tuning on two batches and its evaluation, in a folder that vanishes."""
    data: Data | None = None

    def try_it(each: Loaded, options: Options) -> RunResult:
        nonlocal data
        with tempfile.TemporaryDirectory(prefix="ft-smoke-") as folder:
            tried = replace(options, runs_dir=Path(folder), smoke=True)
            fit, data = finetune(each, start, tried, data)
            assert data is not None, "it was not resumed"
            split = next(s for s in ("val", "train") if s in data.examples)
            return RunResult([fit], _judge(fit, each, split, tried, data), None)

    return try_it


def _foresee(loaded: Loaded, options: Options, stages: Sequence[str]) -> tuple[Start | None, Data]:
    """The data, and the weights a fine-tuning starts from unless this very run trains them. Whatever a later stage
    would stumble over is found here, before the first one trains.
    """
    options.on_notice(Notice("stage", f"{loaded.experiment.name}: {', '.join(stages)}"))
    validate(loaded, torch.device("cpu"))
    with loaded.locating():
        start = None
        if "finetune" in stages and ("train" not in stages or loaded.stage("finetune").from_ is not None):
            start = finetuning_start(Subject(loaded), None, options.runs_dir, options.on_notice)
        experiment = loaded.experiment
        first = training_start(experiment, options.on_notice) if "train" in stages else start
        keep = kept_columns(first, experiment)

        def allow(rows: int) -> None:
            for stage in STAGES:
                if stage in stages:
                    check_batch_size(loaded.stage(stage), stage, rows)

        beside = loaded.eval.slices if "eval" in stages else ()
        data = prepare_data(
            experiment.data, experiment.inputs, experiment.outputs, keep=keep, allow=allow, beside=beside
        )
        tell_data(data, options.on_notice)
        if "eval" in stages and loaded.eval.split not in data.examples:
            split = loaded.eval.split
            message = (
                f"eval asks for the {split} split, which the data do not have; set data.split.{split}, or eval.split"
            )
            raise ConfigError(Problem(message, ("eval", "split")))
    return start, data


def _run(runner: Runner, loaded: Loaded, options: Options) -> RunResult:
    """Weights from elsewhere: then a fine-tuning after a training here keeps their normalisation, not that of the
    training, and prepares the data again.
    """
    fits: list[tuple[FitResult, Data | None]] = []
    stages, start, data = runner.stages, runner.start, runner.data
    if "train" in stages:
        fits.append(train(loaded, options, data))
    if "finetune" in stages:
        here = start or open_start(fits[-1][0].best, "the training just done")
        fits.append(finetune(loaded, here, options, data if start is None or not fits else None))
    split = runner.split
    verdicts = [] if split is None else [_judge(fit, loaded, split, options, own) for fit, own in fits]
    results = [fit for fit, _ in fits]
    return RunResult(results, verdicts[-1] if verdicts else None, verdicts[0] if len(verdicts) > 1 else None)


def _judge(fit: FitResult, loaded: Loaded, split: str, options: Options, data: Data | None) -> EvalResult:
    """Judge what a fit left on disk: the checkpoint is read back, so what is judged is what ships. How is what `loaded`
    says: a run that goes on may have other gates than it began with.
    """
    subject = open_checkpoint(fit.best, python=_code(loaded))
    subject = replace(subject, loaded=subject.loaded.with_eval(loaded))
    options.on_notice(Notice("stage", f"eval {fit.run} on {split}"))
    here = data if data is not None and split in data.examples else None
    return judge(subject, options, split=split, data=here, trusted=True)


def _code(loaded: Loaded) -> Path | None:
    """The user's model file: named by the file that the command line named, so it may run again."""
    spec = loaded.experiment.model.python
    return None if spec is None else Path(spec.rpartition(":")[0])
