"""Whether probabilities mean what they say: the Brier score and the expected calibration error, from sums over batches.

brier  mean over the examples of sum_k (p_k - y_k)^2 (Brier 1950); of two classes that of the positive one alone,
       half of it, as is usual
ece    mean over the examples of |accuracy - confidence| of the bin they lie in, the probability of the chosen class
       sorting them into 15 bins of equal width (Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

BINS = 15


def zero_sums() -> dict[str, Tensor]:
    """At the start: squared, a scalar; bins (3, BINS): examples, their confidence, how many were right."""
    return {"squared": torch.zeros((), dtype=torch.float64), "bins": torch.zeros(3, BINS, dtype=torch.float64)}


def add(sums: dict[str, Tensor], logits: Tensor, targets: Tensor) -> None:
    """logits: float (B, K). targets: int64 (B,). No host sync. An answer that is not finite makes both scores NaN."""
    shares = logits.float().softmax(1)  # (B, K)
    confidence, chosen = shares.max(1)  # (B,)
    own = shares.gather(1, targets[:, None]).squeeze(1)
    squared = shares.square().sum(1) + 1 - 2 * own
    sums["squared"] += squared.sum()
    bins = (confidence * BINS).ceil().sub(1).nan_to_num(0).clamp(0, BINS - 1).long()
    values = torch.stack([torch.ones_like(confidence), confidence, (chosen == targets).float()])  # (3, B)
    sums["bins"] += torch.zeros(3, BINS, device=logits.device).index_add_(1, bins, values)


def brier(sums: dict[str, Tensor], count: int, classes: int) -> float:
    """0 is best; at most 2, of two classes 1. NaN of nothing."""
    return float(sums["squared"]) / count / (2 if classes == 2 else 1) if count else math.nan


def ece(sums: dict[str, Tensor], count: int) -> float:
    """0..1, 0 is best; NaN of nothing."""
    _, confidence, right = sums["bins"].cpu().double()
    return float((right - confidence).abs().sum()) / count if count else math.nan
