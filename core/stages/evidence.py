"""What an evaluation says beyond its sums: intervals of every score, how parts of the examples fared, how much worse it
is than an earlier model.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ft.core.config.schema import EvalSection
from ft.core.data.catalog import Catalog
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.prepare import Data
from ft.core.data.slices import cut_slices
from ft.core.engine.evaluate import Evaluation
from ft.core.engine.record import Answers, Recorder
from ft.core.errors import ConfigError, Problem
from ft.core.metrics.by_example import ByExample
from ft.core.metrics.comparison import compare
from ft.core.metrics.intervals import mean_interval
from ft.core.metrics.resampling import Drop, intervals
from ft.core.metrics.scores import Interval, Scores, SliceScores, flat_intervals, flat_metrics
from ft.core.models.heads import Head
from ft.core.runtime.timings import phase
from ft.core.stages.baseline import Baseline, PerExample, answers_of, check_same_examples, known_classes, per_example
from ft.core.stages.own_metrics import OwnMetric, OwnScores, directions, judge_own


@dataclass(frozen=True)
class Evidence:
    """evaluation: with every interval. slices: in the order asked for. drops: against the baseline, by metric.
    answers: what the document keeps of every example. own: metrics of the user's code.
    """

    evaluation: Evaluation
    slices: Sequence[SliceScores] = ()
    drops: Mapping[str, Drop] = field(default_factory=dict)
    answers: PerExample | None = None
    own: OwnScores = field(default_factory=lambda: OwnScores({}, {}, {}))


@phase("statistics")
def weigh(
    settings: EvalSection,
    baseline: Baseline | None,
    evaluation: Evaluation,
    recorder: Recorder,
    data: Data,
    heads: Mapping[str, Head],
    metrics: list[OwnMetric],
) -> Evidence:
    """All that verdicts rest on. recorder: of a whole split. metrics: of the user's code. Raises ConfigError where the
    answers are too many to keep for what is asked of each.
    """
    answers = recorder.answers()
    if (settings.slices or metrics) and len(answers) < len(heads):
        place = ("eval", "slices" if settings.slices else "python")
        raise ConfigError(Problem("the answers take more memory than is kept to look at each", place))
    own = judge_own(metrics, answers, heads)
    examples = by_example(answers, heads)
    values = _with_own(recorder.values(), own, heads)
    kept = keep_users(values, recorder.rows, data, settings.split) or keep_answers(
        values, examples, data, settings.split, heads
    )
    return Evidence(
        with_intervals(evaluation, examples),
        judge_slices(settings, data, answers, heads, metrics),
        drops(settings, baseline, kept, examples, heads),
        kept,
        own,
    )


def by_example(answers: Mapping[str, Answers], heads: Mapping[str, Head]) -> dict[str, ByExample]:
    """What verdicts need of the answers, by output; nothing of outputs that do not answer by example."""
    found = {name: heads[name].by_example(each.raw, each.targets) for name, each in answers.items()}
    return {name: each for name, each in found.items() if each is not None}


# ---------------------------------------------------------------- intervals and slices


def with_intervals(evaluation: Evaluation, examples: Mapping[str, ByExample]) -> Evaluation:
    """The same with intervals of scores that have no formula for one."""
    scores = {
        name: _with_intervals(each, examples[name]) if name in examples else each
        for name, each in evaluation.scores.items()
    }
    return replace(evaluation, scores=scores)


def _with_intervals(scores: Scores, examples: ByExample) -> Scores:
    wanted = {name: each for name, each in examples.sampled().items() if name not in scores.intervals}
    loss = {} if len(examples.loss) < 2 else {"loss": _interval_of_mean(examples.loss)}
    return replace(scores, intervals=scores.intervals | loss | intervals(wanted))


def _interval_of_mean(values: np.ndarray) -> Interval:
    """Of N >= 2 values that are never negative."""
    wide = values.astype(np.float64)
    return mean_interval(float(wide.sum()), float((wide**2).sum()), len(wide))


def judge_slices(
    settings: EvalSection,
    data: Data,
    answers: Mapping[str, Answers],
    heads: Mapping[str, Head],
    metrics: list[OwnMetric],
) -> list[SliceScores]:
    """Every slice that is asked for, in the order of the settings."""
    return [
        _judge(name, column, rows, answers, heads, metrics)
        for column, asked in settings.slices.items()
        for name, rows in cut_slices(data.beside[settings.split][column], asked, column).items()
    ]


def _judge(
    name: str,
    column: str,
    rows: np.ndarray,
    answers: Mapping[str, Answers],
    heads: Mapping[str, Head],
    own_metrics: list[OwnMetric],
) -> SliceScores:
    if not len(rows):
        return SliceScores(name, column, 0, {}, {})
    scores, total = {}, 0.0
    part = {output: answers[output].take(torch.from_numpy(rows)) for output in heads}
    for output, head in heads.items():
        own = part[output]
        accumulator = head.scores()
        head.update(accumulator, own.raw, own.targets)
        loss = float(head.loss_sum(own.raw, own.targets) / head.denominator(own.targets))
        total += head.weight * loss
        examples = head.by_example(own.raw, own.targets)
        judged = accumulator.compute().with_loss(loss)
        scores[output] = judged if examples is None else _with_intervals(judged, examples)
    theirs = judge_own(own_metrics, part, heads)
    metrics = {"loss": total} | flat_metrics(scores) | {"loss": total} | theirs.metrics
    return SliceScores(name, column, len(rows), metrics, flat_intervals(scores) | theirs.intervals)


# ---------------------------------------------------------------- another model's answers


def _with_own(
    values: Mapping[str, Mapping[str, torch.Tensor]], own: OwnScores, heads: Mapping[str, Head]
) -> dict[str, dict[str, torch.Tensor]]:
    """The values of every example, those of the user's metrics among their output's."""
    found = {output: dict(each) for output, each in values.items()}
    for name, each in own.by_example.items():
        output, metric = (next(iter(heads)), name) if len(heads) == 1 else name.rsplit("/", 1)
        found.setdefault(output, {})[metric] = torch.from_numpy(each)
    return found


def keep_answers(
    recorded: Mapping[str, Mapping[str, torch.Tensor]],
    examples: Mapping[str, ByExample],
    data: Data,
    split: str,
    heads: Mapping[str, Head],
) -> PerExample | None:
    """What a document keeps. recorded: the values of `Head.per_example`. None where nothing answers by example."""
    values = {
        name: {metric: each.numpy() for metric, each in recorded.get(name, {}).items()}
        | (examples[name].saved() if name in examples else {})
        for name in heads
        if name in recorded or name in examples
    }
    if not values:
        return None
    judged = data.examples[split]
    return per_example(values, judged.names, judged.targets, known_classes(heads))


def keep_users(
    recorded: Mapping[str, Mapping[str, torch.Tensor]], users: torch.Tensor, data: Data, split: str
) -> PerExample | None:
    """Of a ranking, whose rows are users: their names, and which items each was to find. users: codes, int64 (V,)."""
    rankings = {name: column for name, column in data.outputs.items() if isinstance(column, Catalog)}
    for name, catalog in rankings.items():
        who, what = (data.inputs[each] for each in (catalog.user, catalog.item))
        assert isinstance(who, CategoryColumn), "checked by settle_columns"
        assert isinstance(what, CategoryColumn), "checked by settle_columns"
        wanted: dict[int, set[str]] = {code: set() for code in users.tolist()}
        for user, item in zip(*(codes.tolist() for codes in catalog.choices(data.examples[split])), strict=True):
            if user in wanted and item:
                wanted[user].add(what.classes[item - 1])
        found = [zlib.crc32("\n".join(sorted(each)).encode()) for each in wanted.values()]
        values = {name: {metric: each.numpy() for metric, each in recorded[name].items()}}
        names = [who.classes[code - 1] for code in wanted]
        return per_example(values, names, {name: torch.tensor(found)}, {})
    return None


def drops(
    settings: EvalSection,
    baseline: Baseline | None,
    own: PerExample | None,
    examples: Mapping[str, ByExample],
    heads: Mapping[str, Head],
) -> dict[str, Drop]:
    """How much worse than the baseline, by metric. Raises DataError where that one judged other examples, ConfigError
    where it does not say what the metric needs.
    """
    if baseline is None or own is None:
        return {}
    check_same_examples(baseline, own)
    found = {}
    for metric in settings.max_drop:
        output, name = (next(iter(heads)), metric) if len(heads) == 1 else metric.rsplit("/", 1)
        lower = (directions(settings).get(metric) or heads[output].direction(name)) == "min"
        drop = _drop(metric, name, baseline.examples, own, heads[output], examples.get(output), lower=lower)
        if drop is None:
            there = ", ".join(baseline.examples.values) or "none"
            message = f"it does not hold what {metric} needs of every example; it holds: {there}"
            raise ConfigError(f"baseline {baseline.name}: {message}; write it anew with ft eval --out")
        found[metric] = drop
    return found


def _drop(
    metric: str,
    name: str,
    before: PerExample,
    own: PerExample,
    head: Head,
    examples: ByExample | None,
    *,
    lower: bool,
) -> Drop | None:
    if metric in before.values and metric in own.values:
        return compare(before.values[metric], own.values[metric], lower_is_better=lower)
    if examples is None:
        return None
    return examples.drop(name, answers_of(before, own, metric.removesuffix(name), getattr(head, "classes", ())))
