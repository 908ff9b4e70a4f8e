"""How values are drawn: at random, by a tree-structured Parzen estimator (Bergstra et al. 2011), or from a list.

What trial n draws is a function of the study's seed, n, and (for TPE) the finished trials, not of the process that
draws it: a study that was killed goes on with the same draws, and two processes never draw the same.
"""

from __future__ import annotations

import hashlib
import random
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from ft.core.stages.tuning.space import Dimension, Space, Value

STARTUP = 10  # trials of TPE that are drawn at random; they are also what the report compares with


def distribution(dimension: Dimension) -> BaseDistribution:
    """What optuna draws from."""
    if dimension.kind == "choices":
        return CategoricalDistribution(list(dimension.texts))
    if dimension.whole:
        low, high, log = int(dimension.low), int(dimension.high), dimension.kind == "log_int"
        step = int(dimension.step or 1)
        return IntDistribution(low, high - (high - low) % step, log=log, step=step)
    if dimension.step is not None:
        return FloatDistribution(dimension.low, float(dimension.listed()[-1]), step=dimension.step)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.kind == "log")


def is_random(sampler: str, number: int) -> bool:
    """Whether the trial of that number is drawn without a look at the others."""
    return sampler == "random" or (sampler == "tpe" and number < STARTUP)


def sampler_of(sampler: str, space: Space, seed: int, number: int) -> optuna.samplers.BaseSampler:
    """What draws the trial of that number."""
    own = int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4])
    if sampler == "grid":
        points = shuffled(space.grid(), seed)
        return _Given(points[number])
    if is_random(sampler, number):
        return optuna.samplers.RandomSampler(seed=own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=own, n_startup_trials=1, constant_liar=True)


def shuffled(points: Sequence[dict[str, Value]], seed: int) -> list[dict[str, Value]]:
    """In an order of the seed's, so that the first of them are no corner of the grid."""
    order = list(points)
    random.Random(seed).shuffle(order)
    return order


class _Given(optuna.samplers.BaseSampler):
    """Draws what it was given."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:  # noqa: ARG002
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:  # noqa: ARG002
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:  # noqa: ARG002
        return self._values[param_name]
