"""Scores that depend on the order of answers alone: area under the ROC curve, average precision, Spearman's rho.

Equal answers share the mean of their places, so ties count half in the area. All is computed in float64 on the CPU
from every value of the split; the cost is that of sorting them. NaN among the answers gives NaN.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ft.core.metrics.intervals import Z95
from ft.core.metrics.scores import Interval

NAN = float("nan")


def midranks(values: Tensor) -> Tensor:
    """values (N,) -> float64 (N,): 1 for the smallest; equal values share the mean of their places."""
    _, group, counts = torch.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum(0)  # the place of each group's last member
    places: Tensor = last - (counts - 1).double() / 2
    return places[group]


def auroc(scores: Tensor, positive: Tensor) -> float:
    """How often a positive example is scored above a negative one, ties counting half. scores (N,), positive bool (N,).

    NaN without a positive or without a negative example.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives or bool(scores.isnan().any()):
        return NAN
    above = float(midranks(scores)[positive].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def auroc_interval(scores: Tensor, positive: Tensor) -> Interval | None:
    """The 95 % interval of `auroc`, inside 0..1.

    DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves" (1988), by ranks as in Sun and Xu, "Fast implementation of DeLong's algorithm" (2014).
    None below two examples of either kind, and where the estimated variance is 0, as when all are told apart: the
    formula would then claim certainty.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if min(positives, negatives) < 2 or bool(scores.isnan().any()):
        return None
    places = midranks(scores)
    outdone = (places[positive] - midranks(scores[positive])) / negatives  # share of negatives below each positive
    outdoing = 1 - (places[~positive] - midranks(scores[~positive])) / positives  # of positives above each negative
    variance = float(outdone.var()) / positives + float(outdoing.var()) / negatives
    if variance <= 0:
        return None
    area, half = float(outdone.mean()), Z95 * math.sqrt(variance)
    return max(0.0, area - half), min(1.0, area + half)


def average_precision(scores: Tensor, positive: Tensor) -> float:
    """Precision at every distinct score, weighed by the recall gained there, as scikit-learn has it (no interpolation).

    scores (N,), positive bool (N,). NaN without a positive or without a negative example.
    """
    positives = int(positive.sum())
    if not positives or positives == len(positive) or bool(scores.isnan().any()):
        return NAN
    _, group, counts = torch.unique(scores, return_inverse=True, return_counts=True)
    hits = torch.zeros(len(counts), dtype=torch.float64).index_add_(0, group, positive.double())
    found, seen = hits.flip(0).cumsum(0), counts.flip(0).cumsum(0)  # from the highest score down
    return float((hits.flip(0) * found / seen).sum()) / positives


def average_precision_interval(value: float, positives: int) -> Interval | None:
    """The 95 % logit interval of an average precision over so many positive examples; None at 0, 1 and NaN.

    Boyd, Eng and Page, "Area under the precision-recall curve: point estimates and confidence intervals" (2013).
    """
    if not 0 < value < 1:
        return None
    centre = math.log(value / (1 - value))
    half = Z95 / math.sqrt(positives * value * (1 - value))
    return _sigmoid(centre - half), _sigmoid(centre + half)


def spearman(first: Tensor, second: Tensor) -> float:
    """The correlation of the ranks of two (N,), in -1..1; NaN where one of them is constant or holds NaN."""
    if bool((first.isnan() | second.isnan()).any()):
        return NAN
    ranks = torch.stack([midranks(first), midranks(second)])  # (2, N)
    ranks -= ranks.mean(dim=1, keepdim=True)
    spread = ranks.square().sum(dim=1).prod().sqrt()
    return max(-1.0, min(1.0, float(ranks.prod(dim=0).sum() / spread))) if spread > 0 else NAN


def spearman_interval(rho: float, n: int) -> Interval | None:
    """The 95 % interval of `spearman` over n examples; None below four, at -1, 1 and NaN.

    Bonett and Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman correlations" (2000):
    Fisher's z with variance (1 + rho² / 2) / (n - 3).
    """
    if n < 4 or not -1 < rho < 1:
        return None
    half = Z95 * math.sqrt((1 + rho * rho / 2) / (n - 3))
    return math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half)


def _sigmoid(value: float) -> float:
    """Stable for large values of either sign."""
    return 0.5 * (1 + math.tanh(value / 2))
