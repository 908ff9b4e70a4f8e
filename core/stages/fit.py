"""Training and fine-tuning: the same stage, the same loop. Fine-tuning has weights to start from and may freeze."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from ft.core.adapt.loading import LoadReport
from ft.core.assemble.fit import Fit, build_fit
from ft.core.assemble.parts import Machine, build_machine, build_model, column_states, data_heads
from ft.core.config.load import Loaded
from ft.core.data.prepare import Data, prepare_data
from ft.core.engine.board import BoardWriter, board_is_installed, check_board
from ft.core.engine.consumers import CheckpointWriter, MetricsFile
from ft.core.engine.evaluate import Evaluation, evaluate
from ft.core.engine.events import EpochEnded, Event, Finished
from ft.core.models.describe import count_parameters
from ft.core.runtime.machine import facts
from ft.core.stages.checks import check_metrics, check_writable
from ft.core.stages.notices import Notice, tell_data, warn
from ft.core.stages.options import Options
from ft.core.stages.reporting import History, write_fit_report
from ft.core.stages.results import FitResult, main_metrics
from ft.core.stages.runs import RunFolder, create_run
from ft.core.stages.start import Start, load_start, training_start

Stage = Literal["train", "finetune"]


def train(loaded: Loaded, options: Options, data: Data | None = None) -> tuple[FitResult, Data]:
    """Train the experiment. data: what an earlier stage of the same process prepared. Returns it for the next."""
    with loaded.locating():
        start = training_start(loaded.experiment)
    return _fit(loaded, "train", start, options, data)


def finetune(loaded: Loaded, start: Start, options: Options, data: Data | None = None) -> tuple[FitResult, Data]:
    """Fine-tune from `start`, which `finetuning_start` finds. data: as for `train`."""
    return _fit(loaded, "finetune", start, options, data)


def _fit(
    loaded: Loaded, stage: Stage, start: Start | None, options: Options, data: Data | None
) -> tuple[FitResult, Data]:
    with loaded.locating():
        started = time.perf_counter()
        check_writable(options.runs_dir)
        prepared = _prepare(loaded, stage, start, options, data)
        run = create_run(options.runs_dir, loaded.experiment.name, stage, start.parent if start else None)
        with _ending(run, kept=not options.smoke):
            result = _drive(prepared, run, options, started)
        return result, prepared.data


@dataclass(frozen=True)
class _Prepared:
    """Everything a fit needs, built and checked before its run's folder is made."""

    loaded: Loaded
    stage: Stage
    start: Start | None
    machine: Machine
    data: Data
    fit: Fit
    loading: LoadReport | None
    before: Evaluation | None


def _prepare(loaded: Loaded, stage: Stage, start: Start | None, options: Options, data: Data | None) -> _Prepared:
    experiment, settings = loaded.complete, loaded.stage(stage)
    options.on_notice(Notice("stage", f"{stage} {experiment.name}"))
    check_board(experiment.tensorboard)
    machine = build_machine(experiment)
    for reason in machine.reasons:
        options.on_notice(Notice("choice", reason))
    if data is None:
        data = prepare_data(
            experiment.data, experiment.inputs, experiment.outputs, only={"train", "val"}, keep=kept_columns(start)
        )
        tell_data(data, options.on_notice)
    asked = [*(loaded.eval.metrics or []), *loaded.eval.min, *([settings.monitor] if settings.monitor else [])]
    heads = data_heads(data, asked)
    check_metrics(loaded.eval, heads)
    network = build_model(experiment, data.inputs, data.output_settings, heads, machine.device)
    loading = None
    if start is not None:
        options.on_notice(Notice("weights", f"starting from {start.path} ({start.why})"))
        loading = load_start(start, network, heads, replace_last=stage == "finetune")
        total, *differences = loading.lines()
        options.on_notice(Notice("weights", total, tuple(differences)))
    fit = build_fit(experiment, settings, data, network, heads, machine, smoke=options.smoke)
    warn(fit.warnings, options.on_notice)
    if fit.freeze is not None:
        *patterns, total = fit.freeze.lines()
        options.on_notice(Notice("freeze", total, tuple(patterns)))
    before = None
    if loading is not None and not loading.replaced and not loading.missing and fit.loop.validation is not None:
        before = evaluate(network, fit.loop.validation, list(heads.values()), machine.precision)
    return _Prepared(loaded, stage, start, machine, data, fit, loading, before)


def kept_columns(start: Start | None) -> dict[str, dict[str, Any]]:
    """States of columns that a fine-tuning keeps: the normalisation, in and out, that its weights were trained with,
    and the users and items of a ranking.
    """
    if start is None or start.checkpoint is None:
        return {}
    inputs, outputs = start.checkpoint["columns"]["inputs"], start.checkpoint["columns"]["outputs"]
    return {**inputs, **{name: state for name, state in outputs.items() if state["type"] in ("number", "ranking")}}


def _drive(prepared: _Prepared, run: RunFolder, options: Options, started: float) -> FitResult:
    """Run the loop with its consumers, then write the report and close the run."""
    _describe_run(prepared, run)
    fit, history = prepared.fit, History()
    consumers: list[Callable[[Event], None]] = [
        MetricsFile(run.path / "metrics.jsonl"),
        CheckpointWriter(run.best, run.last, fit.loop, checkpoint_head(prepared)),
        partial(_follow, run),
        history,
        *_board(prepared, run),
        options.on_event,
    ]
    options.on_notice(Notice("saved", f"run {run.path}"))
    for event in fit.loop.run():
        for consume in consumers:
            consume(event)
    assert isinstance(event, Finished)
    result = _result(prepared, run, history, event, time.perf_counter() - started, options)
    write_fit_report(
        run,
        result,
        history,
        prepared.before,
        prepared.loaded.resolved_yaml(prepared.stage),
        prepared.data.found,
        fit.heads,
        options,
        prepared.data.notes,
    )
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
    prepared: _Prepared, run: RunFolder, history: History, end: Finished, seconds: float, options: Options
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
        parent=prepared.start.parent if prepared.start else None,
        smoke=options.smoke,
    )


def checkpoint_head(prepared: _Prepared) -> dict[str, Any]:
    """The parts of a checkpoint that stay the same through a run."""
    data, network = prepared.data, prepared.fit.network
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
        "parent": prepared.start.parent if prepared.start else None,
        "python": code,
    }


# ---------------------------------------------------------------- the run's folder


def _describe_run(prepared: _Prepared, run: RunFolder) -> None:
    run.write("config.yaml", prepared.loaded.resolved_yaml(prepared.stage))
    environment = facts() | {
        "device": str(prepared.machine.device),
        "precision": prepared.machine.precision.name,
        "data": prepared.data.found,
        "fingerprint": prepared.data.fingerprint,
    }
    run.write("env.json", json.dumps(environment, indent=2, default=str) + "\n")
    if prepared.loading is not None:
        run.write("loaded.json", json.dumps(prepared.loading.to_dict(), indent=2) + "\n")


def _board(prepared: _Prepared, run: RunFolder) -> list[BoardWriter]:
    wish = prepared.loaded.experiment.tensorboard
    if wish is False or (wish == "auto" and not board_is_installed()):
        return []
    return [BoardWriter(run.path / "tensorboard", prepared.loaded.resolved_yaml(prepared.stage))]


def _follow(run: RunFolder, event: Event) -> None:
    """Keep the epochs done in `status.json`, for `ft runs` and for a run that does not come to its end."""
    if isinstance(event, EpochEnded):
        run.update(epochs=event.epoch, steps=event.step)


@contextmanager
def _ending(run: RunFolder, *, kept: bool) -> Iterator[None]:
    """Say in `status.json` how a run ended when it did not finish; the error goes on.

    An interrupt goes on with a note of what it left, where the run's folder is kept.
    """
    try:
        yield
    except BaseException as error:
        state = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        run.update(state=state, finished=time.time(), error=f"{type(error).__name__}: {error}"[:2000])
        if kept and isinstance(error, KeyboardInterrupt):
            error.add_note(_left_behind(run))
        raise


def _left_behind(run: RunFolder) -> str:
    epochs = run.status().epochs
    if not run.best.exists():
        return f"{run.path} has no checkpoint yet"
    return f"{run.best} is the best {f'until epoch {epochs}' if epochs else 'so far'}"
