"""Judging a checkpoint: the network is rebuilt from what the file holds, the data are read again, gates decide."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ft.core.assemble.parts import (
    Machine,
    Rankings,
    build_columns,
    build_loader,
    build_machine,
    build_model,
    checkpoint_heads,
    known_metrics,
)
from ft.core.assemble.views import build_views, count_views
from ft.core.config.load import Loaded, load_experiment
from ft.core.config.schema import EvalSection, Experiment, InputColumn, OutputColumn, Split, TableData
from ft.core.data.columns import Column
from ft.core.data.outline import columns_of, settle_columns
from ft.core.data.prepare import Data, prepare_with
from ft.core.data.sources.table_files import is_table
from ft.core.data.sources.table_head import names_itself
from ft.core.engine.evaluate import Evaluation, evaluate
from ft.core.engine.record import Recorder
from ft.core.errors import CheckpointError, ConfigError, DivergedError, Problem
from ft.core.models.averaged import Averaged
from ft.core.models.heads import Head
from ft.core.models.network import Network
from ft.core.report.answered import Answered
from ft.core.report.gates import check_drops, check_gates, check_slices
from ft.core.runtime.timings import phase
from ft.core.stages.answered import answered
from ft.core.stages.asked import as_typed
from ft.core.stages.baseline import read_baseline
from ft.core.stages.checks import asked_metrics, check_metrics, gates_of
from ft.core.stages.evidence import Evidence, weigh
from ft.core.stages.notices import Notice, tell_data
from ft.core.stages.options import Options
from ft.core.stages.own_metrics import check_trust, directions, load_metrics
from ft.core.stages.reporting import write_eval_report
from ft.core.stages.results import EvalResult, main_metrics
from ft.core.stages.subject import Subject, is_config, refuse_overrides

ANY_MODEL = "model={layers: [Linear]}"  # instead of that of a file whose data alone are wanted; it may have none


@dataclass(frozen=True)
class Rebuilt:
    """A checkpoint's model, ready to answer. settings: of every column, by its name."""

    experiment: Experiment
    machine: Machine
    inputs: dict[str, Column]
    outputs: dict[str, Column]
    settings: dict[str, InputColumn | OutputColumn]
    heads: dict[str, Head]
    network: Network


def rebuild(
    subject: Subject, asked: Sequence[str] = (), machine: Machine | None = None, *, plainly: bool = False
) -> Rebuilt:
    """Network, heads and columns from the checkpoint alone, with its weights. machine: None for the experiment's own.
    plainly: every layer runs as it is written.

    Raises CheckpointError on a misfit.
    """
    checkpoint, experiment = subject.checkpoint, subject.loaded.experiment
    assert checkpoint is not None
    refuse_overrides(subject)
    machine = machine or build_machine(experiment)
    inputs, outputs = build_columns(checkpoint)
    input_settings, output_settings = settle_columns(experiment.data, experiment.inputs, experiment.outputs)
    heads = checkpoint_heads(checkpoint, output_settings, outputs, asked)
    code = checkpoint["python"]
    sha256 = code["sha256"] if code else None
    speed = subject.loaded.stage("finetune" if checkpoint["stage"] == "finetune" else "train").speed
    speed = speed.model_copy(update={"rewrite": False}) if plainly else speed
    network = build_model(experiment, inputs, output_settings, heads, machine.device, sha256, speed)
    try:
        network.module.load_state_dict(checkpoint["weights"])
    except RuntimeError as error:
        first = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(
            f"{subject.path}: its weights do not fit the network of these settings: {first}"
        ) from error
    return Rebuilt(experiment, machine, inputs, outputs, {**input_settings, **output_settings}, heads, network)


def judge(
    subject: Subject,
    options: Options,
    *,
    split: str | None = None,
    gates: Mapping[str, Any] | None = None,
    other_data: Path | None = None,
    data: Data | None = None,
    trusted: bool = False,
) -> EvalResult:
    """Evaluate a checkpoint on a split and check its gates. Failed gates are in the result, not an error.

    split, gates (of `eval:`, by key): the command line's; they win over the file's, gate by gate. other_data: a table,
    folder or YAML file to read instead of the experiment's own data. data: what an earlier stage of this process
    prepared. trusted: the settings are those of a file that the command line named, so metrics of its own code may run.
    Raises DivergedError when the model's answers are not finite.
    """
    with subject.loaded.locating(), as_typed(split, gates or {}):
        started = time.perf_counter()
        settings = _settings(subject.loaded, split, gates or {})
        if not trusted:
            check_trust(subject.loaded, settings, (gates or {}).get("python", {}))
        rebuilt = rebuild(subject, asked_metrics(settings))
        check_metrics(settings, rebuilt.heads)
        own = load_metrics(settings, rebuilt.heads)
        baseline = read_baseline(Path(settings.baseline)) if settings.baseline else None
        for reason in rebuilt.machine.reasons:
            options.on_notice(Notice("choice", reason))
        if settings.tta is not None:
            options.on_notice(
                Notice("choice", f"each example is judged by the mean of {count_views(settings.tta)} views")
            )
        if data is None or not settings.slices.keys() <= data.beside.get(settings.split, {}).keys():
            data = _read(subject, rebuilt, settings, other_data)
            tell_data(data, options.on_notice)
        recorder = Recorder()
        evaluation = _evaluate(rebuilt, data, settings, recorder, smoke=options.smoke)
        evidence = None if options.smoke else weigh(settings, baseline, evaluation, recorder, data, rebuilt.heads, own)
        seconds = time.perf_counter() - started
        result = _result(subject, rebuilt, settings, data, evidence or Evidence(evaluation), seconds)
        if subject.run is not None and other_data is None and not options.smoke and not _other_examples(subject):
            looked = answered(rebuilt.heads, rebuilt.inputs, data.examples[settings.split], recorder)
            _record(subject, result, rebuilt, options, looked)
        return result


def _settings(loaded: Loaded, split: str | None, gates: Mapping[str, Any]) -> EvalSection:
    settings = loaded.eval
    changes: dict[str, Any] = {
        key: {**getattr(settings, key), **asked} if isinstance(asked, dict) else asked for key, asked in gates.items()
    }
    if split is not None:
        changes["split"] = split
    return settings.model_copy(update=changes)


def _read(subject: Subject, rebuilt: Rebuilt, settings: EvalSection, other: Path | None) -> Data:
    section = subject.loaded.experiment.data
    if other is not None:
        reads = {read for name, column in rebuilt.settings.items() for read in columns_of(name, column)}
        section = _other_data(subject.loaded, other, settings.split, reads)
    return prepare_with(
        section, rebuilt.inputs, rebuilt.outputs, rebuilt.settings, only={settings.split}, beside=settings.slices
    )


def _other_data(loaded: Loaded, path: Path, split: str, reads: Collection[str]) -> Any:
    """`--data`: a YAML file's `data`, whatever else it holds, a table whose every row is judged, or another folder.

    reads: the data's columns that the model needs. A table of a model without a header may have one of its own.
    """
    if is_config(path):
        return load_experiment(path, [ANY_MODEL]).experiment.data
    section = loaded.experiment.data
    if isinstance(section, TableData) and path.is_file():
        file = str(path.absolute())
        own = {"train": file, "val": None, "test": None, split: file, "split": Split()}
        section = section.model_copy(update=own | ({"format": None} if is_table(path) else {}))
        return section.model_copy(update={"header": True}) if names_itself(section, path, reads) else section
    if "root" not in type(section).model_fields:
        raise ConfigError(
            f"--data {path}: the source {section.source} reads no folder; name a YAML file with a data section"
        )
    if not path.exists():
        raise ConfigError(f"--data {path}: there is no such file or folder")
    return section.model_copy(update={"root": str(path)})


@phase("evaluation")
def _evaluate(rebuilt: Rebuilt, data: Data, settings: EvalSection, recorder: Recorder, *, smoke: bool) -> Evaluation:
    if settings.split not in data.examples:
        there = [name for name in ("val", "train") if name in data.examples or name in data.splits]
        raise ConfigError(
            Problem(
                f"the data have no {settings.split} split; "
                f"{'use --split ' + there[0] if there else 'set data.split'}, or set data.split.{settings.split}",
                ("eval", "split"),
            )
        )
    assert settings.batch_size is not None, "complete settings"
    network, heads = rebuilt.network, recorder.heads(list(rebuilt.heads.values()))
    rankings = Rankings.of(rebuilt.outputs, settings.split)
    prepare = partial(
        build_loader,
        data.examples[settings.split],
        rebuilt.inputs,
        network,
        rebuilt.machine,
        settings.batch_size,
        smoke=smoke,
    )
    if settings.tta is None:
        evaluation = evaluate(network, recorder.loader(prepare(rankings=rankings)), heads, rebuilt.machine.precision)
    else:
        if rankings is not None:
            raise ConfigError(Problem("a ranking's users and items are seen in one way only", ("eval", "tta")))
        show = partial(build_views, settings.tta, settings=rebuilt.settings, seed=rebuilt.experiment.seed)
        averaged = Averaged(network, count_views(settings.tta))
        evaluation = evaluate(averaged, recorder.loader(prepare(views=show)), heads, rebuilt.machine.precision)
    if not evaluation.is_finite:
        broken = sum(scores.nonfinite for scores in evaluation.scores.values())
        raise DivergedError(
            f"the model's answers are NaN or infinite for {broken} of {evaluation.examples} examples of the "
            f"{settings.split} split: these weights have diverged, or {rebuilt.machine.precision.name} is too "
            "coarse for them (precision=fp32)"
        )
    return evaluation


def _result(
    subject: Subject, rebuilt: Rebuilt, settings: EvalSection, data: Data, evidence: Evidence, seconds: float
) -> EvalResult:
    evaluation, heads, gates = evidence.evaluation, rebuilt.heads, gates_of(settings)
    metrics = evaluation.metrics() | evidence.own.metrics
    intervals = evaluation.intervals() | evidence.own.intervals
    shown = (
        {name: metrics[name] for name in (*settings.metrics, *evidence.own.metrics)} if settings.metrics else metrics
    )
    known = known_metrics(heads) | directions(settings)
    lower = [name for name, direction in known.items() if direction == "min"]
    assert subject.checkpoint is not None
    assert subject.path is not None
    return EvalResult(
        name=rebuilt.experiment.name,
        stage=subject.checkpoint["stage"],
        checkpoint=subject.path,
        run=subject.run.path if subject.run else None,
        split=settings.split,
        data=data.found,
        evaluation=evaluation,
        metrics=shown,
        intervals={name: interval for name, interval in intervals.items() if name in shown},
        main_metric=next(iter(heads.values())).main_metric if len(heads) == 1 else "loss",
        main_metrics=main_metrics(heads),
        data_notes=data.notes,
        gates=[
            *check_gates(gates, metrics, intervals, evaluation.scores),
            *check_slices(gates, evidence.slices, lower),
            *(check_drops(gates, evidence.drops) if evidence.drops else []),
        ],
        slices=evidence.slices,
        per_example=evidence.answers,
        seconds=seconds,
        device=str(rebuilt.machine.device),
        precision=rebuilt.machine.precision.name,
    )


def _other_examples(subject: Subject) -> bool:
    """Whether the command line changed the data: the result is then not the run's own."""
    return any(path[0] == "data" and path != ("data", "root") for path in subject.loaded.overrides)


def _record(
    subject: Subject, result: EvalResult, rebuilt: Rebuilt, options: Options, looked: Mapping[str, Answered]
) -> None:
    """Evaluating a run writes into it."""
    assert subject.run is not None
    status = subject.run.status()
    subject.run.set_status(
        replace(status, evaluations={**status.evaluations, result.split: result.evaluation.metrics()})
    )
    write_eval_report(subject.run, result, subject.loaded.resolved_yaml(), rebuilt.heads, options, looked)
