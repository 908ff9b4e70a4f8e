"""Checks that come before any work: what would fail at the end must fail at the start."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

from ft.core.assemble.parts import known_metrics
from ft.core.config.schema import EvalSection
from ft.core.errors import ConfigError, Problem, ResourceError
from ft.core.models.heads import Head
from ft.core.report.gates import unknown_metrics, upside_down

_UNBOUNDED = ("loss", "mae", "mse", "rmse")  # every other metric is a share, an area or a correlation: at most 1
_LEAST = {"r2": -math.inf, "spearman": -1.0}  # every other metric of those is at least 0


def check_metrics(settings: EvalSection, heads: Mapping[str, Head]) -> None:
    """Raise ConfigError for every metric of `eval:` that no output reports, or that no gate can hold from below."""
    known = known_metrics(heads)
    bounds = [_beyond(name, least) for name, least in settings.min.items() if name in known]
    lower = [name for name, direction in known.items() if direction == "min"]
    problems = [
        *(problem for problem in bounds if problem is not None),
        *unknown_metrics(settings.min, known, ("eval", "min")),
        *upside_down(settings.min, lower, ("eval", "min")),
        *unknown_metrics(settings.metrics or [], known, ("eval", "metrics")),
    ]
    if problems:
        raise ConfigError(*problems)


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
