"""Sounds as a poor recording gives them, at five severities. Our own: Hendrycks and Dietterich 2019 is about pictures.

Every function: wave float (B, samples), full scale at 1, severity 1..5, draws -> a new wave, perhaps beyond full scale.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ft.core.data.augment import Change, Draws
from ft.core.data.sound import FULL_SCALE

SNR_DB = (30.0, 20.0, 10.0, 5.0, 0.0)
GAIN_DB = (6.0, 12.0, 18.0, 24.0, 30.0)  # of what is cut at the peak that the sound had
QUIETER_DB = (6.0, 12.0, 20.0, 30.0, 40.0)

Corruption = Callable[[Tensor, int, Draws], Tensor]


def change(corruption: Corruption, severity: int, key: int) -> Change:
    """int16 (B, samples) -> the same, corrupted and rounded to the 65,536 levels of a file. key: keeps inputs apart."""

    def corrupt(stored: Tensor, draws: Draws) -> Tensor:
        wave = corruption(stored.float() / FULL_SCALE, severity, draws.apart(key))
        return (wave * FULL_SCALE).round_().clamp_(-FULL_SCALE, FULL_SCALE - 1).to(torch.int16)

    return corrupt


def background_noise(wave: Tensor, severity: int, draws: Draws) -> Tensor:
    """White normal noise, so many decibels below the power of the sound itself; its digital silence does not count."""
    levels = (wave * FULL_SCALE).round_().long()
    heard = (levels != 0).sum(1, keepdim=True).clamp_(min=1)
    power = levels.square().sum(1, keepdim=True).float() / heard  # of integers: exact in any order
    std = power.sqrt() / FULL_SCALE * 10 ** (-SNR_DB[severity - 1] / 20)
    return wave + std * draws.normal(0, wave.shape[1])


def clipped(wave: Tensor, severity: int, draws: Draws) -> Tensor:  # noqa: ARG001 - nothing is drawn
    """Recorded too loud: amplified, and cut at the peak it had."""
    peak = wave.abs().amax(1, keepdim=True)
    return torch.minimum(torch.maximum(wave * 10 ** (GAIN_DB[severity - 1] / 20), -peak), peak)


def quieter(wave: Tensor, severity: int, draws: Draws) -> Tensor:  # noqa: ARG001
    """Recorded from afar: all of it lower, with the levels of a file left as coarse as they are."""
    return wave * 10 ** (-QUIETER_DB[severity - 1] / 20)
