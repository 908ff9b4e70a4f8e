"""Checks that come before any work: what would fail at the end must fail at the start."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ft.core.assemble.parts import known_metrics
from ft.core.config.schema import EvalSection
from ft.core.config.schema.corruptions import CORRUPTED
from ft.core.errors import ConfigError, Problem, ResourceError
from ft.core.models.heads import Head
from ft.core.report.gates import Gates, unknown_metrics, upside_down
from ft.core.stages.own_metrics import directions

_UNBOUNDED = ("loss", "mae", "mse", "rmse")  # every other metric is a share, an area or a correlation: at most 1
_LEAST = {"r2": -math.inf, "spearman": -1.0, "kappa": -1.0, "mcc": -1.0}  # every other metric of those is at least 0


def check_metrics(settings: EvalSection, heads: Mapping[str, Head]) -> None:
    """Raise ConfigError for every metric of `eval:` that no output reports, and every gate that holds nothing back or
    lets nothing through.
    """
    known, without = _with_corrupted(settings, known_metrics(heads))
    bounds = [_beyond(name, least) for name, least in settings.min.items() if name in known]
    known |= directions(settings)
    more = _on_request(heads) - set(known)
    lower = [name for name, direction in known.items() if direction == "min"]
    problems = [
        *without,
        *(problem for problem in bounds if problem is not None),
        *unknown_metrics(settings.min, known, ("eval", "min"), more),
        *unknown_metrics(settings.max, known, ("eval", "max"), more),
        *upside_down(gates_of(settings), lower, known),
        *_shares(settings),
        *_without_classes(settings, heads),
        *_of_slices(settings, heads),
        *unknown_metrics(settings.per_slice, known, ("eval", "per_slice"), more),
        *_against_baseline(settings, heads),
        *unknown_metrics(settings.metrics or [], known, ("eval", "metrics"), more),
    ]
    if problems:
        raise ConfigError(*problems)


def asked_metrics(settings: EvalSection, monitors: Iterable[str | None] = ()) -> list[str]:
    """Every metric that the experiment names: some are reported only when asked for."""
    gated = [*settings.min, *settings.max, *settings.max_drop, *settings.per_slice]
    asked = [*(settings.metrics or []), *gated, *filter(None, monitors)]
    return [*asked, *(name.removeprefix(CORRUPTED) for name in asked if name.startswith(CORRUPTED))]


def _with_corrupted(settings: EvalSection, known: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """The metrics with the mean corruption score of each, and a problem where one is named and nothing is corrupted."""
    more = {CORRUPTED + name: direction for name, direction in known.items() if CORRUPTED + name not in known}
    named = {"min": list(settings.min), "max": list(settings.max), "metrics": settings.metrics or []}
    asked = [(name, ("eval", key)) for key, names in named.items() for name in names if name in more]
    if settings.corruptions is None:
        message = "is judged with corruptions of the inputs only; add --corruptions, or eval.corruptions"
        more = {name: more[name] for name, _ in asked}
        return {**known, **more}, [Problem(f"{name} {message}", path) for name, path in asked]
    return {**known, **more}, []


def _on_request(heads: Mapping[str, Head]) -> set[str]:
    """What would be reported if it were asked for."""
    single = len(heads) == 1
    return {name if single else f"{output}/{name}" for output, head in heads.items() for name in head.on_request}


def gates_of(settings: EvalSection) -> Gates:
    """What `eval:` asks for."""
    return Gates(
        settings.min, settings.max, settings.per_class, settings.max_drop, settings.per_slice, settings.gate_on
    )


def _shares(settings: EvalSection) -> list[Problem]:
    """Precision, recall and F1 are shares; an error below 0 is none."""
    problems = []
    for name, least in settings.per_class.items():
        if not 0 <= least <= 1:
            problems.append(Problem(f"{name} is between 0 and 1, not {least:g}", ("eval", "per_class", name)))
    for name, most in settings.max.items():
        if not most >= 0 and name not in settings.python:
            problems.append(
                Problem(f"{name} is never below 0, so {most:g} can never be reached", ("eval", "max", name))
            )
    return problems


def _without_classes(settings: EvalSection, heads: Mapping[str, Head]) -> list[Problem]:
    having = [name for name, head in heads.items() if hasattr(head, "classes")]
    if settings.per_class and not having:
        return [Problem("no output of this experiment has classes, so none can have a gate", ("eval", "per_class"))]
    outputs = {name: name.rpartition("/")[0] for name in settings.per_class}
    return [
        Problem(f"{output} is no output with classes; there are: {', '.join(having)}", ("eval", "per_class", name))
        for name, output in outputs.items()
        if output and output not in having
    ]


def _of_slices(settings: EvalSection, heads: Mapping[str, Head]) -> list[Problem]:
    """What is not judged row by row has no slices, and without slices none has a gate."""
    if settings.per_slice and not settings.slices:
        return [Problem("per_slice needs slices: {COLUMN: all}", ("eval", "per_slice"))]
    whole = [name for name, head in heads.items() if not head.answers_by_example]
    if settings.slices and whole:
        return [Problem(f"{whole[0]} is a ranking, whose rows are users: it has no slices", ("eval", "slices"))]
    return []


def _against_baseline(settings: EvalSection, heads: Mapping[str, Head]) -> list[Problem]:
    """A baseline and what is held against it go together; only means over examples can be."""
    if settings.max_drop and settings.baseline is None:
        return [Problem("max_drop needs the evaluation of an earlier model: baseline", ("eval", "max_drop"))]
    if settings.baseline is not None and not settings.max_drop:
        return [Problem("baseline says nothing by itself; add max_drop: {METRIC: VALUE}", ("eval", "baseline"))]
    single = len(heads) == 1
    means = [name if single else f"{output}/{name}" for output, head in heads.items() for name in head.comparable()]
    means += settings.python
    return [
        Problem(
            f"a drop of {name} cannot be tested example by example; there are: {', '.join(means) or 'none here'}",
            ("eval", "max_drop", name),
        )
        for name in settings.max_drop
        if name not in means
    ]


def _beyond(name: str, least: float) -> Problem | None:
    """A gate that no model passes, or that every model passes."""
    metric, where = name.rsplit("/", 1)[-1], ("eval", "min", name)
    if metric in _UNBOUNDED:
        return None
    if least > 1:
        return Problem(f"{name} is at most 1, so {least:g} can never be reached; {least:g} % is {least / 100:g}", where)
    bottom = _LEAST.get(metric, 0.0)
    if least < bottom:
        return Problem(f"{name} is never below {bottom:g}, so a least value of {least:g} holds nothing back", where)
    return None


def check_writable(runs_dir: Path) -> None:
    """Raise ResourceError when no run could be kept in `runs_dir`. Makes nothing: the stage may yet be refused."""
    hint = "choose another folder with --runs-dir or FT_RUNS"
    absolute = runs_dir.absolute()
    there = next(folder for folder in (absolute, *absolute.parents) if os.path.lexists(folder))
    if not there.is_dir():
        raise ResourceError(f"cannot make the folder {runs_dir}: {there} is no folder; {hint}")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ResourceError(f"cannot write in {there}: permission denied; {hint}")
