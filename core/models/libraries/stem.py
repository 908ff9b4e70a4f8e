"""The first convolution for pictures of other than three channels: fresh weights, and weights that were trained on
colour, by the same rule, so that its answer keeps its size.

One channel: the sum over the three, which answers to a grey picture as the old one did to the same picture in colour.
More: the three again and again, scaled by 3 / C (as timm does).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

COLOURS = 3


def other_channels(weight: Tensor, channels: int) -> Tensor:
    """float (O, old, h, w) -> (O, channels, h, w)."""
    old = weight.shape[1]
    if channels == 1:
        return weight.sum(1, keepdim=True)
    times = math.ceil(channels / old)
    return weight.repeat(1, times, 1, 1)[:, :channels] * (old / channels)


def first_convolution(module: nn.Module) -> str | None:
    """The path of the convolution that reads the pictures; None where there is none."""
    return next((name for name, part in module.named_modules() if isinstance(part, nn.Conv2d)), None)


def set_channels(module: nn.Module, channels: int) -> None:
    """Let a network that takes colour take pictures of `channels`, in place."""
    place = first_convolution(module)
    if channels == COLOURS or place is None:
        return
    convolution = module.get_submodule(place)
    assert isinstance(convolution, nn.Conv2d)
    with torch.no_grad():
        convolution.weight = nn.Parameter(other_channels(convolution.weight, channels))
    convolution.in_channels = channels
