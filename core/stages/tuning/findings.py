"""What a study has found so far: its trials as rows, the best of them, what mattered, what random search gives."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from ft.core.metrics.expected_best import expected_best, expected_best_interval
from ft.core.report.parallel import Axis
from ft.core.report.tuning import RandomSearch, TrialRow, ranked, shown
from ft.core.stages.tuning.samplers import is_random
from ft.core.stages.tuning.space import Dimension, Space

_STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
LEAST = 10  # finished trials, below which nothing is said of importance


@dataclass(frozen=True)
class Goal:
    """What is searched for."""

    metric: str
    direction: str
    sampler: str

    @property
    def higher_is_better(self) -> bool:
        """Of the metric."""
        return self.direction == "max"


def rows(trials: Sequence[FrozenTrial], space: Space, goal: Goal, runs_dir: Path) -> list[TrialRow]:
    """All trials by number."""
    return [_row(each, space, goal, runs_dir) for each in trials]


def _row(trial: FrozenTrial, space: Space, goal: Goal, runs_dir: Path) -> TrialRow:
    state, run = _STATES.get(trial.state, "running"), trial.user_attrs.get("run")
    reached = [value for value in trial.intermediate_values.values() if math.isfinite(value)]
    score = trial.value if state == "finished" else None
    if state == "pruned" and reached:
        score = (max if goal.higher_is_better else min)(reached)
    return TrialRow(
        number=trial.number + 1,
        state=state,
        settings=space.plain(trial.params),
        score=score,
        seconds=trial.user_attrs.get("seconds"),
        run=None if run is None else str(runs_dir / run),
        why=trial.user_attrs.get("why"),
        random=is_random(goal.sampler, trial.number),
    )


def best_of(found: Sequence[TrialRow], goal: Goal) -> TrialRow | None:
    """The finished trial with the best score, the earliest of equals."""
    first = ranked(found, higher_is_better=goal.higher_is_better)[:1]
    return first[0] if first and first[0].state == "finished" else None


def random_search(found: Sequence[TrialRow], goal: Goal) -> RandomSearch | None:
    """What the best of as many random draws is expected to be, told by the trials that were drawn at random."""
    drawn = [each for each in found if each.random and each.state != "running"]
    scores = [each.score for each in drawn if each.score is not None]
    over = [each for each in found if each.state != "running"]
    if not scores:
        return None
    worst = (min if goal.higher_is_better else max)(scores)
    failed = len(drawn) - len(scores)
    scores += [worst] * failed
    interval = expected_best_interval(scores, len(over), higher_is_better=goal.higher_is_better)
    expected = expected_best(scores, len(over), higher_is_better=goal.higher_is_better)
    return RandomSearch(expected, interval, len(drawn), len(over), failed)


def importance(study: optuna.Study, space: Space) -> dict[str, float]:
    """PED-ANOVA's shares, the largest first; empty for one setting alone, or too few finished trials."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) < LEAST or len(space.dimensions) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is experimental, and says so
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return dict(found) if all(map(math.isfinite, found.values())) and any(found.values()) else {}


def axes(space: Space) -> list[Axis]:
    """Of the picture."""
    return [_axis(each) for each in space.dimensions]


def _axis(dimension: Dimension) -> Axis:
    axis = Axis(dimension.key, dimension.low, dimension.high, log=dimension.kind in ("log", "log_int"))
    if dimension.kind != "choices":
        return axis
    return replace(axis, choices=tuple(shown(dimension.plain(text)) for text in dimension.texts))
