"""Scores of predicted numbers, in the user's units: mean absolute and squared error, its root, R squared, Spearman's.

Sums are float64 (float32 on MPS, which has no float64). The targets' spread, which R squared needs, is kept as mean
and squared deviations and merged by the update of Chan, Golub and LeVeque, "Updating formulae and a pairwise
algorithm for computing sample variances" (1979): raw sums of squares cancel when the mean is large.

R squared of targets that are all the same is NaN: there is no spread to explain, and scikit-learn's 1 or 0 would
pass or fail a gate by accident. The same goes for Spearman's rank correlation where targets or answers are constant.
It keeps every pair, 8 bytes per example. A NaN or infinite prediction makes the errors NaN or infinite; it is not left
out.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ft.core.metrics import ranks
from ft.core.metrics.intervals import mean_interval
from ft.core.metrics.partial_sums import Collective, PartialSums
from ft.core.metrics.scores import Interval, Scores

METRICS = ("mae", "mse", "rmse", "r2", "spearman")


class NumberScores(PartialSums):
    """Sums over batches of `predictions (B,)` and `targets (B,)`."""

    def __init__(self) -> None:
        names = ("count", "absolute", "squared", "fourth", "nonfinite", "mean", "spread")
        kept = {name: torch.empty(0) for name in ("prediction", "target")}
        super().__init__(kept, **{name: torch.zeros((), dtype=torch.float64) for name in names})

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """predictions, targets: any float (B,), in the same units. No host sync."""
        added = len(targets)
        if added == 0:
            return
        sums = self._on(predictions.device)
        self._keep(prediction=predictions, target=targets)
        wide = sums["mean"].dtype
        truth = targets.detach().to(wide)
        error = predictions.detach().to(wide) - truth
        squared = error.square()
        mean = truth.mean()
        shift = mean - sums["mean"]
        total = sums["count"] + added
        self._sums = {
            "count": total,
            "absolute": sums["absolute"] + error.abs().sum(),
            "squared": sums["squared"] + squared.sum(),
            "fourth": sums["fourth"] + squared.square().sum(),
            "nonfinite": sums["nonfinite"] + (~error.isfinite()).sum(),
            "mean": sums["mean"] + shift * added / total,
            "spread": sums["spread"] + (truth - mean).square().sum() + shift.square() * sums["count"] * added / total,
        }

    def reduce(self, all_reduce: Collective, all_gather: Collective) -> None:
        """Make everything that of all processes; spreads are moved to the common mean first."""
        count, mean = self._sums["count"], self._sums["mean"]
        total = all_reduce(count.clone())
        common = all_reduce(count * mean) / total.clamp(min=1)
        self._sums["spread"] = self._sums["spread"] + count * (mean - common).square()
        super().reduce(all_reduce, all_gather)
        self._sums["mean"] = common

    def compute(self) -> Scores:
        """mae and rmse in the targets' units, mse in their square, the rest at most 1; NaN before the first example."""
        sums = {name: float(value) for name, value in self._sums.items()}
        count = int(sums["count"])
        mse = sums["squared"] / count if count else math.nan
        metrics = {
            "mae": sums["absolute"] / count if count else math.nan,
            "mse": mse,
            "rmse": math.sqrt(mse),
            "r2": 1 - sums["squared"] / sums["spread"] if sums["spread"] > 0 else math.nan,
            "spearman": ranks.spearman(self._all("prediction").cpu(), self._all("target").cpu()),
        }
        intervals = _error_intervals(sums)
        if (ends := ranks.spearman_interval(metrics["spearman"], count)) is not None:
            intervals["spearman"] = ends
        return Scores(metrics, intervals, count=count, nonfinite=int(sums["nonfinite"]))


def _error_intervals(sums: dict[str, float]) -> dict[str, Interval]:
    """Of the mean errors, from two finite examples on; rmse's is the root of mse's."""
    count = sums["count"]
    if count < 2 or not math.isfinite(sums["fourth"]):
        return {}
    mse = mean_interval(sums["squared"], sums["fourth"], count)
    return {
        "mae": mean_interval(sums["absolute"], sums["squared"], count),
        "mse": mse,
        "rmse": (math.sqrt(mse[0]), math.sqrt(mse[1])),
    }
