"""What turns scores into answers, chosen on validation: one temperature for all scores, the probability from which a
class or a label is answered. Neither changes the order of the scores.

temperature  logits / T, the T of least cross-entropy (Guo et al., "On calibration of modern neural networks", 2017)
threshold    the probability of largest F1 or balanced accuracy, or the best of those that reach a sensitivity or a
             specificity. It lies halfway between two scores that occur; of equal ones the least extreme is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Aim = Literal["f1", "balanced_accuracy"] | tuple[Literal["sensitivity", "specificity"], float]

COLDEST, HOTTEST = 0.01, 100.0  # a split that is told apart perfectly would have the temperature 0
_HALVINGS = 60


def temperature_of_classes(logits: NDArray[np.floating], targets: NDArray[np.int64]) -> float:
    """logits: (N, K). targets: (N,). -> T within COLDEST..HOTTEST."""
    scores = logits.astype(np.float64)
    own = scores[np.arange(len(scores)), targets]

    def slope(beta: float) -> float:
        """Of the mean cross-entropy, by the inverse temperature: how far the mean score is above the true class's."""
        raised = np.exp(beta * (scores - scores.max(1, keepdims=True)))
        return float(((raised * scores).sum(1) / raised.sum(1) - own).mean())

    return 1 / _root(slope)


def temperature_of_labels(logits: NDArray[np.floating], targets: NDArray[np.bool_]) -> float:
    """logits, targets: (N, K), each label decided on its own. -> T within COLDEST..HOTTEST."""
    scores = logits.astype(np.float64)

    def slope(beta: float) -> float:
        shares = 0.5 * (1 + np.tanh(beta * scores / 2))
        return float(((shares - targets) * scores).mean())

    return 1 / _root(slope)


def best_threshold(shares: NDArray[np.floating], positive: NDArray[np.bool_], aim: Aim) -> float:
    """The probability from which on to answer yes; 1 for never. shares, positive: (N,). 0.5 with one kind alone."""
    wanted, given = int(positive.sum()), shares.astype(np.float64)
    if not 0 < wanted < len(positive):
        return 0.5
    levels, group = np.unique(given, return_inverse=True)
    levels = np.append(levels, 2.0)  # above all scores: never
    found = np.bincount(group, positive, len(levels))[::-1].cumsum()[::-1]  # positives at a level or above it
    seen = np.bincount(group, minlength=len(levels))[::-1].cumsum()[::-1]
    sensitivity, specificity = found / wanted, 1 - (seen - found) / (len(positive) - wanted)
    match aim:
        case "f1":
            return _middle(levels, 2 * found / (seen + wanted))
        case "balanced_accuracy":
            return _middle(levels, sensitivity + specificity)
        case ("sensitivity", least):
            return _middle(levels, np.where(sensitivity >= least, specificity, -1))
        case ("specificity", least):
            return _middle(levels, np.where(specificity >= least, sensitivity, -1))
    raise AssertionError(aim)


def _middle(levels: Floats, worth: Floats) -> float:
    """Between the best level and the one below it; of equal ones that nearest to one half."""
    best = np.flatnonzero(worth == worth.max())
    below = np.concatenate([[0.0], levels[:-1]])
    cuts = np.where(levels > 1, 1.0, (levels + below) / 2)[best]
    return float(cuts[np.abs(cuts - 0.5).argmin()])


def _root(slope: Callable[[float], float]) -> float:
    """Where the rising function crosses 0, within 1 / HOTTEST..1 / COLDEST; halving the interval of the logarithm."""
    if slope(1.0) == 0:  # scores that are all alike: no temperature matters
        return 1.0
    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(float(np.exp(middle))) <= 0 else (low, middle)
    return float(np.exp((low + high) / 2))
