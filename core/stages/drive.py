"""Running the loop of a prepared stage: what listens to it, where it goes on, how its run is closed."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NoReturn

from ft.core.adapt.loading import LoadReport
from ft.core.adapt.proof import Unmoved
from ft.core.assemble.fit import Fit
from ft.core.assemble.parts import Machine, column_states
from ft.core.config.load import Loaded
from ft.core.data.prepare import Data
from ft.core.engine.board import BoardWriter, board_is_installed
from ft.core.engine.consumers import CheckpointWriter, MetricsFile
from ft.core.engine.evaluate import Evaluation
from ft.core.engine.events import EpochEnded, Event, Finished, Stepped, Stopped, Validated
from ft.core.engine.saving import Saver
from ft.core.errors import PreemptedError
from ft.core.models.describe import count_parameters
from ft.core.runtime.machine import facts
from ft.core.runtime.signals import Wishes, passed_on
from ft.core.runtime.timings import phase, watched
from ft.core.stages.adapter import keep_small
from ft.core.stages.baseline import known_classes, per_example
from ft.core.stages.compatible import FROM_ENVIRONMENT, remember_environment
from ft.core.stages.decide import decide
from ft.core.stages.frozen import Watch, learning_rows
from ft.core.stages.notices import Notice
from ft.core.stages.options import GivenUp, Options
from ft.core.stages.reporting import History, write_fit_report, write_loading
from ft.core.stages.restore import complete_history, restore
from ft.core.stages.results import FitResult, main_metrics
from ft.core.stages.resume import Continuation
from ft.core.stages.runs import RunFolder

Stage = Literal["train", "finetune"]


@dataclass(frozen=True)
class Prepared:
    """Everything a fit needs, built and checked before its run's folder is made.

    origin, parent: the file its weights started from, and what is called its parent. kept: states of columns that came
    from there. before: what those weights reached on validation.
    """

    loaded: Loaded
    stage: Stage
    origin: Path | None
    parent: str | None
    kept: Mapping[str, Mapping[str, Any]]
    machine: Machine
    data: Data
    fit: Fit
    loading: LoadReport | None
    before: Evaluation | None
    continuation: Continuation | None
    compressed: dict[str, Any] | None = None


def drive(prepared: Prepared, run: RunFolder, options: Options, started: float) -> FitResult:
    """Run the loop with its consumers, then write the report and close the run. started: by time.perf_counter.

    Raises PreemptedError or KeyboardInterrupt when a signal stopped it, with everything saved.
    """
    loop, settings = prepared.fit.loop, prepared.loaded.stage(prepared.stage)
    environment = facts()
    machine = _machine(prepared, environment)
    history, metrics = History(), MetricsFile(run.path / "metrics.jsonl")
    earlier = 0.0
    watch = Watch(prepared.fit, prepared.continuation.progress.get("still") if prepared.continuation else None)
    if prepared.continuation is not None:
        earlier = restore(prepared.continuation, loop, history, metrics, machine, options.on_notice)
    _describe_run(prepared, run, environment)

    def progress() -> dict[str, Any]:
        changing = {"metrics_bytes": metrics.size, "history": history.state_dict(), "still": watch.still}
        return {**_origin(prepared, machine), **changing, "seconds": earlier + time.perf_counter() - started}

    saver = Saver(run.checkpoints, settings.keep_last)
    checkpoint = prepared.continuation.checkpoint if prepared.continuation else None
    writer = CheckpointWriter(
        saver,
        loop,
        checkpoint_head(prepared),
        progress,
        settings.checkpoint_every_steps,
        settings.checkpoint_every_minutes,
        checkpoint["metrics"] if checkpoint else None,
    )
    board = _board(prepared, run, loop.state.step if prepared.continuation else None)
    consumers: list[Callable[[Event], None]] = [
        watch,
        metrics,
        history,
        writer,
        partial(_follow, run, saver),
        *board,
        options.on_event,
    ]
    options.on_notice(Notice("saved", f"run {run.path}"))
    with _closing(saver, board), passed_on(loop.stop, writer.request) as wishes, phase("saving and telling"):
        for event in watched(loop.run(), _phases()):
            _hand_out(event, consumers, wishes)
    if isinstance(event, Stopped):
        _stopped(event.step, wishes, run, options)
    assert isinstance(event, Finished)
    unmoved = watch.check()
    complete_history(history, loop, run.best, event)
    result = _close(prepared, run, history, event, earlier + time.perf_counter() - started, options, unmoved)
    if wishes.stopped is not None:  # in the very last step: whatever comes after this stage is to be stopped
        signal.raise_signal(wishes.stopped)
    return result


def _hand_out(event: Event, consumers: Iterable[Callable[[Event], None]], wishes: Wishes) -> None:
    try:
        for consume in consumers:
            consume(event)
    except GivenUp:
        if wishes.stopped is None:  # else the loop stops by itself, and what was asked is not forgotten
            raise


def _phases() -> Callable[[Event], str]:
    """What making an event is called in `--timings`."""
    stepped = False

    def name(event: Event) -> str:
        nonlocal stepped
        if isinstance(event, Validated):
            return "validation"
        first, stepped = not stepped, stepped or isinstance(event, Stepped)
        return "first step" if first else "training steps"

    return name


def _origin(prepared: Prepared, machine: Mapping[str, str]) -> dict[str, Any]:
    """What a run that goes on must find again: what it began with."""
    examples, fingerprints = prepared.data.examples, prepared.data.fingerprints
    return {
        "kept": dict(prepared.kept),
        "origin": None if prepared.origin is None else str(prepared.origin.resolve()),
        "splits": {
            split: (fingerprints[split], len(examples[split])) for split in ("train", "val") if split in examples
        },
        "machine": dict(machine),
    }


@phase("report")
def _close(
    prepared: Prepared,
    run: RunFolder,
    history: History,
    event: Finished,
    seconds: float,
    options: Options,
    unmoved: Unmoved | None,
) -> FitResult:
    size = prepared.loaded.eval.batch_size or prepared.loaded.stage(prepared.stage).batch_size
    decided = decide(run.best, prepared.fit, prepared.data, prepared.machine, size, smoke=options.smoke)
    for line in decided:
        options.on_notice(Notice("choice", line))
    result = replace(
        _result(prepared, run, history, event, seconds, options),
        units=learning_rows(prepared.fit.learning),
        frozen=unmoved.to_dict() if unmoved else None,
        choices=(*prepared.fit.choices, *decided),
    )
    if prepared.fit.learning.adapters is not None:
        result = replace(result, adapter=keep_small(run.best))
    write_fit_report(
        run,
        result,
        history,
        prepared.before,
        prepared.loaded.resolved_yaml(prepared.stage),
        prepared.data.summary(),
        prepared.fit.heads,
        options,
        prepared.data.notes,
    )
    run.write("result.json", result.to_json())
    run.update(
        state="finished",
        finished=time.time(),
        epochs=event.epoch,
        steps=event.step,
        best_epoch=event.best_epoch,
        metrics=result.metrics,
        main_metrics=list(result.main_metrics),
    )
    return result


def _result(
    prepared: Prepared, run: RunFolder, history: History, end: Finished, seconds: float, options: Options
) -> FitResult:
    fit, best = prepared.fit, history.best
    sizes = count_parameters(fit.network.module)
    return FitResult(
        stage=prepared.stage,
        name=prepared.loaded.experiment.name,
        run=run.path,
        best=run.best,
        metrics=best.metrics if best else {},
        intervals=best.evaluation.intervals() if best else {},
        main_metric=fit.loop.settings.monitor,
        main_metrics=main_metrics(fit.heads),
        undecided=best is None and bool(history.rows),
        before=prepared.before.metrics() if prepared.before else None,
        best_epoch=end.best_epoch,
        epochs=end.epoch,
        steps=end.step,
        reason=end.reason,
        seconds=seconds,
        parameters=sizes.total,
        trainable=sizes.trainable,
        last_unit=fit.network.last_unit,
        device=str(prepared.machine.device),
        precision=prepared.machine.precision.name,
        parent=prepared.parent,
        smoke=options.smoke,
        choices=fit.choices,
        validated_on=_validated_on(prepared),
    )


def _validated_on(prepared: Prepared) -> str | None:
    examples = prepared.data.examples.get("val")
    if examples is None:
        return None
    return per_example({}, examples.names, examples.targets, known_classes(prepared.fit.heads)).identity


def _machine(prepared: Prepared, environment: Mapping[str, Any]) -> dict[str, str]:
    """What decides the bits beside the experiment."""
    return {
        "torch": str(environment["torch"]),
        "the processor": str(environment["cpu"]["name"]),
        "the number of threads": str(environment["threads"]),
        "the device": str(prepared.machine.device),
        "the precision": prepared.machine.precision.name,
        "the feature cache": prepared.fit.cached,
    }


def checkpoint_head(prepared: Prepared) -> dict[str, Any]:
    """The parts of a checkpoint that stay the same through a run."""
    data, network, adapted = prepared.data, prepared.fit.network, prepared.fit.learning.adapters
    model = prepared.loaded.experiment.model
    code = None
    if model.python is not None:
        file, _, function = model.python.rpartition(":")
        code = {"file": file, "function": function, "sha256": network.code_sha256}
    return {
        "stage": prepared.stage,
        "experiment": prepared.loaded.resolved(prepared.stage),
        "columns": {"inputs": column_states(data.inputs), "outputs": column_states(data.outputs)},
        "class_counts": {name: dict(counts) for name, counts in data.class_counts.items()},
        "train_rows": len(data.examples["train"]),
        "fingerprint": data.fingerprint,
        "precision": prepared.machine.precision.name,
        "parent": prepared.parent,
        "python": code,
        "adapter": None if adapted is None else adapted.adapters.to_dict(),
        "teacher": prepared.fit.teacher,
        "compressed": prepared.compressed,
    }


# ---------------------------------------------------------------- the run's folder


def _describe_run(prepared: Prepared, run: RunFolder, facts_here: Mapping[str, Any]) -> None:
    environment = {
        **facts_here,
        "device": str(prepared.machine.device),
        "precision": prepared.machine.precision.name,
        "data": prepared.data.found,
        "fingerprint": prepared.data.fingerprint,
        FROM_ENVIRONMENT: remember_environment(prepared.loaded, prepared.stage),
        "teacher": prepared.fit.teacher,
        "speed": prepared.fit.speed,
    }
    run.write("env.json", json.dumps(environment, indent=2, default=str) + "\n")
    run.write("config.yaml", prepared.loaded.resolved_yaml(prepared.stage))
    if prepared.loading is not None:
        write_loading(run, prepared.loading, prepared.origin)


def _board(prepared: Prepared, run: RunFolder, step: int | None) -> list[BoardWriter]:
    """step: from which it goes on."""
    wish = prepared.loaded.experiment.tensorboard
    if wish is False or (wish == "auto" and not board_is_installed()):
        return []
    return [BoardWriter(run.path / "tensorboard", prepared.loaded.resolved_yaml(prepared.stage), step)]


def _follow(run: RunFolder, saver: Saver, event: Event) -> None:
    """Keep the epochs done in `status.json`, for `ft runs` and for a run that does not come to its end."""
    if isinstance(event, EpochEnded | Stopped):
        epochs = {"epochs": event.epoch} if isinstance(event, EpochEnded) else {}
        run.update(steps=event.step, saved=saver.has_saved, **epochs)


@contextmanager
def _closing(saver: Saver, board: list[BoardWriter]) -> Iterator[None]:
    try:
        yield
    finally:
        saver.close()
        for each in board:
            each.close()


# ---------------------------------------------------------------- stopped


def _stopped(step: int, wishes: Wishes, run: RunFolder, options: Options) -> NoReturn:
    """Say where it stands and how it goes on; a smoke test's folder vanishes."""
    told = f"step {step:,} is saved in {run.path}; go on with: {resume_command(options)}"
    if wishes.stopped not in (None, signal.SIGINT):
        raise PreemptedError("terminated" if options.smoke else f"terminated: {told}")
    interrupt = KeyboardInterrupt()
    if not options.smoke:
        interrupt.add_note(told)
    raise interrupt


def resume_command(options: Options) -> str:
    """What to type to go on."""
    if options.goes_on or " --resume" in options.command:
        return options.command
    return f"{options.command or 'the same command with'} --resume"
