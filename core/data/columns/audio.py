"""A sound for each example: int16 samples in memory or in files; on the device, in batch, a normalised log-mel picture.

Short-time Fourier transform with a periodic Hann window centred at every hop, silence outside; power; triangular mel
filters of height 1 on HTK's scale (shapes.py; Davis and Mermelstein 1980); log(power + 1e-6); each mel channel brought
to mean 0 and deviation 1 of training. All in float32, under autocast too: half precision loses quiet channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from ft.core.config.schema import AudioAugment, AudioInput
from ft.core.data import sound
from ft.core.data.augment import Change, Draws
from ft.core.data.augment_sound import change_wave, mask
from ft.core.data.columns.base import constant, nonzero
from ft.core.data.files import Files, Keep, probe_files, require_paths, sample_rows, stored_files
from ft.core.data.order import batches
from ft.core.data.shapes import Framing, check_audio
from ft.core.data.stored import Stored, take
from ft.core.data.table import Values

FLOOR = 1e-6  # added to the power: above the noise of 16 bits, so that silence is the same everywhere
FRAMING = ("rate", "samples", "window", "hop", "fft", "mels")  # as the state holds them
CHUNK = 128  # sounds at a time while statistics are taken


@dataclass(frozen=True)
class AudioColumn:
    """framing: how samples become frames. mean, std: per mel channel, of the log. keep: where decoded files lie.

    augment: for training; not in the state. corrupt: for judging; not in the state.
    """

    kind: ClassVar[str] = "audio"
    fixed: ClassVar[bool] = False
    cardinality: ClassVar[None] = None

    framing: Framing
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: AudioAugment | None = None
    keep: Keep = "auto"
    corrupt: Change | None = None

    @classmethod
    def fit(
        cls, settings: AudioInput, values: Values, earlier: AudioColumn | None = None
    ) -> tuple[AudioColumn, Stored]:
        """Raises ConfigError for lengths that do not go together, DataError naming a file that cannot be read."""
        check_audio(settings, values.column)
        neutral = (0.0,) * settings.mels, (1.0,) * settings.mels
        column = cls(Framing.of(settings), *neutral, settings.augment, settings.keep)
        stored = column.encode(values)
        if settings.normalize == "none":
            return column, stored
        if earlier is not None and _same_channels(earlier.framing, column.framing):
            return replace(column, mean=earlier.mean, std=earlier.std), stored
        mean, std = mel_statistics(stored, column.framing)
        if isinstance(stored, Files):
            stored.note_remarks()
        return replace(column, mean=mean, std=std), stored

    def changing(self, augment: AudioAugment | None) -> AudioColumn:
        """The same with these changes of sounds."""
        return replace(self, augment=augment)

    @property
    def shape(self) -> tuple[int, int, int]:
        return 1, self.framing.mels, self.framing.frames

    def encode(self, values: Values) -> Stored:
        """Paths of sound files -> int16 (N, samples); of many, a list that reads rows when they are taken."""
        require_paths(values, "sounds")
        read = partial(sound.read_into, rate=self.framing.rate)
        return stored_files(Files(values, (self.framing.samples,), torch.int16, read), self.keep)

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:
        """int16 (B, samples) -> float32 (B, 1, mels, frames)."""
        if draws is not None and self.corrupt is not None:
            stored = self.corrupt(stored, draws)
        with torch.autocast(stored.device.type, enabled=False):
            wave = stored.float().mul_(1 / sound.FULL_SCALE)
            augment = self.augment if draws is not None else None
            if draws is not None and augment is not None:
                wave = change_wave(wave, draws, augment)
            logs = log_mel(wave, self.framing)  # (B, M, T)
            each = (self.framing.mels, 1)
            logs = logs.sub_(constant(self.mean, each, logs.device)).div_(constant(self.std, each, logs.device))
            if draws is not None and augment is not None:
                logs = mask(logs, draws, augment)
            return logs[:, None]

    def to_state(self) -> dict[str, Any]:
        framing = {name: getattr(self.framing, name) for name in FRAMING}
        return {"type": "audio", **framing, "mean": list(self.mean), "std": list(self.std), "keep": self.keep}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> AudioColumn:
        framing = Framing(**{name: state[name] for name in FRAMING})
        return cls(framing, tuple(state["mean"]), tuple(state["std"]), keep=state["keep"])


def probe(values: Values, settings: AudioInput) -> dict[int, str]:
    """Why a row's file cannot be used, by row, found by decoding every one."""
    require_paths(values, "sounds")
    framing = Framing.of(settings)
    return probe_files(values, lambda path: sound.read(path, framing.rate, framing.samples))


def log_mel(wave: Tensor, framing: Framing) -> Tensor:
    """float32 (B, samples), full scale at 1 -> log power in mel channels, natural logarithm, float32 (B, M, T)."""
    device = wave.device
    window = _hann(framing.window, device)
    spectrum = torch.stft(
        wave, framing.fft, framing.hop, framing.window, window, center=True, pad_mode="constant", return_complex=True
    )  # (B, fft / 2 + 1, T)
    power = spectrum.real.square() + spectrum.imag.square()
    return (_filters(framing, device) @ power).add_(FLOOR).log_()


def mel_statistics(stored: Stored, framing: Framing) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each mel channel over up to 10,000 sounds, evenly chosen; summed in float64."""
    total = squares = torch.zeros(framing.mels, dtype=torch.float64)
    rows = sample_rows(len(stored))
    for chunk in batches(rows, CHUNK):
        logs = log_mel(take(stored, chunk).float() / sound.FULL_SCALE, framing).double()  # (B, M, T)
        total = total + logs.sum((0, 2))
        squares = squares + logs.square().sum((0, 2))
    count = len(rows) * framing.frames
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt()
    return tuple(mean.tolist()), nonzero(std.tolist())


@lru_cache(maxsize=8)
def _hann(length: int, device: torch.device) -> Tensor:
    """float32 (length,), periodic, made once for each device."""
    with torch.inference_mode(False):
        return torch.hann_window(length, dtype=torch.float64).float().to(device)


@lru_cache(maxsize=8)
def _filters(framing: Framing, device: torch.device) -> Tensor:
    """Mel triangles over the points of the Fourier transform, float32 (M, fft / 2 + 1), made once for each device."""
    with torch.inference_mode(False):
        points = torch.arange(framing.fft // 2 + 1, dtype=torch.float64) * framing.rate / framing.fft  # Hz
        edges = torch.tensor(framing.edges, dtype=torch.float64)[:, None]
        low, peak, high = edges[:-2], edges[1:-1], edges[2:]
        rising, falling = (points - low) / (peak - low), (high - points) / (high - peak)
        return torch.minimum(rising, falling).clamp(min=0).float().to(device)


def _same_channels(a: Framing, b: Framing) -> bool:
    """Whether statistics of one hold for the other: sounds may differ in length, and frames in number."""
    return (a.rate, a.window, a.fft, a.mels) == (b.rate, b.window, b.fft, b.mels)
