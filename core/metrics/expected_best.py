"""What the best of n random draws is expected to be (Dodge et al. 2019, "Show Your Work", section 3).

With the observed scores v_1..v_m as the distribution F: E[max of n] = sum over v of v * (F(v)^n - F(v-)^n), F(v-) the
share strictly below v. Exact for draws with replacement from the observed scores; an estimate for those that were not
drawn, and for n > m one that is too low, since it cannot exceed the best score seen.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

_RESAMPLES = 1000


def expected_best(scores: Sequence[float], draws: int, *, higher_is_better: bool) -> float:
    """The expectation of the best of `draws` independent draws. scores: one or more, finite. Raises ValueError."""
    if not scores or draws < 1 or not all(map(math.isfinite, scores)):
        raise ValueError("expected one or more finite scores and one or more draws")
    sign = 1.0 if higher_is_better else -1.0
    ordered = sorted(sign * score for score in scores)
    count = len(ordered)
    weights = [((rank + 1) / count) ** draws - (rank / count) ** draws for rank in range(count)]
    return sign * math.fsum(weight * score for weight, score in zip(weights, ordered, strict=True))


def expected_best_interval(
    scores: Sequence[float], draws: int, *, higher_is_better: bool, seed: int = 0
) -> tuple[float, float]:
    """95 % of the expectations that resampled scores give (percentile bootstrap)."""
    chance = random.Random(seed)
    found = sorted(
        expected_best(chance.choices(scores, k=len(scores)), draws, higher_is_better=higher_is_better)
        for _ in range(_RESAMPLES)
    )
    return found[round(0.025 * (_RESAMPLES - 1))], found[round(0.975 * (_RESAMPLES - 1))]
