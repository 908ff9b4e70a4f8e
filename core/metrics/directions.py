"""Which way a metric is better, by its name alone: for scores on the disk, whose heads are not at hand."""

from __future__ import annotations

from ft.core.metrics.classification import SMALLER_IS_BETTER

_ERRORS = ("loss", "mae", "mse", "rmse", *SMALLER_IS_BETTER)


def smaller_is_better(name: str) -> bool:
    """name: a flat name, `metric` or `…/metric`. The same as the heads say (a test compares)."""
    return name.rpartition("/")[2] in _ERRORS
