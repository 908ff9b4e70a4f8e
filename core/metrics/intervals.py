"""How far a score may be from what endless test data would show: 95 % confidence intervals.

Both assume independent examples. They speak of the sample of examples only, not of the seed of training.
"""

from __future__ import annotations

import math

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


def wilson(successes: float, n: float, z: float = Z95) -> tuple[float, float]:
    """The score interval of a proportion, which stays inside 0..1 and holds near its ends and for small n.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    Without any trial nothing is known: (0, 1).
    """
    if n == 0:
        return 0.0, 1.0
    share = successes / n
    shrink = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else centre - half  # exact ends: rounding leaves 1e-18 otherwise
    high = 1.0 if successes == n else centre + half
    return low, high


def mean_interval(total: float, squares: float, n: float, z: float = Z95) -> tuple[float, float]:
    """The normal interval of a mean, from the sum and the sum of squares of n >= 2 values.

    Meant for values that are never negative, so it does not reach below 0. A rough guide below some 30 examples.
    """
    mean = total / n
    variance = max(0.0, squares / n - mean * mean) * n / (n - 1)
    half = z * math.sqrt(variance / n)
    return max(0.0, mean - half), mean + half
