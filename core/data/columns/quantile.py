"""Numbers by their rank in training, as if normally distributed: skewed prices and long tails become well-behaved.

What scikit-learn calls QuantileTransformer(output_distribution="normal"): the rank is read off up to 1,000 quantiles
of training, between them linearly, and goes through the normal distribution's inverse. A value that occurs often takes
the middle of its ranks; the smallest and largest value, and all beyond, are cut at 5.2. Unlike there, numbers that
never differ in training become 0. Missing values (NaN) stay missing and have no rank.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

Quantiles: TypeAlias = tuple[tuple[float, ...], ...]  # K entries, each with the same number of rising values
MOST = 1000
EDGE = 1e-7  # ranks nearer to 0 or 1 than this are cut; the normal distribution gives them ±5.2


def fit_quantiles(numbers: Tensor) -> Quantiles:
    """Of each entry of the last axis, over all others. numbers: (N, ..., K), of which no entry is NaN everywhere."""
    flat = numbers.double().flatten(0, -2).numpy()  # (N, K)
    ranks = np.linspace(0, 1, min(MOST, len(flat)))
    found = np.nanquantile(flat, ranks, axis=0).T  # (K, Q)
    return tuple(tuple(entry) for entry in np.maximum.accumulate(found, axis=1).tolist())  # rounding may break rising


def normal_ranks(numbers: Tensor, quantiles: Quantiles) -> Tensor:
    """float (N, ..., K) on the CPU -> float32 of that shape, within ±5.2; in float64, where tails need it."""
    flat = numbers.double().flatten(0, -2).numpy()  # (N, K)
    ranks = np.stack([_ranks(flat[:, k], np.asarray(entry)) for k, entry in enumerate(quantiles)], axis=1)
    normal: Tensor = torch.special.ndtri(torch.from_numpy(ranks).clamp_(EDGE, 1 - EDGE))
    return normal.float().view(numbers.shape)


def _ranks(numbers: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """float64 (N,), 0..1, NaN where missing. quantiles: float64 (Q,), rising."""
    smallest, largest = quantiles[0], quantiles[-1]
    if smallest == largest:
        return np.where(np.isnan(numbers), np.nan, 0.5)
    scale = np.linspace(0, 1, len(quantiles))
    highest = np.interp(numbers, quantiles, scale)  # of equal quantiles the last
    lowest = 1 - np.interp(-numbers, -quantiles[::-1], scale)  # and the first
    ranks = (highest + lowest) / 2
    ranks[numbers <= smallest] = 0
    ranks[numbers >= largest] = 1
    return np.asarray(ranks)
