"""A search's report as a page: the best settings first, then what they are worth, then all trials.

Plain values in, a page for Markdown and HTML out. Says what a reader must know to believe it: on which split was
chosen, how random search would have done with the same budget, what the test split was used for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ft.core.config.write import one_line
from ft.core.report.page import Block, Bullets, Cell, Code, Facts, Page, Picture, Section, Table, Verdict, Words
from ft.core.report.text import duration, interval, number

STATES = ("finished", "pruned", "failed", "running")
SELECTION = (
    "The best score on validation is the largest of several, chosen because it is the largest: it is too good by "
    "chance. Only data that chose nothing, such as a test split looked at once, say what the settings are worth."
)


@dataclass(frozen=True)
class TrialRow:
    """One trial. number: counted from 1. settings: by dotted name. score: of one that finished, or the best so far of
    one that was pruned. run: its folder. why: of one that failed or was pruned. random: drawn without a look at others.
    """

    number: int
    state: str
    settings: Mapping[str, Any]
    score: float | None = None
    seconds: float | None = None
    run: str | None = None
    why: str | None = None
    random: bool = False


@dataclass(frozen=True)
class RandomSearch:
    """What random search is expected to reach with the same number of trials. draws: how many scores tell so."""

    expected: float
    interval: tuple[float, float]
    draws: int
    trials: int
    failed: int


@dataclass(frozen=True)
class LookAtTest:
    """The best trial on the test split. looks: how many trials of this study were ever judged on it."""

    metrics: Mapping[str, float]
    interval: tuple[float, float] | None
    looks: int


@dataclass(frozen=True)
class TuneReport:
    """All that is told of a search. parallel: its picture as SVG, empty for none; picture: the file it lies in."""

    name: str
    stage: str
    metric: str
    higher_is_better: bool
    sampler: str
    pruner: str
    seed: int
    trials: Sequence[TrialRow]
    best: TrialRow | None
    search: Mapping[str, str]
    seconds: float
    data: str
    command: str
    files: Mapping[str, str]
    importance: Mapping[str, float] = field(default_factory=dict)
    random_search: RandomSearch | None = None
    test: LookAtTest | None = None
    parallel: str = ""
    picture: str = "parallel.svg"


def page(report: TuneReport) -> Page:
    """The whole report. Sections without anything to say are left out."""
    return Page(
        name=report.name,
        stage="search",
        verdicts=list(_verdicts(report)),
        gates="",
        tone="",
        notes=[SELECTION, *_looks(report)] if report.best else [],
        sections=[Section(heading, blocks) for heading, blocks in _sections(report) if blocks],
        empty=f"No trial finished ({counts(report.trials)}).",
    )


def shown(value: Any) -> str:
    """A setting's value, short: text without quotes, numbers with four significant digits, the rest as YAML."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else one_line(value)


def counts(trials: Sequence[TrialRow]) -> str:
    """`12 finished, 5 pruned, 1 failed`."""
    found = {state: sum(trial.state == state for trial in trials) for state in STATES}
    return ", ".join(f"{count} {state}" for state, count in found.items() if count)


def _verdicts(report: TuneReport) -> Iterator[Verdict]:
    best, test = report.best, report.test
    if best is None or best.score is None:
        return
    count = f"trial {best.number}, the best of {len(report.trials)}: {counts(report.trials)}"
    yield Verdict(report.metric, number(best.score), "validation split", "", count)
    if test is not None:
        sure = interval(test.interval) if test.interval else ""
        yield Verdict(
            f"test {report.metric}", number(test.metrics[report.metric]), "test split", sure, f"trial {best.number}"
        )


def _looks(report: TuneReport) -> Iterator[str]:
    if report.test is None:
        return
    if report.test.looks == 1:
        yield "The test split was looked at once, after the search, and chose nothing."
    else:
        yield (
            f"{report.test.looks} trials of this study were looked at on the test split by now, each the best at its "
            "time: if one of those scores decided how to go on, this one is too good as well."
        )


def _sections(report: TuneReport) -> Iterator[tuple[str, list[Block]]]:
    best = report.best
    if best is not None:
        rows = [[key, shown(value), report.search.get(key, "")] for key, value in best.settings.items()]
        yield "Best settings", [Table("What the best trial was given", ["setting", "value", "searched in"], rows, (1,))]
        yield "Random search at the same budget", _baseline(report)
    yield "What mattered", _importance(report)
    if report.parallel:
        title = "Each line is a finished trial; the darker, the better"
        yield "All settings in one picture", [Picture(title, report.parallel, report.picture)]
    yield "Trials", [_trials(report)]
    yield "How", [_facts(report)]
    yield "Reproduce", [Code(report.command, "sh")] if report.command else []
    yield "Where things are", [Facts(report.files, as_code=True)] if report.files else []


def baseline_sentence(report: TuneReport) -> str:
    """How random search would have done, in a sentence; empty where nothing tells."""
    found = report.random_search
    if found is None or report.best is None or report.best.score is None:
        return ""
    gain = (report.best.score - found.expected) * (1 if report.higher_is_better else -1)
    how = f"{number(abs(gain))} {'better' if gain > 0 else 'worse'} than that" if gain else "the same"
    return (
        f"the best of {found.trials} random draws is expected at {number(found.expected)} "
        f"({interval(found.interval)}); this search's best is {how}"
    )


def _baseline(report: TuneReport) -> list[Block]:
    found = report.random_search
    if found is None:
        return [Words("Not known: no trial of this study was drawn at random and came to an end.")]
    told = baseline_sentence(report)
    how = (
        f"Estimated from the {found.draws} trials drawn at random (Dodge et al. 2019, expected maximum of n draws; "
        "in brackets a 95 % bootstrap interval). Trials that the sampler chose are no random draws and are left out."
    )
    lines = [how]
    if found.failed:
        lines.append(f"{found.failed} of them failed and count as the worst score seen.")
    if found.trials > found.draws:
        lines.append(
            f"{found.trials} draws are more than the {found.draws} seen, and the estimate cannot exceed the best of "
            "these: real random search may do better. To know, run it with tune.sampler=random."
        )
    if any(trial.random and trial.state == "pruned" for trial in report.trials):
        lines.append("Draws that were pruned count with the best score they had reached.")
    return [Words(f"{told[0].upper()}{told[1:]}."), Bullets(lines)]


def _importance(report: TuneReport) -> list[Block]:
    if not report.importance:
        return []
    rows: list[list[Cell | str]] = [
        [key, Cell(f"{share:.0%}", share=share)] for key, share in report.importance.items()
    ]
    note = (
        "The share of each setting in what sets the best tenth of the finished trials apart from the others "
        "(PED-ANOVA, Watanabe et al. 2023). Of few trials it is a hint, no finding."
    )
    return [Table("Settings by importance", ["setting", "importance"], rows, (1,)), Words(note)]


def _trials(report: TuneReport) -> Table:
    """The best first; those without a score last."""
    keys = list(report.search)
    rows = [
        [
            str(trial.number),
            "" if trial.score is None else number(trial.score),
            trial.state + (", random" if trial.random else ""),
            *(shown(trial.settings[key]) if key in trial.settings else "" for key in keys),
            "" if trial.seconds is None else duration(trial.seconds),
            trial.run or "",
            trial.why or "",
        ]
        for trial in ranked(report.trials, higher_is_better=report.higher_is_better)
    ]
    head = ["trial", report.metric, "state", *keys, "time", "run", "why"]
    return Table("Every trial, the best first", head, rows, (0, 1))


def ranked(trials: Sequence[TrialRow], *, higher_is_better: bool) -> list[TrialRow]:
    """Finished ones, the best first and earlier ones before equal ones; then the others by number."""
    sign = -1 if higher_is_better else 1
    finished = [trial for trial in trials if trial.state == "finished" and trial.score is not None]
    others = [trial for trial in trials if trial not in finished]
    return [*sorted(finished, key=lambda trial: (sign * (trial.score or 0.0), trial.number)), *others]


def _facts(report: TuneReport) -> Facts:
    direction = "larger is better" if report.higher_is_better else "smaller is better"
    return Facts(
        {
            "searched": f"{report.stage}, {report.metric} on validation, {direction}",
            "sampler": f"{report.sampler} (seed {report.seed})",
            "pruner": report.pruner,
            "data": report.data,
            "time of all trials": duration(report.seconds),
        }
    )
