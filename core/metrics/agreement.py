"""Scores of chosen classes against the true ones, from counts alone: of one set of examples, or of many at once.

Counts are float64 (..., K), in the classes' order, and every score is (...): so one formula gives a metric, and its
value for a thousand resamples of the examples. support: how often each class was true. predicted: how often it was
answered; answers that name no class are in none of them. hits: how often it was answered rightly.

A ratio 0/0 counts as 0, and macro averages run over the classes that occur in the truth or in the answers, as
scikit-learn has it with `zero_division=0`. NaN of nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]


def precision(support: Counts, predicted: Counts, hits: Counts) -> Counts:
    """The mean over the classes of the share of a class's answers that are right."""
    return _macro(_ratio(hits, predicted), support, predicted)


def recall(support: Counts, predicted: Counts, hits: Counts) -> Counts:
    """The mean over the classes of the share of a class's examples that are found."""
    return _macro(_ratio(hits, support), support, predicted)


def f1(support: Counts, predicted: Counts, hits: Counts) -> Counts:
    """The mean over the classes of the harmonic mean of precision and recall."""
    return _macro(_ratio(2 * hits, predicted + support), support, predicted)


def precision_weighted(support: Counts, predicted: Counts, hits: Counts) -> Counts:
    """Precision, each class weighing as many as it has examples."""
    return _weighted(_ratio(hits, predicted), support)


def recall_weighted(support: Counts, predicted: Counts, hits: Counts) -> Counts:  # noqa: ARG001 - as the others
    """Recall, each class weighing as many as it has examples: the accuracy."""
    return _weighted(_ratio(hits, support), support)


def f1_weighted(support: Counts, predicted: Counts, hits: Counts) -> Counts:
    """F1, each class weighing as many as it has examples."""
    return _weighted(_ratio(2 * hits, predicted + support), support)


def balanced_accuracy(support: Counts, predicted: Counts, hits: Counts) -> Counts:  # noqa: ARG001 - as the others
    """The mean recall of the classes that have examples, 0..1."""
    return _share(_ratio(hits, support).sum(-1), (support > 0).sum(-1))


def kappa(support: Counts, predicted: Counts, hits: Counts) -> Counts:
    """J. Cohen, "A coefficient of agreement for nominal scales" (1960); at most 1, 0 for chance. NaN where chance alone
    is always right.
    """
    count = support.sum(-1)
    chance = _share((support * predicted).sum(-1), count**2)
    return _share(_share(hits.sum(-1), count) - chance, 1 - chance)


def mcc(support: Counts, predicted: Counts, hits: Counts) -> Counts:
    """Matthews' correlation coefficient of K classes, -1..1 (J. Gorodkin, "Comparing two K-category assignments by a
    K-category correlation coefficient", 2004); 0, as scikit-learn has it, where all are or are said to be of one class.
    """
    count = support.sum(-1)
    nameless = count - predicted.sum(-1)
    spread = count**2 - (support**2).sum(-1)
    spread_of_answers = count**2 - (predicted**2).sum(-1) - nameless**2
    above = hits.sum(-1) * count - (support * predicted).sum(-1)
    return _ratio(above, np.sqrt(spread * spread_of_answers)) + _share(0 * count, count)


BY_COUNTS: dict[str, Callable[[Counts, Counts, Counts], Counts]] = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "precision_weighted": precision_weighted,
    "recall_weighted": recall_weighted,
    "f1_weighted": f1_weighted,
    "balanced_accuracy": balanced_accuracy,
    "kappa": kappa,
    "mcc": mcc,
}


def _macro(shares: Counts, support: Counts, predicted: Counts) -> Counts:
    occurs = (support > 0) | (predicted > 0)
    return _share((shares * occurs).sum(-1), occurs.sum(-1))


def _weighted(shares: Counts, support: Counts) -> Counts:
    return _share((shares * support).sum(-1), support.sum(-1))


def _ratio(part: Counts, whole: Counts) -> Counts:
    """0 of nothing."""
    found: Counts = np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole != 0)
    return found


def _share(part: Counts, whole: Counts) -> Counts:
    """NaN of nothing."""
    found: Counts = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole != 0)
    return found
