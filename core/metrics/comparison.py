"""Whether one model is worse than another on the same examples: the drop, its interval, and a paired one-sided test.

Both models answered every example, so the differences example by example are what counts; how hard the examples are
cancels. Of right and wrong answers only those that changed matter (McNemar 1947): of b that were right and c that
became right, b is binomial with one half if the models are equal, and the test is exact. The interval of such a drop is
Agresti and Min's ("Simple improved confidence intervals for comparing matched proportions", 2005). Other values are
resampled pair by pair (resampling.py); above a hundred thousand examples the normal approximation is as good and takes
no time.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ft.core.metrics.intervals import Z95
from ft.core.metrics.resampling import MANY, UNKNOWN, Drop, drop, mean_of


def compare(before: NDArray[np.float32], after: NDArray[np.float32], *, lower_is_better: bool) -> Drop:
    """before, after: of the same examples in the same order, (N,). A value that is not a number makes all NaN."""
    assert before.shape == after.shape
    loss = (after.astype(np.float64) - before) if lower_is_better else (before.astype(np.float64) - after)
    if not len(loss) or not np.isfinite(loss).all():
        return UNKNOWN
    if set(np.unique(before)) | set(np.unique(after)) <= {0.0, 1.0}:
        worse, better = int((loss > 0).sum()), int((loss < 0).sum())
        return Drop((worse - better) / len(loss), _agresti_min(worse, better, len(loss)), mcnemar(worse, better))
    return _of_means(loss)


def mcnemar(worse: int, better: int) -> float:
    """P(X >= worse) of a binomial of worse + better trials with one half: the exact one-sided test."""
    trials = worse + better
    logs = [_log_choose(trials, k) for k in range(worse, trials + 1)]
    most = max(logs)
    return min(1.0, math.exp(most - trials * math.log(2)) * sum(math.exp(each - most) for each in logs))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _agresti_min(worse: int, better: int, count: int) -> tuple[float, float]:
    """Wald's interval with half an example added to each of the four cells."""
    b, c, n = worse + 0.5, better + 0.5, count + 2
    drop = (b - c) / n
    half = Z95 * math.sqrt(b + c - (b - c) ** 2 / n) / n
    return max(-1.0, drop - half), min(1.0, drop + half)


def _of_means(loss: NDArray[np.float64]) -> Drop:
    value, count = float(loss.mean()), len(loss)
    if count <= MANY and loss.std() > 0:
        return drop(mean_of(np.zeros(count)), mean_of(-loss), np.ones(count, dtype=np.int64), lower_is_better=False)
    spread = float(loss.std(ddof=1)) / math.sqrt(count) if count > 1 else 0.0
    p = 0.5 * math.erfc(value / spread / math.sqrt(2)) if spread else (1.0 if value <= 0 else 0.0)
    return Drop(value, (value - Z95 * spread, value + Z95 * spread), p)
