"""Sounds: those that cannot be read, are silent, clipped, cut, or of another rate than most."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ft.core.config.schema import AudioInput
from ft.core.data.checks.files import Opened, UnusableError, facts_of, open_splits
from ft.core.data.checks.findings import ColumnFacts, Extent, Finding, Level, share
from ft.core.data.table import Dataset
from ft.core.errors import MissingExtraError

SILENT = 10 ** (-60 / 20)  # peak below -60 dB of full scale
FULL = 0.999  # from here a sample is at the end of the scale
CLIPPED = 0.001  # share of such samples that is heard
CUT_SHARE = 0.05  # of the sounds that are longer than `seconds`: from here on it is worth a warning


@dataclass(frozen=True)
class Sound:
    """What one is. peak: 0..1 of full scale. clipped: share of samples at full scale."""

    seconds: float
    rate: int
    peak: float
    clipped: float


def look(dataset: Dataset, name: str, settings: AudioInput) -> tuple[ColumnFacts, list[Finding], np.ndarray]:
    """Facts, findings, and what identity.same would say: int64 (N,), equal for equal files, all splits joined."""
    every, findings = open_splits(dataset, name, examine, skips=settings.on_error == "skip")
    findings += _such(name, every, "silent", "are silent (below -60 dB)", lambda sound: sound.peak < SILENT)
    findings += _such(name, every, "clipped", "are clipped", lambda sound: sound.clipped > CLIPPED)
    findings += _cut(name, every, settings.seconds)
    findings += _rates(name, every, settings.rate)
    lengths = [each.what.seconds for each in every if each.what]
    facts, identity = facts_of(name, "audio", every, Extent.of(lengths, "seconds"))
    return facts, findings, identity


def examine(contents: bytes) -> Sound:
    """Decode a sound wholly. Raises UnusableError; MissingExtraError without soundfile."""
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtraError("reading sounds", "audio") from error
    try:
        samples, rate = soundfile.read(io.BytesIO(contents), dtype="float32", always_2d=True)  # (T, channels)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        said = getattr(error, "error_string", str(error))
        raise UnusableError(f"cannot be read as a sound: {said}") from error
    if not len(samples):
        raise UnusableError("holds no samples")
    if not np.isfinite(samples).all():
        raise UnusableError("holds samples that are not finite")
    loudness = np.abs(samples)
    peak = float(loudness.max())
    return Sound(len(samples) / rate, rate, peak, float((loudness >= FULL).mean()))


def _such(
    name: str, opened: list[Opened[Sound]], kind: str, what: str, holds: Callable[[Sound], bool]
) -> list[Finding]:
    found = [each.path for each in opened if each.what and holds(each.what)]
    if not found:
        return []
    message = f"{share(len(found), len(opened))} sounds {what}"
    return [Finding("warning", kind, message, name, count=len(found), rows=tuple(found[:3]))]


def _cut(name: str, opened: list[Opened[Sound]], seconds: float) -> list[Finding]:
    lengths = [each.what.seconds for each in opened if each.what]
    cut = sum(length > seconds for length in lengths)
    if not cut:
        return []
    level: Level = "warning" if cut > CUT_SHARE * len(lengths) else "info"
    message = f"{share(cut, len(lengths))} sounds are longer than seconds = {seconds:g} and are cut; the longest has "
    return [Finding(level, "cut-sound", f"{message}{max(lengths):.2f} s", name, count=cut)]


def _rates(name: str, opened: list[Opened[Sound]], wanted: int) -> list[Finding]:
    """Sounds of several rates, or of one that is not the experiment's: they are resampled."""
    rates = Counter(each.what.rate for each in opened if each.what)
    other = sum(number for rate, number in rates.items() if rate != wanted)
    if not other:
        return []
    listed = ", ".join(f"{rate:,} Hz ({number:,})" for rate, number in rates.most_common())
    level: Level = "warning" if len(rates) > 1 else "info"
    return [Finding(level, "rate", f"recorded at {listed}; all are resampled to {wanted:,} Hz", name, count=other)]
