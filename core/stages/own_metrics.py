"""Metrics of the user's own: `eval: {python: {cost: metrics.py:cost:lower}}`, or `--metric cost=metrics.py:cost:lower`.

The function is given the answers to a split, or to a slice of it, and returns the metric, or a value for each example
whose mean is the metric: that has an interval and can be held against a baseline. A checkpoint never runs code: what
its settings name must be named on the command line again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft.core.config.load import Loaded
from ft.core.config.schema import EvalSection
from ft.core.engine.record import Answers
from ft.core.errors import ConfigError, FtError, Problem
from ft.core.metrics.resampling import Sampled, interval, mean_of
from ft.core.metrics.scores import Interval
from ft.core.models.heads import Head
from ft.core.plugins import last_line_in, load_function, neighbours_importable, source_file

LOWER = ":lower"


@dataclass(frozen=True)
class Judged:
    """What a metric's function is given: one row per example, as NumPy arrays.

    targets, predictions: of a category the places of the classes, int64 (N,); of labels 0 or 1, uint8 (N, K); numbers
    in the user's units, float32 (N,). probabilities: float32 (N, K); None of a number. classes: the names; empty of a
    number.
    """

    targets: NDArray[Any]
    predictions: NDArray[Any]
    probabilities: NDArray[np.float32] | None
    classes: tuple[str, ...]


@dataclass(frozen=True)
class OwnMetric:
    """name: flat, `output/metric` with several outputs. output: the one whose answers it is given."""

    name: str
    output: str
    function: Callable[[Judged], Any]
    file: Path


@dataclass(frozen=True)
class OwnScores:
    """By flat name: values, intervals, and the values of every example, float32 (N,), where the function gave them."""

    metrics: dict[str, float]
    intervals: dict[str, Interval]
    by_example: dict[str, NDArray[np.float32]]


def directions(settings: EvalSection) -> dict[str, str]:
    """Whether each is better when larger or when smaller."""
    return {name: "min" if spec.endswith(LOWER) else "max" for name, spec in settings.python.items()}


def check_trust(loaded: Loaded, settings: EvalSection, named: Mapping[str, str]) -> None:
    """Raise ConfigError for code that only a checkpoint names. named: the metrics of the command line's own options."""
    trusted = {path[2] for path in loaded.overrides if path[:2] == ("eval", "python") and len(path) > 2}
    told = [name for name in settings.python if name not in trusted | named.keys()]
    if told:
        name, spec = told[0], settings.python[told[0]]
        raise ConfigError(
            f"the metric {name} is code of your own, and a checkpoint never runs code by itself. Name it if you trust "
            f"it: --metric {name}={spec}"
        )


def load_metrics(settings: EvalSection, heads: Mapping[str, Head]) -> list[OwnMetric]:
    """Raises ConfigError where code or names are not as they should be."""
    found = []
    for name, spec in settings.python.items():
        path = ("eval", "python", name)
        output = next(iter(heads)) if len(heads) == 1 else name.rpartition("/")[0]
        if output not in heads or not heads[output].answers_by_example:
            fitting = [each for each, head in heads.items() if head.answers_by_example]
            raise ConfigError(Problem(f"is given the answers of one output: {_names(name, fitting)}", path))
        if name in heads[output].metric_names():
            raise ConfigError(Problem(f"{name} is ft's own name for a metric; choose another", path))
        plain = spec.removesuffix(LOWER)
        function, _ = load_function(plain, path)
        found.append(OwnMetric(name, output, function, source_file(plain, path)))
    return found


def judge_own(metrics: list[OwnMetric], answers: Mapping[str, Answers], heads: Mapping[str, Head]) -> OwnScores:
    """Call every function on the answers. Raises ConfigError for one that fails or returns something else."""
    scores = OwnScores({}, {}, {})
    for metric in metrics:
        value = _call(metric, _judged(answers[metric.output], heads[metric.output]))
        scores.metrics[metric.name] = float(value.mean()) if value.size else float("nan")
        if value.ndim:
            scores.by_example[metric.name] = value.astype(np.float32)
            ends = interval(Sampled(mean_of(value), np.ones(len(value), dtype=np.int64)))
            scores.intervals.update({} if ends is None else {metric.name: ends})
    return scores


def _judged(answers: Answers, head: Head) -> Judged:
    decoded = head.decode(answers.raw)
    shares = decoded.probabilities
    return Judged(
        answers.targets.numpy(),
        decoded.prediction.numpy(),
        None if shares is None else shares.numpy(),
        tuple(getattr(head, "classes", ())),
    )


def _call(metric: OwnMetric, judged: Judged) -> NDArray[np.float64]:
    """A number, (), or one for each example, (N,)."""
    path = ("eval", "python", metric.name)
    try:
        with neighbours_importable(metric.file):
            value = metric.function(judged)
        found = np.asarray(value, dtype=np.float64)
    except FtError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(Problem(f"the function failed: {last_line_in(metric.file, error)}", path)) from error
    if found.shape not in ((), judged.targets.shape[:1]):
        expected = f"a number, or one for each of the {len(judged.targets):,} examples"
        name = getattr(metric.function, "__name__", "the function")
        raise ConfigError(Problem(f"{name} returned an array of shape {found.shape}; expected {expected}", path))
    return found


def _names(name: str, outputs: list[str]) -> str:
    if not outputs:
        return "here none answers row by row"
    return "write " + " or ".join(f"{output}/{name.rpartition('/')[2]}" for output in outputs)
