"""Several runs side by side: what was set otherwise, what each reached, and whether a difference exceeds chance.

Runs are called A, B, C in tables, so that long names need room once. Differences are B's, C's... from A.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ft.core.metrics.scores import Interval
from ft.core.report.page import Block, Bullets, Cell, Chart, Line, Page, Section, Table, Words
from ft.core.report.text import duration, interval, number

LEVEL = 0.05
DRAWN = 6  # runs in one picture: more colours could not be told apart
CHARTS = 8
SHOWN = 80  # characters of a setting's value
EXACT = "exact McNemar test, two-sided"
RESAMPLED = "paired bootstrap, two-sided"

Score = tuple[float, Interval | None]


@dataclass(frozen=True)
class Side:
    """One run. path: as a user would type it. scores: by split and metric. curves: by metric, (epoch, value).
    parameters, seconds: None where the run has not ended. main: the metrics that speak for it.
    """

    path: str
    name: str
    stage: str
    state: str
    started: float
    epochs: int
    steps: int
    seconds: float | None = None
    parameters: int | None = None
    main: Sequence[str] = ()
    scores: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """How one run differs from the first on the same examples. gain: how much better it is, in the metric's units, with
    its 95 % interval; p: the probability of such a difference, either way, between equal models. why: the reason why
    nothing can be said, else empty.
    """

    split: str
    metric: str
    other: int
    gain: float = math.nan
    interval: Interval = (math.nan, math.nan)
    p: float = math.nan
    test: str = ""
    why: str = ""

    @property
    def verdict(self) -> str:
        """In words."""
        if self.why:
            return self.why
        if not math.isfinite(self.p):
            return "not a number"
        way = "better" if self.gain > 0 else "worse"
        return f"{way}, beyond chance" if self.p < LEVEL else "within chance"


@dataclass(frozen=True)
class Comparison:
    """runs: in the order given. settings: key -> a value for each run, of those that differ. notes: what could not be
    read.
    """

    runs: Sequence[Side]
    settings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    differences: Sequence[Difference] = ()
    notes: Sequence[str] = ()


def letter(index: int) -> str:
    """A to Z, then AA, AB."""
    return (letter(index // 26 - 1) if index >= 26 else "") + chr(ord("A") + index % 26)


def page(found: Comparison) -> Page:
    """The whole comparison."""
    names = list(dict.fromkeys(run.name for run in found.runs))
    return Page(
        name=" and ".join(names) if len(names) < 4 else f"{', '.join(names[:3])} and {len(names) - 3} more",
        stage=f"comparison of {len(found.runs)} runs" if len(found.runs) > 1 else "one run",
        verdicts=(),
        gates="",
        tone="",
        notes=found.notes,
        sections=[Section(heading, blocks) for heading, blocks in _sections(found) if blocks],
        empty="",
    )


def _sections(found: Comparison) -> Iterator[tuple[str, list[Block]]]:
    yield "Runs", [run_table(found.runs)]
    yield "Is the difference chance?", differences(found)
    for split in splits(found.runs):
        yield f"Scores: {split}", [score_table(found.runs, split)]
    yield "Settings that differ", setting_table(found)
    yield "Curves", curves(found.runs)


def splits(runs: Sequence[Side]) -> list[str]:
    """Those that any run was judged on, test first."""
    return [split for split in ("test", "val", "train") if any(run.scores.get(split) for run in runs)]


def run_table(runs: Sequence[Side]) -> Table:
    """What each run is, and what it cost."""
    rows: list[list[Cell | str]] = [
        [
            letter(index),
            run.path,
            run.stage,
            Cell(run.state, tone="" if run.state in ("finished", "running") else "bad"),
            datetime.fromtimestamp(run.started).strftime("%Y-%m-%d %H:%M"),
            f"{run.epochs:,}",
            "" if run.seconds is None else duration(run.seconds),
            "" if run.parameters is None else f"{run.parameters:,}",
        ]
        for index, run in enumerate(runs)
    ]
    head = ["", "run", "stage", "state", "started", "epochs", "time", "parameters"]
    return Table("What is compared", head, rows, right=(5, 6, 7))


def score_table(runs: Sequence[Side], split: str) -> Table:
    """Every metric of a split; a run that was not judged has empty cells."""
    metrics = list(dict.fromkeys(metric for run in runs for metric in run.scores.get(split, {})))
    main = {metric for run in runs for metric in run.main}
    rows: list[list[Cell | str]] = [
        [Cell(metric, strong=metric in main), *(_score(run.scores.get(split, {}).get(metric)) for run in runs)]
        for metric in metrics
    ]
    head = ["metric", *map(letter, range(len(runs)))]
    return Table("Each metric with its 95 % interval, where there is one", head, rows, right=range(1, len(head)))


def _score(score: Score | None) -> str:
    if score is None:
        return ""
    value, ends = score
    return number(value) + (f" ({interval(ends)})" if ends else "")


def differences(found: Comparison) -> list[Block]:
    """Each run against the first on the same examples; nothing for a single run."""
    if not found.differences:
        return []
    rows = [
        [f"{letter(each.other)} against A", each.split, each.metric, *_measured(each), each.verdict]
        for each in found.differences
    ]
    head = ["runs", "split", "metric", "better by", "95 % interval", "p", ""]
    table = Table("Paired tests on the same examples", head, rows, right=(3, 5))
    tests = [test for test in (EXACT, RESAMPLED) if any(each.test == test for each in found.differences)]
    notes = []
    if tests:
        said = " or ".join(tests)
        notes.append(f"p: {said}, {LEVEL:g} is the limit. They speak of these examples, not of the training's seed.")
    if sum(not each.why for each in found.differences) > 1:
        notes.append("Of twenty tests of equal models one is expected to look like a difference.")
    return [table, *([Bullets(notes)] if notes else [])]


def _measured(each: Difference) -> list[str]:
    if each.why:
        return ["", "", ""]
    return [f"{each.gain:+.4f}", interval(each.interval), f"{each.p:.3g}"]


def setting_table(found: Comparison) -> list[Block]:
    """Those that are not the same in all runs."""
    if len(found.runs) < 2:
        return []
    if not found.settings:
        return [Words("None: all runs have the same settings.")]
    rows = [[key, *(_cut(value) for value in values)] for key, values in found.settings.items()]
    return [Table("Settings by run", ["setting", *map(letter, range(len(found.runs)))], rows)]


def _cut(value: str) -> str:
    return value if len(value) <= SHOWN else f"{value[: SHOWN - 1]}…"


def curves(runs: Sequence[Side]) -> list[Block]:
    """The validations of all runs by metric, up to six runs in one picture."""
    drawn = [(index, run) for index, run in enumerate(runs) if run.curves][:DRAWN]
    metrics = list(dict.fromkeys(metric for _, run in drawn for metric in run.curves))[:CHARTS]
    charts: list[Block] = [
        Chart(
            metric,
            "epoch",
            [
                Line(f"{letter(index)} {run.path}", run.curves[metric], series=place + 1)
                for place, (index, run) in enumerate(drawn)
                if metric in run.curves
            ],
        )
        for metric in metrics
    ]
    left = sum(bool(run.curves) for run in runs) - len(drawn)
    return [*charts, *([Words(f"The first {DRAWN} runs are drawn; {left} more are not.")] if left else [])]
