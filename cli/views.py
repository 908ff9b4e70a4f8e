"""Results as people read them: a headline, a table, where things are, what to type next."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ft.core.errors import visible
from ft.core.metrics.scores import Interval
from ft.core.report.text import duration, number

if TYPE_CHECKING:
    from ft.core.runtime.machine import Extra
    from ft.core.stages.inspect import LayersResult
    from ft.core.stages.predict import Predictions
    from ft.core.stages.recommend import Recommendations
    from ft.core.stages.results import EvalResult, FitResult, RunResult
    from ft.core.stages.verify import Verified

View = list[RenderableType]


def fit(result: FitResult) -> View:
    """What was reached, against what it started from; where it is; what next."""
    finetuning = f"ft finetune {freezing(result.last_unit)}".rstrip() if result.stage == "train" else ""
    return [*fit_summary(result), *_places(result), *_next(finetuning, "ft eval", board(result.run))]


def fit_summary(result: FitResult) -> View:
    """The headline and the validation scores."""
    done = "trained" if result.stage == "train" else "fine-tuned"
    learn = f"{result.trainable:,} of {result.parameters:,} parameters learn"
    head = f"{result.name}: {done} in {duration(result.seconds)} on {result.device} ({result.precision}), {learn}"
    lines: View = [bold(head)]
    if not result.metrics:
        why = f"validation {result.main_metric} was never a number" if result.undecided else "no validation split"
        return [*lines, f"  {why}: best is the last state, after epoch {result.epochs}"]
    value = with_interval(result.metrics[result.main_metric], result.intervals.get(result.main_metric))
    steps = f" ({result.steps:,} steps)" if result.reason == "max_steps" else ""  # the last epoch may be a part of one
    lines.append(
        f"  validation {result.main_metric} {value}, best at epoch {result.best_epoch} of {result.epochs}{steps}"
    )
    if result.before:
        lines.append(f"  before fine-tuning    {number(result.before[result.main_metric])}")
    for metric in result.main_metrics:
        if metric != result.main_metric:
            lines.append(f"  {metric:<21} {with_interval(result.metrics[metric], result.intervals.get(metric))}")
    return lines


def run(result: RunResult) -> View:
    """All stages: their scores side by side, where they are, what next."""
    view: View = []
    for each in result.fits:
        view += fit_summary(each)
    if result.evaluation is not None:
        verdicts = [v for v in (result.baseline, result.evaluation) if v is not None]
        view += [_stages(verdicts), *reading(result.evaluation)]
        if not result.fits[-1].smoke:  # two batches say nothing of a gate
            gates = result.evaluation.gates
            view += [Text(visible(f"  gate {gate}"), style="" if gate.passed else "bold red") for gate in gates]
    last = result.fits[-1]
    if last.smoke:
        return [*view, bold("smoke test passed: every stage ran, saved and evaluated; nothing was kept")]
    for each in result.fits:
        view.append(f"  run       {shown(each.run)}  ({each.stage})")
    view.append(f"  weights   {shown(last.best)}")
    return [*view, *_next(_after(result), f"ft layers {shown(last.run)}", board(last.run))]


def predictions(result: Predictions, top: int) -> View:
    """A line per example and output: what it is called, the answer, the most likely ones with their probabilities."""
    shares = any(answer.probabilities is not None for answer in result.answers)
    rows = table("example", "answer", *(["probabilities"] if shares else []))
    for answer in result.answers:
        match answer.value:
            case float():
                value = number(answer.value)
            case list():
                value = ", ".join(answer.value) or "none"
            case None:
                value = f"none: {answer.skipped}"
            case str():
                value = answer.value
        said = f"{answer.output}: {value}" if len(result.outputs) > 1 else value
        first = list((answer.probabilities or {}).items())[:top]
        rows.add_row(
            answer.file, said, *(["  ".join(f"{each} {share:.4f}" for each, share in first)] if shares else [])
        )
    return [rows]


def recommendations(result: Sequence[Recommendations]) -> View:
    """A table per user: the items, the best first."""
    view: View = []
    for each in result:
        without = f", without the {each.left_out:,} chosen before" if each.left_out else ""
        view.append(bold(f"for {each.user}{without}"))
        titled = any(item.title != item.item for item in each.items)
        rows = table("#", "item", *(["title"] if titled else []), "score", right=(0, 2 + titled))
        for item in each.items:
            rows.add_row(str(item.rank), item.item, *([item.title] if titled else []), number(item.score))
        view.append(rows)
    return view


def written(path: Path, what: str, *, replaced: bool) -> View:
    """Where a result went instead of the screen."""
    return [f"{what} in {shown(path)}{' (replaced)' if replaced else ''}"]


def layers(result: LayersResult) -> View:
    """The numbers that --freeze takes, and what each unit is."""
    rows = table("#", "name", "kind", "output", "parameters", "trainable", right=(0, 4, 5))
    for row in result.rows:
        shape = "?" if row.output_shape is None else "x".join(map(str, row.output_shape)) or "1"
        state = row.state if row.state in ("frozen", "-") else f"{row.trainable:,}"
        rows.add_row(str(row.index), row.name, row.kind, shape, f"{row.parameters:,}" if row.parameters else "-", state)
    total = f"  {result.parameters.total:,} parameters, {result.parameters.trainable:,} trainable"
    return [rows, total, *(f"  {note}" for note in result.notes)]


def verified(name: str, results: Sequence[Verified]) -> View:
    """A headline and a verdict for each stage."""
    view: View = []
    for result in results:
        kills = ", ".join(map(str, result.kills))
        view.append(
            bold(f"{name}: {result.stage}, {result.steps} steps, killed at {kills} ({duration(result.seconds)})")
        )
        equal = f"{result.tensors} tensors and {result.lines} lines of metrics are equal, bit for bit"
        view.append(f"  {equal if result.difference is None else f'not equal: {result.difference}'}")
    return view


def doctor(facts: Mapping[str, Any], extras: Sequence[Extra]) -> View:
    """The machine, a line each, and the extras with what installs them."""
    vision = facts["torchvision"]
    fits = (
        "missing"
        if vision is None
        else f"{vision['version']} ({'fits' if vision['fits'] else 'misfit'}: {vision['why']})"
    )
    memory = facts["memory_bytes"]
    rows = table("", "")
    rows.show_header = False
    for name, value in {
        "python": facts["python"],
        "system": facts["os"],
        "torch": facts["torch"],
        "torchvision": fits,
        "cpu": f"{facts['cpu']['name']}, {facts['cpu']['cores']} cores, {facts['threads']} torch threads",
        "memory": f"{memory / 2**30:.1f} GiB" if memory else "unknown",
    }.items():
        rows.add_row(name, str(value))
    for device in facts["devices"]:
        rows.add_row(f"device {device['device']}", f"{device['name']}; fast at {', '.join(device['fast_precisions'])}")
    for extra in extras:
        rows.add_row(f"extra {extra.name}", "installed" if extra.installed else f"missing; {extra.install_line}")
    return [rows]


def shown(path: Path) -> str:
    """A path as short as it can be typed from here."""
    whole = str(path.resolve())
    return min(os.path.relpath(whole), whole, key=len)


def board(run: Path) -> str:
    """The command that shows the curves."""
    return f"tensorboard --logdir {shown(run.parent)}" if (run / "tensorboard").is_dir() else ""


# ---------------------------------------------------------------- pieces


def _after(result: RunResult) -> str:
    """What comes after all stages: judging where none of them did, else asking the model."""
    run = shown(result.fits[-1].run)
    if result.evaluation is None:
        return f"ft eval {run}"
    ranks = any(scores.unit == "users" for scores in result.evaluation.evaluation.scores.values())
    return f"ft predict {run} {'--user ID' if ranks else 'FILE'}"


def _places(result: FitResult) -> View:
    small = [f"  adapter   {shown(result.adapter)}"] if result.adapter else []
    return [f"  weights   {shown(result.best)}", *small, f"  report    {shown(result.run / 'report.html')}"]


def _next(*commands: str) -> View:
    """A line each, so that none breaks in the middle on a narrow terminal. Empty ones are left out."""
    there = [command for command in commands if command]
    return [f"  {'' if index else 'next':<10}{command}" for index, command in enumerate(there)]


def freezing(last_unit: int) -> str:
    """The option that freezes every unit but the last with parameters, which is number `last_unit`."""
    if last_unit == 0:
        return ""
    return f"--freeze {','.join(map(str, range(last_unit))) if last_unit <= 3 else f'0-{last_unit - 1}'}"


def reading(result: EvalResult) -> View:
    """What must be known to understand the metrics."""
    scores = result.evaluation.scores
    return [
        f"  {f'{output}: ' if len(scores) > 1 else ''}{note}" for output, each in scores.items() for note in each.notes
    ]


def _stages(verdicts: Sequence[EvalResult]) -> Table:
    """Evaluations side by side: the stages as columns."""
    rows = table(f"on {verdicts[0].split}", *(v.stage for v in verdicts), right=range(1, len(verdicts) + 1))
    for metric in verdicts[-1].metrics:
        cells = [with_interval(v.metrics[metric], v.intervals.get(metric)) for v in verdicts]
        rows.add_row(metric, *cells)
    return rows


def with_interval(value: float, ends: Interval | None) -> str:
    """`0.98 [0.97, 0.99]`."""
    return number(value) if ends is None else f"{number(value)} [{number(ends[0])}, {number(ends[1])}]"


def table(*columns: str, right: Sequence[int] = ()) -> Table:
    """An empty table; right: columns of numbers."""
    rows = _Rows(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=True, header_style="bold")
    for index, column in enumerate(columns):
        rows.add_column(_one_line(column), justify="right" if index in right else "left", overflow="fold")
    return rows


class _Rows(Table):
    """A table in which no name breaks a line or commands the terminal."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*(_one_line(cell) if isinstance(cell, str) else cell for cell in cells), **options)


def _one_line(text: str) -> str:
    return visible(text).replace("\n", "\\n")


def bold(text: str) -> Text:
    """A headline."""
    return Text(visible(text), style="bold")
