"""Integrated gradients and Grad-CAM as arithmetic, against closed forms and plain loops."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from ft.core.engine.attribution import MOST_STEPS, grad_cam, integrate


def test_a_smooth_function_gets_the_integral_of_its_gradient() -> None:
    """f(x, y) = sin(x) y on the way from (0, 0) to (1, 2): the integral of 2 t cos(t) is the share of x."""

    def contributions(points: Tensor) -> Mapping[str, Tensor]:
        return {"x": (2 * points * points.cos()).sum(), "y": (2 * points.sin()).sum()}

    found = integrate(contributions, 0.0, 2 * math.sin(1))
    assert found.attributions["x"].item() == pytest.approx(2 * (math.sin(1) + math.cos(1) - 1), rel=1e-2)
    assert found.attributions["y"].item() == pytest.approx(2 * (1 - math.cos(1)), rel=1e-2)
    assert found.gap < 0.01
    assert found.total == pytest.approx(found.change, rel=1e-2)


def test_steps_grow_until_the_sum_is_close_and_every_point_is_taken_once() -> None:
    """The gradient is 1 beyond a third of the way less a hair: few steps misjudge it."""
    edge, seen = 0.9871, []

    def contributions(points: Tensor) -> Mapping[str, Tensor]:
        seen.append(points)
        return {"x": (points > edge).double().sum()}

    found = integrate(contributions, 0.0, 1 - edge)
    taken = torch.cat(seen).sort().values
    assert found.steps > 16
    assert len(taken) == found.steps
    torch.testing.assert_close(taken, (torch.arange(found.steps, dtype=torch.float64) + 0.5) / found.steps)
    assert found.attributions["x"].item() == pytest.approx((taken > edge).double().mean().item())


def test_what_is_left_at_the_limit_is_told() -> None:
    found = integrate(lambda points: {"x": points.sum() * 0}, 1.0, 3.0, most_steps=50)
    assert (found.steps, found.total, found.change) == (48, 0.0, 2.0)
    assert found.gap == pytest.approx(1.0)


@pytest.mark.parametrize("most", [1, 16, 47, 48, 100, MOST_STEPS, 1000])
def test_no_more_steps_are_taken_than_there_may_be_and_nearly_all_of_them(most: int) -> None:
    found = integrate(lambda points: {"x": points.sum() * 0}, 0.0, 1.0, most_steps=most)
    assert most - 27 <= found.steps <= most


def test_what_float32_cannot_tell_apart_is_no_gap() -> None:
    assert integrate(lambda points: {"x": points.sum() * 0}, 1e6, 1e6 + 0.1).gap == 0.0
    assert integrate(lambda points: {"x": points.sum() * 0}, 0.0, 0.0).gap == 0.0


def test_grad_cam_is_the_positive_part_of_maps_weighed_by_their_mean_gradient() -> None:
    rng = np.random.default_rng(0)
    maps, gradient = rng.normal(size=(5, 3, 4)), rng.normal(size=(5, 3, 4))
    wanted = np.zeros((3, 4))
    for row in range(3):
        for column in range(4):
            total = sum(gradient[k].mean() * maps[k, row, column] for k in range(5))
            wanted[row, column] = max(0.0, total)
    found = grad_cam(torch.from_numpy(maps), torch.from_numpy(gradient))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12)
    assert (wanted == 0).any()
