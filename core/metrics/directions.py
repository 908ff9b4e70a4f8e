"""Which way a metric is better, by its name alone: for scores on the disk, whose heads are not at hand."""

from __future__ import annotations

import re
from typing import Literal

from ft.core.metrics.classification import SMALLER_IS_BETTER

_SMALLER = ("loss", "mae", "mse", "rmse", *SMALLER_IS_BETTER)
_LARGER = (
    *("accuracy", "top", "balanced_accuracy", "precision", "recall", "f1", "kappa", "mcc", "auroc"),
    *("average_precision", "sensitivity", "specificity", "exact_match", "hamming_accuracy", "r2", "spearman"),
    *("hit_rate", "ndcg", "mrr"),
)
_VARIANT = re.compile(r"_weighted$|_micro$|@\d+$|(?<=^top)\d+$")


def direction_of(name: str) -> Literal["min", "max"] | None:
    """name: a flat name, `metric` or `…/metric`. The same as the heads say (a test compares); None for another metric
    than theirs, which is a user's own.
    """
    plain = _VARIANT.sub("", name.rpartition("/")[2])
    return "min" if plain in _SMALLER else "max" if plain in _LARGER else None
