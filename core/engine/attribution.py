"""The arithmetic of two explanations, on plain tensors: integrated gradients and Grad-CAM. Knows no network.

    integrated gradients  a_i = (x_i - b_i) * mean over t in 0..1 of df/dx_i at b + t (x - b)
                          Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks", arXiv:1703.01365
    Grad-CAM              ReLU(sum_k w_k A_k),  w_k = mean over places of dy/dA_k
                          Selvaraju et al. 2017, "Grad-CAM", arXiv:1610.02391

The first is complete: its sum is f(x) - f(b). The mean is taken at the middles of equal steps, which leaves out the
ends, where a baseline of zeros stands on the kink of every ReLU; a third of the steps serves again when they are cut in
three.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

FIRST_STEPS = 16  # to 47, so that cutting in three ends near the most there may be
MOST_STEPS = 432
CLOSE = 0.01  # of f(x) - f(b): the gap that is good enough
NOISE = 1e-6  # of the size of f: what float32 cannot tell


@dataclass(frozen=True)
class Integrated:
    """attributions: float64, by what they are of. total: their sum. change: f(x) - f(b). steps: how many were taken."""

    attributions: dict[str, Tensor]
    change: float
    steps: int
    noise: float

    @property
    def total(self) -> float:
        return float(sum(each.sum() for each in self.attributions.values()))

    @property
    def gap(self) -> float:
        """How far the sum is from f(x) - f(b), as a share of that; 0 where float32 cannot tell them apart."""
        apart = abs(self.total - self.change)
        return 0.0 if apart <= self.noise else apart / max(abs(self.change), self.noise)


def integrate(
    contributions: Callable[[Tensor], Mapping[str, Tensor]], before: float, after: float, most_steps: int = MOST_STEPS
) -> Integrated:
    """Integrated gradients, in as many steps as bring the gap below `CLOSE`, or as there may be.

    contributions: of points of the way, float (S,) in 0..1, gives the gradient times x - b, summed over the points, by
    what they are of. before, after: f(b) and f(x).
    """
    assert most_steps >= 1, most_steps
    steps = most_steps
    while steps >= 3 * FIRST_STEPS:
        steps //= 3
    sums = {name: each.double() for name, each in contributions(_middles(steps)).items()}
    noise = NOISE * (abs(before) + abs(after) + 1e-6)
    while True:
        found = {name: each / steps for name, each in sums.items()}
        result = Integrated(found, after - before, steps, noise)
        if result.gap < CLOSE or 3 * steps > most_steps:
            return result
        steps *= 3
        points = _middles(steps).reshape(-1, 3)[:, [0, 2]].flatten()  # the middle one was taken before
        for name, more in contributions(points).items():
            sums[name] = sums[name] + more.double()


def _middles(steps: int) -> Tensor:
    """float64 (steps,): of equal steps from 0 to 1."""
    return (torch.arange(steps, dtype=torch.float64) + 0.5) / steps


def grad_cam(maps: Tensor, gradient: Tensor) -> Tensor:
    """maps: float (K, h, w), a layer's answer. gradient: of the score by it, the same shape. -> float (h, w) >= 0."""
    weights = gradient.mean((1, 2))  # (K,)
    return torch.einsum("k,khw->hw", weights, maps).relu()
