"""Several seeds of one experiment: their scores, how they scatter, and another group held against them, as Markdown.

The rows are also the terminal's. Pure text from plain values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ft.core.metrics.student import Difference, Spread
from ft.core.report.gates import GateResult
from ft.core.report.markdown import gate_table
from ft.core.report.sections import SPLITS
from ft.core.report.text import block, code, duration, escape, interval, number, table

SPREAD_HEAD = ("mean", "sd", "min", "max", "95 % interval")
AGAINST_HEAD = ("these", "those", "difference", "95 % interval", "p", "")
LEVEL = 0.05  # of the test whether two groups differ
LIMITS = (
    "The interval is Student's, over seeds: it says how far the mean may be from that of endless seeds on these very "
    "examples. How far other examples would move it is what each run's own intervals say."
)


@dataclass(frozen=True)
class SeedScores:
    """What a stage reached on one split: in its best validation or, where judged, in its evaluation.

    seeds: whose values they are, in order. examples: identity of what was seen, None where nobody knows it. main: the
    metrics that speak for each output.
    """

    stage: str
    split: str
    judged: bool
    seeds: tuple[int, ...]
    examples: str | None
    main: tuple[str, ...]
    metrics: Mapping[str, Spread]

    @property
    def speaking(self) -> tuple[str, ...]:
        """The main metrics of a validation; of an evaluation all, for those were asked for."""
        return tuple(self.metrics) if self.judged else tuple(name for name in self.main if name in self.metrics)

    @property
    def title(self) -> str:
        """As `train, val` or `eval of train, test`."""
        return f"{'eval of ' if self.judged else ''}{self.stage}, {self.split}"


@dataclass(frozen=True)
class Against:
    """These seeds and those of an earlier document, on one split. main: what speaks for the model. means: of each
    metric, these and those.
    """

    path: str
    split: str
    main: tuple[str, ...]
    counts: tuple[int, int]
    means: Mapping[str, tuple[float, float]]
    differences: Mapping[str, Difference | None]


@dataclass(frozen=True)
class SeedsReport:
    """Everything the page shows. asked: the seeds. failed: why, by seed. runs: folders, by seed."""

    name: str
    command: str
    asked: tuple[int, ...]
    failed: Mapping[int, str]
    runs: Mapping[int, Sequence[str]]
    scores: Sequence[SeedScores]
    gates: Sequence[GateResult]
    against: Sequence[Against]
    seconds: float


def render(report: SeedsReport) -> str:
    """The whole page; ends in a newline."""
    done = len(report.asked) - len(report.failed)
    parts = [
        f"# {escape(report.name)}: {len(report.asked)} seeds",
        f"**{done} of {len(report.asked)} seeds finished** in {duration(report.seconds)}.",
    ]
    parts += [f"- seed {seed} diverged: {escape(why)}" for seed, why in report.failed.items()]
    if report.gates:
        parts += ["## Gates", "They hold the mean over seeds, or its interval.", gate_table(report.gates)]
    for scores in report.scores:
        rows = [[escape(row[0]), *row[1:]] for row in spread_rows(scores)]
        parts += [f"## {scores.title}", table(["metric", *SPREAD_HEAD], rows, right=(1, 2, 3, 4))]
    parts += ["## Seed by seed", _seed_table(report)]
    for against in report.against:
        rows = [[escape(row[0]), *row[1:]] for row in against_rows(against)]
        head = f"## Against {escape(against.path)}: {SPLITS[against.split]}"
        parts += [head, told(against), table(["metric", *AGAINST_HEAD], rows, right=(1, 2, 3, 5))]
    if report.scores:
        parts += ["## How to read it", LIMITS]
    return "\n\n".join([*parts, *(["## Reproduce", block(report.command, "sh")] if report.command else [])]) + "\n"


def spread_rows(scores: SeedScores) -> list[list[str]]:
    """A row for each metric: its name, then as SPREAD_HEAD."""
    return [
        [
            name,
            number(each.mean),
            "" if each.sd is None else number(each.sd),
            number(each.min),
            number(each.max),
            interval(each.interval) if each.interval else "",
        ]
        for name, each in scores.metrics.items()
    ]


def seed_rows(scores: Sequence[SeedScores], asked: Sequence[int]) -> tuple[list[str], list[list[str]]]:
    """(head, rows): a row for each seed with every stage's main metrics; empty cells where it diverged."""
    columns = [(each, name) for each in scores for name in each.main if name in each.metrics]
    head = ["seed", *(f"{each.title}, {name}" for each, name in columns)]
    rows = []
    for seed in asked:
        values = [
            number(each.metrics[name].values[each.seeds.index(seed)]) if seed in each.seeds else ""
            for each, name in columns
        ]
        rows.append([str(seed), *values])
    return head, rows


def against_rows(against: Against) -> list[list[str]]:
    """A row for each metric that both have: its name, then as AGAINST_HEAD."""
    rows = []
    for name, found in against.differences.items():
        ours, theirs = against.means[name]
        cells = [name, number(ours), number(theirs)]
        if found is None:
            rows.append([*cells, number(ours - theirs), "", "", "cannot be tested"])
            continue
        word = ("higher" if found.value > 0 else "lower") if found.p < LEVEL else "not shown"
        rows.append([*cells, number(found.value), interval(found.interval), f"{found.p:.3g}", word])
    return rows


def told(against: Against) -> str:
    """What was compared, and how."""
    ours, theirs = against.counts
    return f"{ours} seeds against {theirs}, by Welch's t test (two-sided, {LEVEL:.0%})"


def _seed_table(report: SeedsReport) -> str:
    head, rows = seed_rows(report.scores, report.asked)
    places = [", ".join(map(code, report.runs.get(seed, ()))) for seed in report.asked]
    whole = [[*row, place] for row, place in zip(rows, places, strict=True)]
    return table([*map(escape, head), "runs"], whole, right=range(len(head)))
