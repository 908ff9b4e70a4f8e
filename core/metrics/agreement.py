"""How far chosen classes agree with the true ones beyond what the classes' sizes alone would give: from counts.

support: how often each class was true. predicted: how often it was answered; answers that name no class are apart.
hits: how often it was answered rightly. All (K,), in the classes' order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Counts = Sequence[int]


def balanced_accuracy(support: Counts, hits: Counts) -> float:
    """The mean recall of the classes that occur, 0..1; NaN of nothing."""
    recalls = [right / count for right, count in zip(hits, support, strict=True) if count]
    return sum(recalls) / len(recalls) if recalls else math.nan


def kappa(support: Counts, predicted: Counts, hits: Counts) -> float:
    """J. Cohen, "A coefficient of agreement for nominal scales" (1960); at most 1, 0 for chance. NaN where chance alone
    is always right.
    """
    count = sum(support)
    if not count:
        return math.nan
    chance = sum(map(_product, support, predicted)) / count**2
    return (sum(hits) / count - chance) / (1 - chance) if chance < 1 else math.nan


def mcc(support: Counts, predicted: Counts, hits: Counts) -> float:
    """Matthews' correlation coefficient of K classes, -1..1 (J. Gorodkin, "Comparing two K-category assignments by a
    K-category correlation coefficient", 2004); 0, as scikit-learn has it, where all are or are said to be of one class.
    """
    count = sum(support)
    if not count:
        return math.nan
    nameless = count - sum(predicted)
    spread = count**2 - sum(map(_product, support, support))
    spread_of_answers = count**2 - sum(map(_product, predicted, predicted)) - nameless**2
    if not spread or not spread_of_answers:
        return 0.0
    return (sum(hits) * count - sum(map(_product, support, predicted))) / math.sqrt(spread * spread_of_answers)


def _product(one: int, other: int) -> int:
    return one * other
