"""Training and fine-tuning: the same stage, the same loop. Fine-tuning has weights to start from and may freeze."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ft.core.assemble.fit import build_fit, check_batch_size
from ft.core.assemble.parts import build_machine, build_model, data_heads
from ft.core.config.load import Loaded
from ft.core.config.schema import Experiment
from ft.core.data.prepare import Data, prepare_data
from ft.core.engine.board import check_board
from ft.core.engine.evaluate import evaluate
from ft.core.errors import DivergedError, PreemptedError, ResourceError
from ft.core.runtime.signals import Terminated
from ft.core.runtime.timings import phase
from ft.core.stages.checks import asked_metrics, check_metrics, check_writable
from ft.core.stages.compressed import stay_compressed
from ft.core.stages.drive import Prepared, Stage, drive, resume_command
from ft.core.stages.frozen import tell_learning
from ft.core.stages.named_weights import named_normalization, tell_normalization
from ft.core.stages.notices import Notice, tell_data, warn
from ft.core.stages.options import GivenUp, Options
from ft.core.stages.restore import check_same_code, check_same_data
from ft.core.stages.results import FitResult
from ft.core.stages.resume import Continuation, Finder, find_run
from ft.core.stages.robustness import check_corruptions, kinds_of
from ft.core.stages.runs import RunFolder, create_run
from ft.core.stages.start import Start, load_start, reopen_start, training_start
from ft.core.stages.teaching import check_same_teacher, load_teacher

_STATES: dict[type[BaseException], str] = {
    Terminated: "preempted",
    PreemptedError: "preempted",
    KeyboardInterrupt: "interrupted",
    DivergedError: "diverged",
    GivenUp: "pruned",
}


def train(loaded: Loaded, options: Options, data: Data | None = None) -> tuple[FitResult, Data | None]:
    """Train the experiment. data: what an earlier stage of the same process prepared. Returns it for the next; None
    where nothing was left to do.
    """
    with loaded.locating():
        start = training_start(loaded.experiment, options.on_notice)
    return _fit(loaded, "train", start, options, data)


def finetune(
    loaded: Loaded, start: Start | Finder, options: Options, data: Data | None = None
) -> tuple[FitResult, Data | None]:
    """Fine-tune from `start`, or from what it finds when it is called. data: as for `train`."""
    return _fit(loaded, "finetune", start, options, data)


def _fit(
    loaded: Loaded, stage: Stage, start: Start | Finder | None, options: Options, data: Data | None
) -> tuple[FitResult, Data | None]:
    with loaded.locating(), preemptible(options):
        started = time.perf_counter()
        check_writable(options.runs_dir)
        found = find_run(loaded, stage, start if stage == "finetune" else None, options)
        if isinstance(found, FitResult):
            return found, data
        run = None if found is None else found.run
        try:
            prepared = _prepare(loaded, stage, _first_weights(loaded, found, start), options, data, found)
            if run is None:
                run = create_run(options.runs_dir, loaded.experiment.name, stage, prepared.parent)
                options.on_run(run.path)
            with _ending(run, options):
                run.update(state="running", pid=os.getpid(), error=None, finished=None)
                return drive(prepared, run, options, started), prepared.data
        finally:
            if run is not None:
                run.lock.release()


def _first_weights(loaded: Loaded, found: Continuation | None, start: Start | Finder | None) -> Start | None:
    """What the weights were before the first step. A run that goes on has its own, and asks only how good they were."""
    if found is None or found.checkpoint is None:
        return start() if callable(start) else start
    origin = found.progress["origin"]
    return reopen_start(Path(origin), loaded.experiment.model) if origin else None


def _prepare(
    loaded: Loaded,
    stage: Stage,
    start: Start | None,
    options: Options,
    data: Data | None,
    continuation: Continuation | None,
) -> Prepared:
    experiment, settings = loaded.complete, loaded.stage(stage)
    options.on_notice(Notice("stage", f"{stage} {experiment.name}"))
    check_board(experiment.tensorboard)
    machine = build_machine(experiment)
    for reason in machine.reasons:
        options.on_notice(Notice("choice", reason))
    saved = continuation.progress if continuation else {}
    kept = saved["kept"] if saved else kept_columns(start, experiment)
    if data is None:
        data = prepare_data(
            experiment.data,
            experiment.inputs,
            experiment.outputs,
            only={"train", "val"},
            keep=kept,
            allow=partial(check_batch_size, settings, stage),
        )
        tell_data(data, options.on_notice)
    if continuation is not None:
        check_same_data(continuation, data)
    heads = data_heads(data, asked_metrics(loaded.eval, [settings.monitor]))
    check_metrics(loaded.eval, heads)
    check_corruptions(loaded.eval, kinds_of(data.inputs), kinds_of(data.outputs))
    network = build_model(experiment, data.inputs, data.output_settings, heads, machine.device, speed=settings.speed)
    if continuation is not None:
        check_same_code(continuation, network.code_sha256)
    loading = None
    if start is not None:
        options.on_notice(Notice("weights", f"starting from {start.path} ({start.why})"))
        if start.named is not None:
            tell_normalization(start.named, kept, options.on_notice)
        loading = load_start(start, network, heads, experiment.model, replace_last=stage == "finetune")
        total, *differences = loading.lines()
        options.on_notice(Notice("weights", total, tuple(differences)))
    teacher = load_teacher(loaded, stage, data, heads, machine)
    if continuation is not None:
        check_same_teacher(continuation, teacher)
    fit = build_fit(experiment, settings, data, network, heads, machine, smoke=options.smoke, teacher=teacher)
    warn(fit.warnings, options.on_notice)
    for choice in fit.choices:
        options.on_notice(Notice("choice", choice))
    tell_learning(fit.learning, options.on_notice)
    first = continuation.checkpoint if continuation and continuation.checkpoint else start and start.checkpoint
    compressed = stay_compressed(first or {}, fit, loading, options.on_notice)
    before = None
    if loading is not None and not loading.replaced and not loading.missing and fit.loop.validation is not None:
        with phase("validation"):
            before = evaluate(fit.loop.network, fit.loop.validation, list(heads.values()), machine.precision)
    origin = start.path if start is not None else (Path(saved["origin"]) if saved.get("origin") else None)
    parent = continuation.run.status().parent if continuation else (start.parent if start else None)
    return Prepared(loaded, stage, origin, parent, kept, machine, data, fit, loading, before, continuation, compressed)


def kept_columns(start: Start | None, experiment: Experiment) -> dict[str, dict[str, Any]]:
    """States of columns that a fine-tuning keeps: the normalisation, in and out, that its weights were trained with,
    and the users and items of a ranking.
    """
    if start is not None and start.named is not None:
        return named_normalization(start.named, experiment)
    if start is None or start.checkpoint is None:
        return {}
    inputs, outputs = start.checkpoint["columns"]["inputs"], start.checkpoint["columns"]["outputs"]
    return {**inputs, **{name: state for name, state in outputs.items() if state["type"] in ("number", "ranking")}}


@contextmanager
def preemptible(options: Options) -> Iterator[None]:
    """SIGTERM or SIGHUP outside of the loop, which hears it otherwise: there is nothing more to save."""
    try:
        yield
    except Terminated as error:
        raise PreemptedError(f"terminated; go on with: {resume_command(options)}") from error


@contextmanager
def _ending(run: RunFolder, options: Options) -> Iterator[None]:
    """Say in `status.json` how a run ended when it did not finish, and how it can go on; the error goes on."""
    try:
        yield
    except BaseException as error:
        if run.status().state != "finished":
            state = next((state for kind, state in _STATES.items() if isinstance(error, kind)), "failed")
            try:
                run.update(state=state, finished=time.time(), error=f"{type(error).__name__}: {error}"[:2000])
            except ResourceError as second:  # the first says more
                warn([str(second)], options.on_notice)
            if state == "failed" and run.status().saved:
                text = f"{run.path} is kept; once the cause is mended, it goes on with: {resume_command(options)}"
                options.on_notice(Notice("warning", text))
        raise
