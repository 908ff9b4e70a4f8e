"""Judging a checkpoint: the network is rebuilt from what the file holds, the data are read again, gates decide."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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
from ft.core.config.load import Loaded
from ft.core.config.schema import (
    DataSection,
    EvalSection,
    Experiment,
    InputColumn,
    OutputColumn,
)
from ft.core.config.schema.corruptions import CORRUPTED
from ft.core.data.columns import Column
from ft.core.data.gather import gather
from ft.core.data.outline import settle_columns
from ft.core.data.prepare import Data, prepare_with
from ft.core.data.table import Values
from ft.core.engine.evaluate import Evaluation, evaluate
from ft.core.engine.record import Recorder
from ft.core.errors import CheckpointError, ConfigError, DivergedError, Problem
from ft.core.metrics.robustness import Robustness
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
from ft.core.stages.other_data import listed_classes, other_section
from ft.core.stages.own_metrics import check_trust, directions, load_metrics
from ft.core.stages.reporting import write_eval_report
from ft.core.stages.results import EvalResult, main_metrics
from ft.core.stages.robustness import Judged, check_corruptions, judge_corrupted, kinds_of
from ft.core.stages.subject import Subject, refuse_overrides


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
    if (model := checkpoint.get("onnx")) is not None:  # an exported file answers: see stages/exported.py
        heads = checkpoint_heads(checkpoint, model.output_settings, model.outputs, asked)
        return Rebuilt(experiment, model.machine, model.inputs, model.outputs, model.settings, heads, model.network)
    machine = machine or build_machine(experiment)
    inputs, outputs = build_columns(checkpoint)
    input_settings, output_settings = settle_columns(experiment.data, experiment.inputs, experiment.outputs)
    if set(output_settings) != set(outputs) or set(input_settings) != set(inputs):
        brought, own = (", ".join(names) for names in ({**input_settings, **output_settings}, {**inputs, **outputs}))
        raise ConfigError(
            f"data=… brings other columns ({brought}) than {subject.path} was trained with ({own}); name a YAML file "
            "with those data by --data: a picture source's two columns then stand for them"
        )
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
        check_corruptions(settings, kinds_of(rebuilt.inputs), kinds_of(rebuilt.outputs))
        own = load_metrics(settings, rebuilt.heads)
        baseline = read_baseline(Path(settings.baseline)) if settings.baseline else None
        for reason in rebuilt.machine.reasons:
            options.on_notice(Notice("choice", reason))
        if settings.tta is not None:
            options.on_notice(
                Notice("choice", f"each example is judged by the mean of {count_views(settings.tta)} views")
            )
        section = other_section(subject.loaded, other_data, settings.split, rebuilt.settings)
        if data is None or not settings.slices.keys() <= data.beside.get(settings.split, {}).keys():
            columns = rebuilt.inputs, rebuilt.outputs, rebuilt.settings
            classes = listed_classes(other_data, rebuilt.outputs)
            data = prepare_with(section, *columns, only={settings.split}, beside=settings.slices, classes=classes)
            tell_data(data, options.on_notice)
        recorder = Recorder()
        evaluation = evaluate_split(rebuilt, data, settings, recorder, smoke=options.smoke)
        evidence = None if options.smoke else weigh(settings, baseline, evaluation, recorder, data, rebuilt.heads, own)
        robustness = _corrupted(rebuilt, section, data, settings, evaluation, recorder, options)
        seconds = time.perf_counter() - started
        result = _result(subject, rebuilt, settings, data, evidence or Evidence(evaluation), robustness, seconds)
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


@phase("evaluation")
def evaluate_split(
    rebuilt: Rebuilt, data: Data, settings: EvalSection, recorder: Recorder, *, smoke: bool
) -> Evaluation:
    """Judge on the split of the settings; what is answered to each example is the recorder's to keep. Raises
    ConfigError where the data have no such split, DivergedError where an answer is not finite.
    """
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


def _corrupted(
    rebuilt: Rebuilt,
    section: DataSection,
    data: Data,
    settings: EvalSection,
    clean: Evaluation,
    recorder: Recorder,
    options: Options,
) -> Robustness | None:
    if settings.corruptions is None:
        return None
    assert settings.batch_size is not None, "complete settings"

    def read() -> dict[str, Values]:
        """Cut as they were when they were encoded, so that rows are the same."""
        dataset = gather(section, rebuilt.settings, {settings.split}).dataset
        return {name: dataset.values(settings.split, name) for name in rebuilt.inputs}

    judged = Judged(
        rebuilt.network,
        rebuilt.heads,
        rebuilt.inputs,
        rebuilt.machine,
        data.examples[settings.split],
        settings.batch_size,
        rebuilt.experiment.seed,
        options.smoke,
    )
    return judge_corrupted(settings, judged, clean, recorder, read, options.on_notice)


def _result(
    subject: Subject,
    rebuilt: Rebuilt,
    settings: EvalSection,
    data: Data,
    evidence: Evidence,
    robustness: Robustness | None,
    seconds: float,
) -> EvalResult:
    evaluation, heads, gates = evidence.evaluation, rebuilt.heads, gates_of(settings)
    metrics = evaluation.metrics() | evidence.own.metrics
    intervals = evaluation.intervals() | evidence.own.intervals
    wanted = [*settings.metrics, *evidence.own.metrics] if settings.metrics else list(metrics)
    if robustness is not None:
        wanted += [f"{CORRUPTED}{name}" for name in main_metrics(heads)]
        metrics |= {f"{CORRUPTED}{name}": value for name, value in robustness.means.items()}
        intervals |= {f"{CORRUPTED}{name}": interval for name, interval in robustness.intervals.items()}
    shown = {name: metrics[name] for name in wanted}
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
        robustness=robustness,
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
