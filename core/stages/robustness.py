"""Judging a model once more for every corruption of its inputs and every severity; what one pass is, data/corrupt says.

The clean pass is the caller's. Categories, sets, dates and histories are left alone and named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft.core.assemble.corruptions import PATH, Planned, build_corrupted_loader, plan_corruptions
from ft.core.assemble.parts import Machine, known_metrics
from ft.core.config.schema import EvalSection
from ft.core.config.schema.corruptions import CORRUPTED
from ft.core.data.columns import Column
from ft.core.data.loader import Examples
from ft.core.data.table import Values
from ft.core.engine.evaluate import Evaluation, evaluate
from ft.core.engine.record import Recorder
from ft.core.errors import ConfigError, Problem
from ft.core.metrics.robustness import Pass, Robustness, mean_scores, robustness_of
from ft.core.models.heads import Head
from ft.core.models.network import Network
from ft.core.report.text import duration, number
from ft.core.runtime.timings import phase
from ft.core.stages.notices import Notice
from ft.core.stages.results import main_metrics

Tell = Callable[[Notice], None]


@dataclass(frozen=True)
class Judged:
    """Who is judged, and on what. seed: of the corruptions. smoke: on two batches."""

    network: Network
    heads: Mapping[str, Head]
    inputs: Mapping[str, Column]
    machine: Machine
    examples: Examples
    batch_size: int
    seed: int
    smoke: bool = False


def kinds_of(columns: Mapping[str, Column]) -> dict[str, str]:
    """The type of each, by name."""
    return {name: column.kind for name, column in columns.items()}


def check_corruptions(settings: EvalSection, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Raise ConfigError for corruptions that cannot be. inputs, outputs: the type of each, by name."""
    if settings.corruptions is None:
        return
    if "ranking" in outputs.values():
        raise ConfigError(Problem("users and items of a ranking cannot be corrupted", PATH))
    if settings.tta is not None:
        message = "corrupted examples are judged as they are; leave out tta, or the corruptions"
        raise ConfigError(Problem(message, PATH))
    if CORRUPTED.rstrip("/") in outputs and len(outputs) > 1:
        message = f"metrics called {CORRUPTED}… are those of corruptions; call the output of that name otherwise"
        raise ConfigError(Problem(message, PATH))
    plan_corruptions(settings.corruptions, inputs)


@phase("corruptions")
def judge_corrupted(
    settings: EvalSection,
    judged: Judged,
    clean: Evaluation,
    recorder: Recorder,
    read: Callable[[], Mapping[str, Values]],
    tell: Tell,
) -> Robustness:
    """clean, recorder: of the pass without corruptions. read: the columns of the split as they are in the data."""
    assert settings.corruptions is not None
    kinds = kinds_of(judged.inputs)
    planned = plan_corruptions(settings.corruptions, kinds)
    touched = {name for each in planned for name in each.inputs}
    untouched = tuple(name for name in kinds if name not in touched)
    passes = sum(len(each.severities) for each in planned)
    _announce(planned, passes, len(judged.examples), untouched, kinds, tell)
    values = read() if any(each.needs_values(kinds) for each in planned) else {}
    results: list[Pass] = []
    for each in planned:
        started = time.perf_counter()
        some = [_judge(judged, each, severity, values) for severity in each.severities]
        results += some
        _report(each, some, main_metrics(judged.heads), time.perf_counter() - started, tell)
    directions = known_metrics(judged.heads)
    single, before = len(judged.heads) == 1, clean.metrics()
    examples = _flat(recorder, single=single)
    inputs = {each.name: each.inputs for each in planned}
    outputs = [
        robustness_of(metric, before, examples, results, inputs, lower_is_better=directions[metric] == "min")
        for metric in main_metrics(judged.heads)
    ]
    means, intervals = mean_scores(results)
    return Robustness(tuple(outputs), untouched, means, intervals, passes, judged.seed)


def _judge(judged: Judged, planned: Planned, severity: int, values: Mapping[str, Values]) -> Pass:
    """One pass. Answers that are not finite make metrics NaN, as a model that fails on noise may."""
    recorder = Recorder()
    loader = build_corrupted_loader(
        planned,
        severity,
        judged.examples,
        judged.inputs,
        values,
        judged.network,
        judged.machine,
        batch_size=judged.batch_size,
        seed=judged.seed,
        smoke=judged.smoke,
    )
    heads = recorder.heads(list(judged.heads.values()))
    found = evaluate(judged.network, recorder.loader(loader), heads, judged.machine.precision)
    return Pass(planned.name, severity, found.metrics(), _flat(recorder, single=len(judged.heads) == 1))


def _flat(recorder: Recorder, *, single: bool) -> dict[str, NDArray[np.float32]]:
    return {
        metric if single else f"{output}/{metric}": values.numpy()
        for output, metrics in recorder.values().items()
        for metric, values in metrics.items()
    }


def _announce(
    planned: list[Planned],
    passes: int,
    examples: int,
    untouched: tuple[str, ...],
    kinds: Mapping[str, str],
    tell: Tell,
) -> None:
    names = ", ".join(each.name for each in planned)
    tell(Notice("choice", f"corruptions: {passes} more passes over {examples:,} examples: {names}"))
    if untouched:
        told = ", ".join(f"{name} ({kinds[name]})" for name in untouched)
        tell(Notice("choice", f"left as they are, as no corruption asked for is for their type: {told}"))


def _report(planned: Planned, passes: list[Pass], metrics: tuple[str, ...], seconds: float, tell: Tell) -> None:
    """A line when a corruption is through all severities."""
    told = "; ".join(f"{metric} {' '.join(number(each.metrics[metric]) for each in passes)}" for metric in metrics)
    severities = ", ".join(map(str, planned.severities))
    tell(Notice("choice", f"{planned.name} at {severities}: {told} ({duration(seconds)})"))
