"""A search's report as Markdown: the best settings first, then what they are worth, then all trials.

Plain values in, text out. Says what a reader must know to believe it: on which split was chosen, how random search
would have done with the same budget, what the test split was used for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ft.core.config.write import one_line
from ft.core.report.text import block, code, duration, escape, interval, number, table

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
    """All that is told of a search. parallel: the file of its picture."""

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
    parallel: str | None = None


def render(report: TuneReport) -> str:
    """The whole of report.md; ends in a newline."""
    sections = [f"## {heading}\n\n{body}" for heading, body in _sections(report) if body]
    return "\n\n".join([f"# {escape(report.name)}: search", *_verdict(report), *sections]) + "\n"


def shown(value: Any) -> str:
    """A setting's value, short: text without quotes, numbers with four significant digits, the rest as YAML."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else one_line(value)


def counts(trials: Sequence[TrialRow]) -> str:
    """`12 finished, 5 pruned, 1 failed`."""
    found = {state: sum(trial.state == state for trial in trials) for state in STATES}
    return ", ".join(f"{count} {state}" for state, count in found.items() if count)


def _verdict(report: TuneReport) -> Iterator[str]:
    if report.best is None:
        yield f"No trial finished ({counts(report.trials)})."
        return
    assert report.best.score is not None
    yield (
        f"**{escape(report.metric)} {number(report.best.score)}** on the validation split: trial {report.best.number}, "
        f"the best of {len(report.trials)} ({counts(report.trials)})."
    )
    if report.test is not None:
        yield _test(report, report.test)
    yield SELECTION


def _test(report: TuneReport, test: LookAtTest) -> str:
    sure = f" (95 % interval {interval(test.interval)})" if test.interval else ""
    text = (
        f"On the test split the best trial reaches {escape(report.metric)} {number(test.metrics[report.metric])}{sure}."
    )
    if test.looks == 1:
        return f"{text} The test split was looked at once, after the search, and chose nothing."
    return (
        f"{text} **{test.looks} trials of this study were looked at on the test split by now**, each the best at its "
        "time: if one of those scores decided how to go on, this one is too good as well."
    )


def _sections(report: TuneReport) -> Iterator[tuple[str, str]]:
    best = report.best
    if best is not None:
        rows = [
            [escape(key), escape(shown(value)), escape(report.search.get(key, ""))]
            for key, value in best.settings.items()
        ]
        yield "Best settings", table(["setting", "value", "searched in"], rows, right=(1,))
        yield "Random search at the same budget", _baseline(report)
    yield "What mattered", _importance(report)
    yield "All settings in one picture", f"![parallel coordinates]({report.parallel})" if report.parallel else ""
    yield "Trials", _trials(report)
    yield "How", _facts(report)
    yield "Reproduce", block(report.command, "sh") if report.command else ""
    yield "Where things are", "\n".join(f"- {escape(what)}: {code(path)}" for what, path in report.files.items())


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


def _baseline(report: TuneReport) -> str:
    found = report.random_search
    if found is None:
        return "Not known: no trial of this study was drawn at random and came to an end."
    told = baseline_sentence(report)
    how = (
        f"- Estimated from the {found.draws} trials drawn at random (Dodge et al. 2019, expected maximum of n draws; "
        "in brackets a 95 % bootstrap interval). Trials that the sampler chose are no random draws and are left out."
    )
    lines = [how]
    if found.failed:
        lines.append(f"- {found.failed} of them failed and count as the worst score seen.")
    if found.trials > found.draws:
        lines.append(
            f"- {found.trials} draws are more than the {found.draws} seen, and the estimate cannot exceed the best of "
            "these: real random search may do better. To know, run it: `tune.sampler=random`."
        )
    if any(trial.random and trial.state == "pruned" for trial in report.trials):
        lines.append("- Draws that were pruned count with the best score they had reached.")
    return f"{told[0].upper()}{told[1:]}.\n\n" + "\n".join(lines)


def _importance(report: TuneReport) -> str:
    if not report.importance:
        return ""
    rows = [[escape(key), f"{share:.0%}"] for key, share in report.importance.items()]
    note = (
        "The share of each setting in what sets the best tenth of the finished trials apart from the others "
        "(PED-ANOVA, Watanabe et al. 2023). Of few trials it is a hint, no finding."
    )
    return f"{table(['setting', 'importance'], rows, right=(1,))}\n\n{note}"


def _trials(report: TuneReport) -> str:
    """The best first; those without a score last."""
    keys = list(report.search)
    rows = [
        [
            str(trial.number),
            "" if trial.score is None else number(trial.score),
            trial.state + (", random" if trial.random else ""),
            *(escape(shown(trial.settings[key])) if key in trial.settings else "" for key in keys),
            "" if trial.seconds is None else duration(trial.seconds),
            escape(trial.run or ""),
            escape(trial.why or ""),
        ]
        for trial in ranked(report.trials, higher_is_better=report.higher_is_better)
    ]
    head = ["trial", escape(report.metric), "state", *map(escape, keys), "time", "run", "why"]
    return table(head, rows, right=(0, 1))


def ranked(trials: Sequence[TrialRow], *, higher_is_better: bool) -> list[TrialRow]:
    """Finished ones, the best first and earlier ones before equal ones; then the others by number."""
    sign = -1 if higher_is_better else 1
    finished = [trial for trial in trials if trial.state == "finished" and trial.score is not None]
    others = [trial for trial in trials if trial not in finished]
    return [*sorted(finished, key=lambda trial: (sign * (trial.score or 0.0), trial.number)), *others]


def _facts(report: TuneReport) -> str:
    direction = "larger is better" if report.higher_is_better else "smaller is better"
    facts = {
        "searched": f"{report.stage}, {report.metric} on validation, {direction}",
        "sampler": f"{report.sampler} (seed {report.seed})",
        "pruner": report.pruner,
        "data": report.data,
        "time of all trials": duration(report.seconds),
    }
    return "\n".join(f"- {what}: {escape(fact)}" for what, fact in facts.items())
