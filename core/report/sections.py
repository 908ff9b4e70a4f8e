"""What a run's report says and in which order: the verdict first, then what it rests on, then how to repeat it.

The one place where a report gets its sections: Markdown and HTML are two renderings of the page made here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from ft.core.metrics.scores import Interval, Scores
from ft.core.report.classes import class_table, confusion
from ft.core.report.curves import curve
from ft.core.report.gates import GateResult
from ft.core.report.learning import frozen_fact, learning_table
from ft.core.report.mistakes import mistakes, reliability
from ft.core.report.model import MainMetric, RunReport
from ft.core.report.page import Block, Bullets, Cell, Code, Facts, Page, Section, Span, Table, Tone, Verdict, Words
from ft.core.report.robustness import robustness_blocks
from ft.core.report.slices import slice_table
from ft.core.report.text import duration, interval, number

STAGES = {"train": "training", "finetune": "fine-tuning", "eval": "evaluation"}
SPLITS = {"train": "training split", "val": "validation split", "test": "test split"}


def page(report: RunReport) -> Page:
    """The whole report. Sections without anything to say are left out."""
    split = report.split
    sentence, tone = _gates_in_a_sentence(report.gates)
    return Page(
        name=report.name,
        stage=STAGES[report.stage],
        verdicts=[_verdict(report, split, output) for output in report.scores[split]] if split else [],
        gates=sentence,
        tone=tone,
        notes=[*report.notes, *_nonfinite(report)],
        sections=[Section(heading, blocks) for heading, blocks in _sections(report) if blocks],
    )


def _sections(report: RunReport) -> Iterator[tuple[str, list[Block]]]:
    yield "Gates", gate_table(report.gates)
    yield from _scores(report)
    yield "Metrics of your own", _own(report.own)
    yield "Slices", slice_table(report.slices, [report.flat(output) for output in report.main])
    yield "Robustness", robustness_blocks(report.robustness)
    yield from _by_class(report)
    yield "Learning curve", curve(report)
    yield "What learns", learning_table(report.units)
    yield "Choices", _bullets(report.choices)
    yield "Learned weights of the losses", _loss_weights(report.loss_weights)
    yield "Starting weights", _bullets(report.loading)
    yield "Data", _bullets(report.data_notes)
    yield "Run", [Facts(_run_facts(report))]
    yield "Environment", [Facts(report.environment)] if report.environment else []
    yield "Reproduce", [Code(report.command, "sh")] if report.command else []
    yield "Where things are", [Facts(report.files, as_code=True)] if report.files else []
    yield "Settings", [Code(report.settings, "yaml", folded=True)] if report.settings else []


def _bullets(lines: Sequence[str]) -> list[Block]:
    return [Bullets(lines)] if lines else []


# ---------------------------------------------------------------- verdict


def _verdict(report: RunReport, split: str, output: str) -> Verdict:
    main, scores = report.main[output], report.scores[split][output]
    ends = scores.intervals.get(main.name)
    before = report.parent_scores.get(split, {}).get(output)
    return Verdict(
        metric=report.flat(output),
        score=number(scores.metrics[main.name]),
        split=SPLITS[split],
        interval=interval(ends) if ends else "",
        count=f"{scores.count:,} {scores.unit}",
        change="" if before is None else _change(before, scores, main),
    )


def _change(before: Scores, after: Scores, main: MainMetric) -> str:
    old, new = before.metrics[main.name], after.metrics[main.name]
    gain = new - old if main.higher_is_better else old - new
    if gain != gain:  # NaN on either side
        how = "which cannot be compared"
    elif gain == 0:
        how = "no change"
    else:
        how = f"{number(abs(gain))} {'better' if gain > 0 else 'worse'}"
    text = f"Before fine-tuning {number(old)}, after it {number(new)}: {how}."
    if main.name in before.intervals and main.name in after.intervals:
        (low, high), (new_low, new_high) = before.intervals[main.name], after.intervals[main.name]
        text += f" The intervals {'overlap' if low <= new_high and new_low <= high else 'do not overlap'}."
    return text


def _gates_in_a_sentence(gates: Sequence[GateResult]) -> tuple[str, Tone]:
    failed, total = sum(not gate.passed for gate in gates), len(gates)
    if failed:
        return f"{failed} of {total} gates failed.", "bad"
    return (f"All gates passed ({total} of {total}).", "good") if gates else ("", "")


def _nonfinite(report: RunReport) -> list[str]:
    return [
        f"{scores.nonfinite:,} of {scores.count:,} answers of {output} on the {SPLITS[split]} were NaN or infinite."
        for split, outputs in report.scores.items()
        for output, scores in outputs.items()
        if scores.nonfinite
    ]


def gate_table(gates: Sequence[GateResult]) -> list[Block]:
    """What was asked and reached, gate by gate; nothing without gates."""
    rows = [
        [
            Cell("passed", tone="good") if gate.passed else Cell("failed", strong=True, tone="bad"),
            gate.metric,
            f"{'at least' if gate.bound == 'min' else 'at most'} {gate.threshold:.6g}",
            "missing" if gate.value is None else f"{gate.value:.6g}",  # rounded less: 0.97996 fails 0.98
            Cell(interval(gate.interval) if gate.interval else "", span=_gate_span(gate)),
            "the value" if gate.on == "estimate" else "the interval",
        ]
        for gate in gates
    ]
    head = ["result", "metric", "asked", "reached", "95 % interval", "what decides"]
    return [Table("What was asked and what was reached", head, rows, right=(2, 3))] if rows else []


def _gate_span(gate: GateResult) -> Span:
    value = gate.value if gate.value is not None and math.isfinite(gate.value) else None
    return Span(value, gate.interval, gate.threshold, gate.bound)


# ---------------------------------------------------------------- scores


def _scores(report: RunReport) -> Iterator[tuple[str, list[Block]]]:
    """A table of metrics by split for each output, the parent's beside them, and how to read it; the total loss."""
    outputs = list(dict.fromkeys(output for split in report.scores.values() for output in split))
    for output in outputs:
        columns = _columns(report, output, with_loss=len(outputs) == 1)
        metrics = list(dict.fromkeys(metric for _, cells in columns for metric in cells))
        rows = [[metric, *(cells.get(metric, "") for _, cells in columns)] for metric in metrics]
        head = ["metric", *(head for head, _ in columns)]
        table = Table("Every metric by split, with its 95 % interval", head, rows, right=range(1, len(columns) + 1))
        yield "Scores" if len(outputs) == 1 else f"Scores of {output}", [table, *_bullets(_reading(report, output))]
    if len(outputs) > 1 and report.loss:
        rows = [[SPLITS[split], number(loss)] for split, loss in report.loss.items()]
        yield "Loss of all outputs", [Table("The loss by split", ["split", "weighted sum"], rows, right=(1,))]


def _own(metrics: Mapping[str, tuple[float, Interval | None]]) -> list[Block]:
    rows = [[name, number(value), interval(ends) if ends else ""] for name, (value, ends) in metrics.items()]
    head = ["metric", "value", "95 % interval"]
    return [Table("What code of your own measured", head, rows, right=(1,))] if rows else []


def _reading(report: RunReport, output: str) -> list[str]:
    """The notes of an output's scores; what is not true of all splits says of which."""
    by_split = {split: outputs[output].notes for split, outputs in report.scores.items() if output in outputs}
    of_all = set.intersection(*map(set, by_split.values()))
    lines = dict.fromkeys(
        note if note in of_all else f"{SPLITS[split]}: {note}" for split, notes in by_split.items() for note in notes
    )
    return list(lines)


def _columns(report: RunReport, output: str, *, with_loss: bool) -> list[tuple[str, dict[str, str]]]:
    """(heading, metric -> cell) of each split, a split's parent before it."""
    columns = []
    for split, outputs in report.scores.items():
        before = report.parent_scores.get(split, {}).get(output)
        if before is not None:
            columns.append((f"{split}, before", _cells(before)))
        if output in outputs:
            loss = {"loss": number(report.loss[split])} if with_loss and split in report.loss else {}
            columns.append((split if before is None else f"{split}, after", loss | _cells(outputs[output])))
    return columns


def _cells(scores: Scores) -> dict[str, str]:
    intervals = {name: f" ({interval(ends)})" for name, ends in scores.intervals.items()}
    return {name: number(value) + intervals.get(name, "") for name, value in scores.metrics.items()}


def _by_class(report: RunReport) -> Iterator[tuple[str, list[Block]]]:
    outputs = report.scores[report.split] if report.split else {}
    for output, scores in outputs.items():
        if scores.per_class is None:
            continue
        of = "" if len(outputs) == 1 else f" of {output}"
        yield f"{'Classes' if scores.classes else 'Labels'}{of}", class_table(scores)
        if scores.classes:
            yield f"Confusion{of}", confusion(scores)
        if output in report.answered:
            yield f"Reliability{of}", reliability(report.answered[output])
            yield f"Mistakes{of}", mistakes(report.answered[output])


# ---------------------------------------------------------------- the run


def _loss_weights(weights: Mapping[str, float]) -> list[Block]:
    if not weights:
        return []
    rows = [[output, number(weight)] for output, weight in weights.items()]
    note = "As training left them; they change only how the outputs' losses are added up while training."
    return [Table("The weight of each output's loss", ["output", "weight"], rows, right=(1,)), Words(note)]


def _run_facts(report: RunReport) -> dict[str, str]:
    facts = {"data": report.data, "device": report.device, "precision": report.precision}
    if report.parent is not None:
        facts["starting weights"] = report.parent
    if report.parameters is not None:
        facts["parameters"] = f"{report.parameters.total:,}, of which {report.parameters.trainable:,} learn"
    if report.frozen is not None:
        facts["frozen"] = frozen_fact(report.frozen)
    if report.seconds is not None:
        facts["time"] = duration(report.seconds)
    if report.epoch_seconds:
        epochs = len(report.epoch_seconds)
        facts["time of an epoch"] = f"{duration(median(report.epoch_seconds))}, the median of {epochs}"
    facts["folder"] = report.run_path
    return {what: fact for what, fact in facts.items() if fact}
