"""Several trainings that differ in their seed: mean, spread, Student's t interval, and whether two such groups differ.

A training's score is one draw from what its settings give; the seeds' scores are a small sample of it. The interval of
their mean is Student's ("The probable error of a mean", Biometrika 1908): mean ± t(0.975, n - 1) s / √n. Two groups are
compared by Welch's test ("The generalization of 'Student's' problem when several different population variances are
involved", Biometrika 1947), which asks neither for equal spreads nor for the same seeds or as many of them; Colas,
Sigaud and Oudeyer, "How many random seeds?" (arXiv:1806.08295), recommend it for this. Both assume scores that are
roughly normal over seeds, and speak of the seed alone, not of which examples were judged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

from ft.core.metrics.scores import Interval

_TINY = 1e-300  # keeps the continued fraction from dividing by 0
_MOST_TERMS = 10_000


@dataclass(frozen=True)
class Spread:
    """What the seeds gave of one metric. values: one for each seed. sd: the sample's, n - 1 below the line; it and the
    95 % interval of the mean are None for a single value, the interval also where all values are the same. All are NaN
    where a value is not a finite number.
    """

    values: tuple[float, ...]
    mean: float
    sd: float | None
    min: float
    max: float
    interval: Interval | None


@dataclass(frozen=True)
class Difference:
    """The first group's mean less the second's, its 95 % interval, and the two-sided p of such a one by chance."""

    value: float
    interval: Interval
    p: float


def spread(values: Sequence[float]) -> Spread:
    """values: one or more."""
    if not all(map(math.isfinite, values)):
        nan = math.nan
        return Spread(tuple(values), nan, nan, nan, nan, (nan, nan))
    mean = fmean(values)
    if len(values) < 2:
        return Spread(tuple(values), mean, None, mean, mean, None)
    sd = math.sqrt(_variance(values))
    if sd == 0:  # they agree by chance of few examples; an interval of no width would claim certainty
        return Spread(tuple(values), mean, sd, min(values), max(values), None)
    half = t_quantile(0.975, len(values) - 1) * sd / math.sqrt(len(values))
    return Spread(tuple(values), mean, sd, min(values), max(values), (mean - half, mean + half))


def welch(first: Sequence[float], second: Sequence[float]) -> Difference | None:
    """None where a group has fewer than two values, or a value is not a finite number: nothing can be told then.

    The degrees of freedom are Welch's and Satterthwaite's. Groups without any spread differ surely or not at all.
    """
    if min(len(first), len(second)) < 2 or not all(map(math.isfinite, (*first, *second))):
        return None
    value = fmean(first) - fmean(second)
    parts = [(_variance(each) / len(each), len(each) - 1) for each in (first, second)]
    squared = sum(part for part, _ in parts)
    if squared == 0:
        return Difference(value, (value, value), 1.0 if value == 0 else 0.0)
    shares = [(part / squared, freedom) for part, freedom in parts]  # scaled: tiny variances squared would vanish
    freedom = 1 / sum(share**2 / each for share, each in shares)
    error = math.sqrt(squared)
    half = t_quantile(0.975, freedom) * error
    return Difference(value, (value - half, value + half), two_sided(value / error, freedom))


def above_zero(values: Sequence[float]) -> float:
    """The one-sided p of Student's test of a mean of 0: small where the mean is shown to be larger. NaN for fewer than
    two values.
    """
    found = spread(values)
    if not found.sd:
        return math.nan if found.sd is None else (1.0 if found.mean <= 0 else 0.0)
    t = found.mean / found.sd * math.sqrt(len(values))
    half = two_sided(t, len(values) - 1) / 2
    return half if t > 0 else 1 - half


def two_sided(t: float, freedom: float) -> float:
    """P(|T| >= |t|) of Student's distribution: I_x(freedom / 2, 1 / 2) at x = freedom / (freedom + t²)."""
    return _incomplete_beta(freedom / (freedom + t * t), t * t / (freedom + t * t), freedom / 2, 0.5)


@lru_cache(maxsize=64)  # every metric asks for the same
def t_quantile(p: float, freedom: float) -> float:
    """The point below which Student's distribution has the share p, 0.5 <= p < 1. By bisection: to the last digits."""
    low, high, tail = 0.0, 1.0, 2 * (1 - p)
    while two_sided(high, freedom) > tail:
        low, high = high, 2 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if two_sided(middle, freedom) > tail else (low, middle)
    return high


def _variance(values: Sequence[float]) -> float:
    """The sample's; exactly 0 for equal values, whose mean may be rounded."""
    mean = fmean(values)
    return 0.0 if min(values) == max(values) else math.fsum((each - mean) ** 2 for each in values) / (len(values) - 1)


def _incomplete_beta(x: float, rest: float, a: float, b: float) -> float:
    """The regularised I_x(a, b) by its continued fraction, DLMF 8.17.22, on the side where that converges fast.

    rest: 1 - x, which is told because the difference would lose its digits near x = 1.
    """
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(rest, x, b, a)
    front = a * math.log(x) + b * math.log(rest) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(front) / a * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """1 / (1 + d1 / (1 + d2 / …)), evaluated forwards by the modified Lentz method (Thompson & Barnett 1986)."""
    value, c, d = 1.0, 1.0, 0.0
    for index in range(_MOST_TERMS):
        m = index // 2
        if index == 0:
            term = 1.0
        elif index % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / _not_zero(1 + term * d)
        c = _not_zero(1 + term / c)
        value *= c * d
        if index and abs(1 - c * d) < 1e-15:
            break
    return value - 1  # Lentz's begins with 1 + 1 / (1 + …)


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
