"""Arithmetic of sounds that needs no data: samples, windows, frames and mel channels. Imports neither torch nor NumPy.

Mel scale: HTK's, mel = 2595 log10(1 + Hz / 700) (O'Shaughnessy 1987), from 0 to half the sampling rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ft.core.config.schema import AudioInput
from ft.core.errors import ConfigError, Problem


@dataclass(frozen=True)
class Framing:
    """How samples become frames. samples: of a whole sound. window, hop: in samples. fft: points, a power of two."""

    rate: int
    samples: int
    window: int
    hop: int
    fft: int
    mels: int

    @classmethod
    def of(cls, settings: AudioInput) -> Framing:
        """Whole numbers of samples, rounded, and never fewer than one."""
        window = max(1, round(settings.window_ms * settings.rate / 1000))
        hop = max(1, round(settings.hop_ms * settings.rate / 1000))
        samples = max(1, round(settings.seconds * settings.rate))
        return cls(settings.rate, samples, window, hop, 1 << (window - 1).bit_length(), settings.mels)

    @property
    def frames(self) -> int:
        """One centred at every hop from the first sample on."""
        return 1 + self.samples // self.hop

    @property
    def edges(self) -> tuple[float, ...]:
        """Hz, mels + 2 of them, evenly spaced in mel: filter m rises from edge m to m + 1 and falls to m + 2."""
        top = 2595 * math.log10(1 + self.rate / 2 / 700)
        return tuple(700 * (10 ** (top * m / (self.mels + 1) / 2595) - 1) for m in range(self.mels + 2))

    def empty_filters(self) -> int:
        """How many mel filters have no point of the Fourier transform inside them."""
        points = [edge * self.fft / self.rate for edge in self.edges]
        return sum(math.floor(low) + 1 >= high for low, high in zip(points, points[2:], strict=False))


def audio_shape(settings: AudioInput) -> tuple[int, int, int]:
    """A sound as the model sees it: (1, mels, frames)."""
    return 1, settings.mels, Framing.of(settings).frames


def check_audio(settings: AudioInput, column: str) -> None:
    """Raises ConfigError for lengths that do not go together, each at its setting."""
    framing = Framing.of(settings)
    problems = []
    if framing.window > framing.samples:
        message = f"a window of {settings.window_ms:g} ms is longer than the sound, {settings.seconds * 1000:g} ms"
        problems.append(Problem(message, ("inputs", column, "window_ms")))
    elif empty := framing.empty_filters():
        message = (
            f"{empty} of {settings.mels} mel channels would always be empty: a window of {settings.window_ms:g} ms "
            "does not tell frequencies that close apart; take fewer mels or a longer window_ms"
        )
        problems.append(Problem(message, ("inputs", column, "mels")))
    if settings.augment is not None:
        masks = (
            ("mask_mels", settings.augment.mask_mels, settings.mels, "mel channels"),
            ("mask_frames", settings.augment.mask_frames, framing.frames, "frames"),
        )
        for name, width, whole, what in masks:
            if width >= whole:
                message = f"{name} is {width}; expected less than the {whole} {what} there are"
                problems.append(Problem(message, ("inputs", column, "augment", name)))
    if problems:
        raise ConfigError(*problems)
