"""Sound files -> mono int16 of one rate and one length, by one path: training and prediction hear the same samples.

Channels are averaged, then resampled by soxr's band-limited filter where the rate differs; longer sounds are cut,
shorter ones end in silence. 16 bits halve the memory of floats and hold exactly what most files hold. torch is not
needed here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ft.core.errors import DataError, MissingExtraError

SUFFIXES = {".flac", ".mp3", ".oga", ".ogg", ".wav"}
FULL_SCALE = 32768  # an int16 divided by it lies in [-1, 1)
MARGIN_S = 0.1  # read beyond the cut, so that the filter's edge lies behind it


def read(path: Path, rate: int, samples: int) -> np.ndarray:
    """One file as int16 (samples,). Raises DataError naming the file."""
    out = np.empty(samples, dtype=np.int16)
    read_into(path, out, rate)
    return out


def read_into(path: Path, out: np.ndarray, rate: int) -> Sequence[str]:
    """Fill out, int16 (samples,), from a file at `rate` samples a second.

    Returns what there is to remark: was cut, was clipped. Raises DataError naming the file when it cannot be read or
    holds no samples, MissingExtraError without soundfile or soxr.
    """
    return _fill(out, *_mono(path, path, rate, len(out)))


def read_bytes(data: bytes, name: str, rate: int, samples: int) -> tuple[np.ndarray, Sequence[str]]:
    """A sound that somebody sent, as `read` would give it, and what there is to remark. name: what errors call it."""
    out = np.empty(samples, dtype=np.int16)
    return out, _fill(out, *_mono(BytesIO(data), name, rate, samples))


def _fill(out: np.ndarray, wave: np.ndarray, longer: bool) -> Sequence[str]:
    levels = np.rint(wave[: len(out)] * FULL_SCALE)
    out[: len(levels)] = np.clip(levels, -FULL_SCALE, FULL_SCALE - 1)
    out[len(levels) :] = 0
    remarks = ["are longer than `seconds` and were cut"] if longer else []
    if len(levels) and np.abs(levels).max() > FULL_SCALE:
        remarks.append("are louder than full scale and were clipped")
    return remarks


def _mono(source: Path | BytesIO, name: Path | str, rate: int, samples: int) -> tuple[np.ndarray, bool]:
    """At least the first `samples` of a file, or all it has, float32 at `rate`; whether it goes on after them."""
    soundfile, soxr = _libraries()
    try:
        with soundfile.SoundFile(source) as opened:
            needed = math.ceil((samples / rate + MARGIN_S) * opened.samplerate)
            wave = opened.read(needed, dtype="float32", always_2d=True).mean(axis=1)  # (T, channels) -> (T,)
            longer = opened.frames * rate > samples * opened.samplerate
            if opened.samplerate != rate:
                wave = soxr.resample(wave, opened.samplerate, rate)
    except FileNotFoundError as error:
        raise DataError(f"{name}: no such file") from error
    except (soundfile.SoundFileError, OSError, TypeError, ValueError) as error:  # TypeError: a suffix it does not know
        if isinstance(source, Path) and not source.exists():
            raise DataError(f"{name}: no such file") from error
        said = getattr(error, "error_string", str(error))
        raise DataError(f"{name}: cannot be read as a sound: {said}") from error
    if len(wave) == 0:
        raise DataError(f"{name}: holds no samples")
    if not np.isfinite(wave).all():
        raise DataError(f"{name}: holds samples that are not finite numbers")
    return wave, longer


def _libraries() -> tuple[Any, Any]:
    try:
        import soundfile
        import soxr
    except ImportError as error:
        raise MissingExtraError("reading sounds", "audio") from error
    return soundfile, soxr
