"""`--format`: a verdict in another form than the terminal's, as the one thing on stdout.

text and json are the console's own; the forms here are for CI systems. A form says something also of a command that
failed, so that no step is green for want of an answer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ft.cli import github
from ft.core.report import junit
from ft.core.report.text import escape, interval, number, table

if TYPE_CHECKING:
    from ft.core.stages.results import EvalResult, FitResult, RunResult
    from ft.core.stages.seeds import OneSeed

HERE = ("github", "junit", "markdown")


def evaluation(form: str, result: EvalResult, before: EvalResult | None = None) -> str:
    """A judged checkpoint. before: the trained model beside the fine-tuned one."""
    if form == "junit":
        return junit_text(result)
    text = github.summary(result, before)
    if form == "markdown":
        return github.cut(text)
    said = github.failures(result)
    if not said:
        passed = {0: "", 1: ": the gate passed"}.get(len(result.gates), f": all {len(result.gates)} gates passed")
        said = [github.notice(f"{result.name}{passed}", f"{result.split}: {_scores(result)}")]
    return _with_summary(said, text)


def run(form: str, result: RunResult) -> str:
    """All stages of a file; where it names no eval, what validation said."""
    if result.evaluation is not None:
        return evaluation(form, result.evaluation, result.baseline)
    last = result.fits[-1]
    if form == "junit":
        return junit.render(f"{last.name} {last.best}", "validation", [], last.seconds, last.metrics, last.intervals)
    text = "\n".join(map(_trained, result.fits))
    if form == "markdown":
        return github.cut(text)
    shown = {name: last.metrics[name] for name in last.main_metrics if name in last.metrics}
    scores = ", ".join(f"{name} {number(value)}" for name, value in shown.items()) or "there is no validation split"
    return _with_summary([github.notice(last.name, f"validation: {scores}")], text)


def seeds(form: str, each: Sequence[OneSeed], mean: EvalResult | None) -> str:
    """Several seeds: their mean's verdict; where nothing was judged, what the last one's validation said."""
    if mean is not None:
        return evaluation(form, mean)
    finished = [one.result for one in each if one.result is not None]
    return run(form, finished[-1]) if finished else failure(form, "every seed diverged", 5)


def failure(form: str, message: str, code: int) -> str:
    """A command that ended before there was a verdict."""
    if form == "junit":
        return junit.render_error("ft", f"exit code {code}", message)
    text = "\n".join(["## ft: failed\n", *(f"- {escape(line)}" for line in message.splitlines()), ""])
    return github.cut(text) if form == "markdown" else _with_summary([github.error("ft: failed", message)], text)


def tell_failure(file: Path | None, form: str, message: str, code: int) -> None:
    """Where a verdict was to be told beside stdout, tell that there is none: in --junit's file, which may hold an
    earlier pass, and to GitHub Actions. What cannot be written is told.
    """
    if file is not None:
        try:
            file.write_text(failure("junit", message, code), encoding="utf-8")
        except OSError as error:
            sys.stderr.write(f"warning: {file} was not written: {error.strerror or error}\n")
    if form != "github" and os.environ.get("GITHUB_ACTIONS") == "true":
        sys.stderr.write(f"{github.error('ft: failed', message)}\n")
        github.keep(failure("markdown", message, code))


def junit_text(result: EvalResult) -> str:
    """The gates as JUnit XML, with every metric."""
    judged = f"{result.split} of {result.data}"
    suite = f"{result.name} {result.checkpoint}"
    return junit.render(suite, judged, result.gates, result.seconds, result.metrics, result.intervals)


def _with_summary(lines: list[str], text: str) -> str:
    """The annotations; below them what belongs in the job's summary, where nobody keeps one."""
    below = [] if github.keep(text) else [github.cut(text)]
    return "\n".join([*lines, *below]).rstrip("\n") + "\n"


def _scores(result: EvalResult) -> str:
    """What speaks for each output, with its interval."""
    values = result.evaluation.metrics()
    told = {name: values[name] for name in result.main_metrics if name in values}
    return ", ".join(
        f"{name} {number(value)}" + (f" ({interval(result.intervals[name])})" if name in result.intervals else "")
        for name, value in told.items()
    )


def _trained(fit: FitResult) -> str:
    """A training or fine-tuning, with the scores of its best validation."""
    done = "trained" if fit.stage == "train" else "fine-tuned"
    rows = [
        [escape(name), number(value), interval(fit.intervals[name]) if name in fit.intervals else ""]
        for name, value in fit.metrics.items()
    ]
    scores = table(["metric", "val", "95 % interval"], rows, right=(1,)) if rows else "There is no validation split."
    return f"## {escape(fit.name)}: {done}\n\n{scores}\n"
