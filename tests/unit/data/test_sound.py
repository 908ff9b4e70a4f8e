"""Promises of reading sounds: every kind of file becomes the samples it holds, at one rate and length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ft.core.data import sound
from ft.core.errors import DataError

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")


def sine(hertz: float, rate: int, seconds: float = 1.0, height: float = 0.5) -> np.ndarray:
    return height * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def test_16_bits_at_the_same_rate_come_back_as_they_are(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, 800).astype(np.int16)
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, samples, 8000)
        assert np.array_equal(sound.read(tmp_path / name, 8000, 800), samples), name


CODECS = {".wav": ("PCM_U8", "PCM_24", "PCM_32", "FLOAT"), ".flac": ("PCM_16",), ".ogg": ("VORBIS",)}
CODECS |= {".mp3": ("MPEG_LAYER_III",)}


@pytest.mark.parametrize(("suffix", "subtype"), [(suffix, kind) for suffix, kinds in CODECS.items() for kind in kinds])
def test_every_width_and_codec_shows_the_same_sine(tmp_path: Path, suffix: str, subtype: str) -> None:
    wave, name = sine(440, 16_000), f"a{suffix}"
    soundfile.write(tmp_path / name, wave, 16_000, subtype=subtype)
    found = sound.read(tmp_path / name, 16_000, 16_000) / sound.FULL_SCALE
    assert found.shape == (16_000,)
    spectrum = np.abs(np.fft.rfft(found)) / 8000  # height by hertz
    assert spectrum.argmax() == 440
    assert spectrum[440] == pytest.approx(0.5, rel=0.05)
    assert np.sum(spectrum**2) - spectrum[440] ** 2 < 0.01 * spectrum[440] ** 2


@pytest.mark.parametrize(("source", "target"), [(8_000, 16_000), (44_100, 16_000), (16_000, 8_000)])
def test_resampling_keeps_a_tone_s_frequency_height_and_phase(tmp_path: Path, source: int, target: int) -> None:
    soundfile.write(tmp_path / "a.wav", sine(700, source), source, subtype="FLOAT")
    found = sound.read(tmp_path / "a.wav", target, target) / sound.FULL_SCALE
    middle = slice(target // 10, -target // 10)
    np.testing.assert_allclose(found[middle], sine(700, target)[middle], atol=1e-3)


def test_a_tone_above_the_new_half_rate_is_taken_out_and_not_folded_back(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sine(6_000, 16_000), 16_000, subtype="FLOAT")
    found = sound.read(tmp_path / "a.wav", 8_000, 8_000) / sound.FULL_SCALE
    assert np.abs(found[800:-800]).max() < 1e-3


def test_channels_are_averaged_longer_sounds_cut_and_shorter_ones_end_in_silence(tmp_path: Path) -> None:
    left, right = np.full(100, 0.5), np.full(100, 0.25)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], 1), 8000)
    assert sound.read(tmp_path / "a.wav", 8000, 40).tolist() == [12288] * 40
    assert sound.read(tmp_path / "a.wav", 8000, 150).tolist() == [12288] * 100 + [0] * 50


def test_what_was_cut_or_clipped_is_remarked(tmp_path: Path) -> None:
    def remarks(samples: int) -> str:
        return " and ".join(sound.read_into(tmp_path / "a.wav", np.empty(samples, np.int16), 8000))

    soundfile.write(tmp_path / "a.wav", np.full(100, 0.5), 8000)
    assert remarks(100) == ""
    assert "were cut" in remarks(99)
    soundfile.write(tmp_path / "a.wav", np.full(100, -1.5), 8000, subtype="FLOAT")
    assert "were clipped" in remarks(100)
    assert sound.read(tmp_path / "a.wav", 8000, 100).tolist() == [-32768] * 100


def test_the_samples_before_the_cut_do_not_know_of_it(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 48_000)
    soundfile.write(tmp_path / "a.wav", noise, 48_000, subtype="FLOAT")
    short, whole = sound.read(tmp_path / "a.wav", 16_000, 4_000), sound.read(tmp_path / "a.wav", 16_000, 16_000)
    assert np.abs(short.astype(int) - whole[:4_000]).max() <= 1


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello")
    (tmp_path / "zero.mp3").write_bytes(b"")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.1, np.nan]), 8000, subtype="FLOAT")
    for name, message in {
        "text.wav": "cannot be read as a sound",
        "zero.mp3": "cannot be read as a sound",
        "empty.wav": "holds no samples",
        "nan.wav": "not finite",
        "none.wav": "no such file",
    }.items():
        with pytest.raises(DataError, match=f"{name}: .*{message}"):
            sound.read(tmp_path / name, 8000, 10)
