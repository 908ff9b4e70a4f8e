"""Whether probabilities mean what they say: the Brier score and the expected calibration error, from sums over batches.

brier  mean over the examples of sum_k (p_k - y_k)^2 (Brier 1950); of two classes that of the positive one alone,
       half of it, as is usual
ece    mean over the examples of |accuracy - confidence| of the bin they lie in, the probability of the chosen class
       sorting them into 15 bins of equal width (Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599)
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
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
    bins = _bins(confidence)
    values = torch.stack([torch.ones_like(confidence), confidence, (chosen == targets).float()])  # (3, B)
    sums["bins"] += torch.zeros(3, BINS, device=logits.device).index_add_(1, bins, values)


def brier(sums: dict[str, Tensor], count: int, classes: int) -> float:
    """0 is best; at most 2, of two classes 1. NaN of nothing."""
    return float(sums["squared"]) / count / (2 if classes == 2 else 1) if count else math.nan


def ece(sums: dict[str, Tensor], count: int) -> float:
    """0..1, 0 is best; NaN of nothing."""
    _, confidence, right = sums["bins"].cpu().double()
    return float((right - confidence).abs().sum()) / count if count else math.nan


def by_example(
    logits: NDArray[np.float32], targets: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each example: the squared distance, (N,), and right - confidence in the column of its bin, (N, BINS).

    logits: (N, K). targets: (N,). brier is the mean of the first, twice that of two classes; ece the sum of the
    absolute means of the second's columns.
    """
    shares = torch.from_numpy(logits).float().softmax(1)
    confidence, chosen = shares.max(1)
    wanted = torch.from_numpy(targets)
    own = shares.gather(1, wanted[:, None]).squeeze(1)
    squared = shares.square().sum(1) + 1 - 2 * own
    gaps = torch.zeros(len(logits), BINS, dtype=torch.float64)
    gaps[torch.arange(len(logits)), _bins(confidence)] = (chosen == wanted).double() - confidence.double()
    return squared.double().numpy(), gaps.numpy()


def _bins(confidence: Tensor) -> Tensor:
    """(B,) in 0..1 -> int64 (B,)."""
    return (confidence * BINS).ceil().sub(1).nan_to_num(0).clamp(0, BINS - 1).long()
