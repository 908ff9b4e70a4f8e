"""Random changes of training sounds, whole batches at a time, drawn from a hash of (seed, epoch, example).

Of the waveform: speed, shift, loudness and white noise. Of the log-mel picture: a band of channels and a stretch of
frames blanked out, Park et al. 2019, "SpecAugment", without its time warping.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ft.core.config.schema import AudioAugment
from ft.core.data.augment import Draws

SPEED, SHIFT, GAIN, NOISE, LEVEL, MELS, FRAMES = range(16, 23)  # streams; those below are for pictures


def change_wave(wave: Tensor, draws: Draws, settings: AudioAugment) -> Tensor:
    """All that the settings ask for, in the order speed, shift, gain, noise. float (B, S) -> the same shape."""
    if settings.speed:
        wave = change_speed(wave, draws, settings.speed)
    if settings.shift:
        wave = shift(wave, draws, settings.shift)
    if settings.gain_db:
        wave = wave * 10 ** (_sign(draws, GAIN) * settings.gain_db / 20)
    if settings.noise_db is not None:
        wave = add_noise(wave, draws, settings.noise_db)
    return wave


def change_speed(wave: Tensor, draws: Draws, share: float) -> Tensor:
    """Played faster or slower by a factor drawn from 1 - share to 1 + share, pitch included; silence after its end.

    Linear interpolation: it dampens the highest tones and folds a little of them back, as a change this small may.
    """
    length = wave.shape[1]
    factor = 1 + share * _sign(draws, SPEED)  # (B, 1)
    at = torch.arange(length, device=wave.device) * factor  # (B, S), in samples of the original
    before = at.floor().long().clamp(max=length)
    padded = F.pad(wave, (0, 2))
    first, second = padded.gather(1, before), padded.gather(1, before + 1)
    return torch.lerp(first, second, (at - before).clamp(max=1))


def shift(wave: Tensor, draws: Draws, share: float) -> Tensor:
    """Moved by a whole number of samples, earlier or later by up to this share of the length; silence outside."""
    length = wave.shape[1]
    later = (_sign(draws, SHIFT) * share * length).round().long()  # (B, 1)
    source = torch.arange(length, device=wave.device) - later  # (B, S)
    outside = (source < 0) | (source >= length)
    return wave.gather(1, source.clamp(0, length - 1)).masked_fill(outside, 0)


def add_noise(wave: Tensor, draws: Draws, snr_db: float) -> Tensor:
    """White noise at this signal-to-noise ratio or better: its amplitude is drawn from nothing to that.

    The ratio is of the mean powers of the whole sound, its silence included; a silent sound stays silent.
    """
    loudest = wave.square().mean(1, keepdim=True).sqrt() * 10 ** (-snr_db / 20)  # (B, 1)
    return wave + draws.noise(NOISE, wave.shape[1]) * (draws.uniform(LEVEL) * loudest)


def mask(logs: Tensor, draws: Draws, settings: AudioAugment) -> Tensor:
    """A band of up to mask_mels channels and a stretch of up to mask_frames frames become the example's own mean.

    logs: float (B, M, T) -> the same shape.
    """
    _, mels, frames = logs.shape
    mean = logs.mean((1, 2), keepdim=True) if settings.mask_mels or settings.mask_frames else logs
    if settings.mask_mels:
        logs = torch.where(_stretch(draws, MELS, mels, settings.mask_mels)[:, :, None], mean, logs)
    if settings.mask_frames:
        logs = torch.where(_stretch(draws, FRAMES, frames, settings.mask_frames)[:, None, :], mean, logs)
    return logs


def _stretch(draws: Draws, stream: int, whole: int, widest: int) -> Tensor:
    """bool (B, whole): from 0 to `widest` neighbours are chosen, each width and then each place equally likely."""
    unit = draws.uniform(stream, 2)  # (B, 2)
    width = (unit[:, :1] * (widest + 1)).floor()
    first = (unit[:, 1:] * (whole - width + 1)).floor()
    at = torch.arange(whole, device=unit.device)
    return (at >= first) & (at < first + width)


def _sign(draws: Draws, stream: int) -> Tensor:
    """float (B, 1) in [-1, 1)."""
    return 2 * draws.uniform(stream) - 1
