"""A run's report as Markdown: the verdict first, then what it rests on, then how to repeat it.

Pure text from plain values. Readable as it is in a terminal: short lines, padded tables, no HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ft.core.metrics.scores import Scores
from ft.core.report.classes import class_table, confusion
from ft.core.report.gates import GateResult
from ft.core.report.learning import frozen_fact, learning_table
from ft.core.report.model import HistoryRow, MainMetric, RunReport
from ft.core.report.robustness import robustness_tables
from ft.core.report.slices import slice_table
from ft.core.report.text import block, code, duration, escape, interval, number, table

STAGES = {"train": "training", "finetune": "fine-tuning", "eval": "evaluation"}
SPLITS = {"train": "training split", "val": "validation split", "test": "test split"}
CURVE_ROWS = 12


def render(report: RunReport) -> str:
    """The whole of report.md; ends in a newline. Sections without anything to say are left out."""
    title = f"# {escape(report.name)}: {STAGES[report.stage]}"
    sections = [f"## {heading}\n\n{body}" for heading, body in _sections(report) if body]
    return "\n\n".join([title, *_verdict(report), *sections]) + "\n"


def _sections(report: RunReport) -> Iterator[tuple[str, str]]:
    yield "Gates", gate_table(report.gates)
    yield from _scores(report)
    yield "Slices", slice_table(report.slices, [_flat(report, output) for output in report.main])
    yield "Robustness", robustness_tables(report.robustness)
    yield from _by_class(report)
    yield "Learning curve", _curve(report)
    yield "What learns", learning_table(report.units)
    yield "Choices", "\n".join(f"- {escape(line)}" for line in report.choices)
    yield "Learned weights of the losses", _loss_weights(report.loss_weights)
    yield "Starting weights", "\n".join(f"- {escape(line)}" for line in report.loading)
    yield "Data", "\n".join(f"- {escape(note)}" for note in report.data_notes)
    yield "Run", _facts(_run_facts(report))
    yield "Environment", _facts(report.environment)
    yield "Reproduce", block(report.command, "sh") if report.command else ""
    yield "Where things are", _facts({what: code(path) for what, path in report.files.items()}, markdown=True)
    yield "Settings", block(report.settings, "yaml") if report.settings else ""


# ---------------------------------------------------------------- verdict


def _verdict(report: RunReport) -> Iterator[str]:
    """A paragraph per output, then the gates in a sentence, then the notes."""
    split = report.split
    if split is None:
        yield "Nothing was evaluated."
    else:
        for output, scores in report.scores[split].items():
            yield _verdict_of(report, split, output, scores)
    failed = sum(not gate.passed for gate in report.gates)
    if report.gates:
        total = len(report.gates)
        yield f"**{failed} of {total} gates failed.**" if failed else f"All gates passed ({total} of {total})."
    if notes := [*report.notes, *_nonfinite(report)]:
        yield "\n".join(f"- {escape(note)}" for note in notes)


def _verdict_of(report: RunReport, split: str, output: str, scores: Scores) -> str:
    main = report.main[output]
    sure = f"95 % interval {interval(scores.intervals[main.name])}, " if main.name in scores.intervals else ""
    score = number(scores.metrics[main.name])
    text = f"**{escape(_flat(report, output))} {score}** on the {SPLITS[split]} ({sure}{scores.count:,} {scores.unit})."
    before = report.parent_scores.get(split, {}).get(output)
    return text if before is None else f"{text}\n{_change(before, scores, main)}"


def _flat(report: RunReport, output: str) -> str:
    """The main metric of `output` under the name that settings use."""
    name = report.main[output].name
    return name if len(report.main) == 1 else f"{output}/{name}"


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


def _nonfinite(report: RunReport) -> list[str]:
    return [
        f"{scores.nonfinite:,} of {scores.count:,} answers of {output} on the {SPLITS[split]} were NaN or infinite."
        for split, outputs in report.scores.items()
        for output, scores in outputs.items()
        if scores.nonfinite
    ]


def gate_table(gates: Sequence[GateResult]) -> str:
    """What was asked and reached, gate by gate; nothing without gates."""
    if not gates:
        return ""
    rows = [
        [
            escape(gate.metric),
            f"{'at least' if gate.bound == 'min' else 'at most'} {gate.threshold:.6g}",
            "missing" if gate.value is None else f"{gate.value:.6g}",  # rounded less: 0.97996 fails 0.98
            interval(gate.interval) if gate.interval else "",
            "the value" if gate.on == "estimate" else "the interval",
            "passed" if gate.passed else "**failed**",
        ]
        for gate in gates
    ]
    return table(["metric", "asked", "reached", "95 % interval", "what decides", "result"], rows, right=(1, 2))


# ---------------------------------------------------------------- scores


def _scores(report: RunReport) -> Iterator[tuple[str, str]]:
    """A table of metrics by split for each output, the parent's beside them, and how to read it; the total loss."""
    outputs = list(dict.fromkeys(output for split in report.scores.values() for output in split))
    for output in outputs:
        columns = _columns(report, output, with_loss=len(outputs) == 1)
        metrics = list(dict.fromkeys(metric for _, cells in columns for metric in cells))
        rows = [[escape(metric), *(cells.get(metric, "") for _, cells in columns)] for metric in metrics]
        heading = "Scores" if len(outputs) == 1 else f"Scores of {escape(output)}"
        text = table(["metric", *(head for head, _ in columns)], rows, right=range(1, len(columns) + 1))
        yield heading, "\n\n".join(filter(None, [text, _reading(report, output)]))
    if len(outputs) > 1 and report.loss:
        rows = [[SPLITS[split], number(loss)] for split, loss in report.loss.items()]
        yield "Loss of all outputs", table(["split", "weighted sum"], rows, right=(1,))


def _reading(report: RunReport, output: str) -> str:
    """The notes of an output's scores; what is not true of all splits says of which."""
    by_split = {split: outputs[output].notes for split, outputs in report.scores.items() if output in outputs}
    of_all = set.intersection(*map(set, by_split.values()))
    lines = dict.fromkeys(
        note if note in of_all else f"{SPLITS[split]}: {note}" for split, notes in by_split.items() for note in notes
    )
    return "\n".join(f"- {escape(line)}" for line in lines)


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


def _by_class(report: RunReport) -> Iterator[tuple[str, str]]:
    outputs = report.scores[report.split] if report.split else {}
    for output, scores in outputs.items():
        if scores.per_class is None:
            continue
        of = "" if len(outputs) == 1 else f" of {escape(output)}"
        yield f"{'Classes' if scores.classes else 'Labels'}{of}", class_table(scores)
        if scores.classes:
            yield f"Confusion{of}", confusion(scores)


# ---------------------------------------------------------------- the run


def _curve(report: RunReport) -> str:
    """Loss, main metrics and the monitored one by validation; the others are in metrics.jsonl."""
    if not report.history:
        return ""
    shown = _spread(report.history, report.best_step)
    wanted = {"loss", report.monitor, *(_flat(report, output) for output in report.main)}
    metrics = [metric for metric in dict.fromkeys(name for row in shown for name in row.metrics) if metric in wanted]
    rows = [
        [
            str(row.epoch),
            f"{row.step:,}",
            "" if row.train_loss is None else number(row.train_loss),
            *(number(row.metrics[metric]) if metric in row.metrics else "" for metric in metrics),
            "best" if row.step == report.best_step else "",
        ]
        for row in shown
    ]
    head = ["epoch", "step", "train loss", *map(escape, metrics), ""]
    text = table(head, rows, right=range(len(head) - 1))
    if len(shown) == len(report.history):
        return text
    return f"{text}\n\n{len(shown)} of {len(report.history)} validations; all are in metrics.jsonl."


def _loss_weights(weights: Mapping[str, float]) -> str:
    if not weights:
        return ""
    rows = [[escape(output), number(weight)] for output, weight in weights.items()]
    note = "As training left them; they change only how the outputs' losses are added up while training."
    return f"{table(['output', 'weight'], rows, right=(1,))}\n\n{note}"


def _spread(history: Sequence[HistoryRow], best_step: int | None) -> list[HistoryRow]:
    """At most a dozen rows, evenly spread, with the first, the last and the best."""
    last = len(history) - 1
    even = (
        {round(place * last / (CURVE_ROWS - 1)) for place in range(CURVE_ROWS)}
        if last >= CURVE_ROWS
        else range(last + 1)
    )
    return [row for place, row in enumerate(history) if place in even or row.step == best_step]


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
    facts["folder"] = report.run_path
    return {what: fact for what, fact in facts.items() if fact}


def _facts(facts: Mapping[str, str], *, markdown: bool = False) -> str:
    """A list of `what: fact`; markdown: the facts are written already."""
    return "\n".join(f"- {escape(what)}: {fact if markdown else escape(fact)}" for what, fact in facts.items())
