"""The learning-rate range test, against a few lines of NumPy and a loss whose curve is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ft.core.errors import ConfigError
from ft.core.report.lr_curve import LrPoint
from ft.core.stages.tuning.lr_find import Sweep, smoothed, suggest


def test_the_rate_rises_evenly_in_the_logarithm_from_end_to_end() -> None:
    sweep = Sweep(1e-7, 10.0, 120, full=0.02)
    assert [sweep.rate(step) for step in range(120)] == pytest.approx(np.geomspace(1e-7, 10.0, 120).tolist())


def test_groups_with_rates_of_their_own_keep_their_ratio() -> None:
    first, second = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    optimizer = torch.optim.SGD([{"params": [first], "lr": 0.02}, {"params": [second], "lr": 0.005}])
    sweep = Sweep(1e-4, 1.0, 5, full=0.02)
    for step in range(5):
        sweep.apply(optimizer, step)
        rates = [group["lr"] for group in optimizer.param_groups]
        assert rates == pytest.approx([10.0 ** (step - 4), 10.0 ** (step - 4) / 4])


def test_smoothing_is_the_weighted_mean_of_all_losses_so_far() -> None:
    losses = np.random.default_rng(0).normal(size=30)
    expected = [
        float(np.average(losses[: end + 1], weights=0.9 ** np.arange(end, -1, -1.0))) for end in range(len(losses))
    ]
    assert smoothed(losses.tolist()) == pytest.approx(expected)


def test_the_suggestion_is_where_the_loss_falls_most_steeply() -> None:
    rates = np.geomspace(1e-6, 1.0, 121)
    falling = 1 / (1 + np.exp(4 * (np.log(rates) - math.log(1e-3))))  # steepest at 1e-3
    losses = falling + np.where(rates > 0.1, 10 * (np.log(rates) - math.log(0.1)), 0)
    points = [LrPoint(float(rate), float(loss), float(loss)) for rate, loss in zip(rates, losses, strict=True)]
    suggestion, lowest = suggest(points)
    assert suggestion == pytest.approx(1e-3, rel=0.06)
    assert lowest == pytest.approx(0.1, rel=0.13)


def test_a_loss_that_never_falls_suggests_nothing() -> None:
    with pytest.raises(ConfigError, match="falls at no learning rate"):
        suggest([LrPoint(10.0**-step, 1.0, 1.0 + step) for step in range(9, 0, -1)][::-1])
