"""Promises of audio columns: the log-mel of the textbook, normalised by training, the same from memory and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ft.core.config.schema import AudioAugment, AudioInput
from ft.core.data.augment import Draws
from ft.core.data.columns.audio import AudioColumn, log_mel, probe
from ft.core.data.files import Files
from ft.core.data.shapes import Framing, audio_shape
from ft.core.data.stored import take
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")
RATE = 8000


def settings(**changes: Any) -> AudioInput:
    return AudioInput(**{"type": "audio", "seconds": 0.25, "rate": RATE, "mels": 20, **changes})


@pytest.fixture
def values(tmp_path: Path) -> Values:
    rng = np.random.default_rng(0)
    for number in range(12):
        tone = np.sin(2 * np.pi * 200 * (number + 1) * np.arange(1500 + 100 * number) / RATE)
        soundfile.write(tmp_path / f"{number}.wav", 0.3 * tone + 0.01 * rng.normal(size=len(tone)), RATE)
    return Values(np.array([f"{number}.wav" for number in range(12)]), "voice", "train", folder=tmp_path)


def log_mel_by_hand(wave: np.ndarray, framing: Framing) -> np.ndarray:
    """float64 (samples,) -> (M, T), by sums of cosines and sines, frame by frame."""
    n, half = framing.fft, framing.fft // 2
    window = np.zeros(n)
    start = (n - framing.window) // 2
    window[start : start + framing.window] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(framing.window) / framing.window)
    turns = np.exp(-2j * np.pi * np.outer(np.arange(half + 1), np.arange(n)) / n)  # (F, n)
    padded = np.concatenate([np.zeros(half), wave, np.zeros(half)])
    mel_top = 2595 * np.log10(1 + framing.rate / 2 / 700)
    peaks = 700 * (10 ** (np.linspace(0, mel_top, framing.mels + 2) / 2595) - 1)
    hertz = np.arange(half + 1) * framing.rate / n
    triangles = np.stack([np.interp(hertz, peaks[m : m + 3], [0, 1, 0]) for m in range(framing.mels)])  # (M, F)
    frames = [padded[at : at + n] * window for at in range(0, len(wave) + 1, framing.hop)]
    return np.stack([np.log(triangles @ np.abs(turns @ frame) ** 2 + 1e-6) for frame in frames], 1)


@pytest.mark.parametrize(("window_ms", "mels"), [(25.0, 20), (32.0, 26), (20.1, 12)])
def test_the_log_mel_is_that_of_a_direct_fourier_sum(window_ms: float, mels: int) -> None:
    framing = Framing.of(settings(window_ms=window_ms, mels=mels, seconds=0.1))
    wave = np.random.default_rng(0).normal(0, 0.1, (3, framing.samples))
    found = log_mel(torch.from_numpy(wave).float(), framing).numpy()
    expected = np.stack([log_mel_by_hand(row, framing) for row in wave])
    assert found.shape == expected.shape == (3, mels, framing.frames)
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_training_has_mean_0_and_deviation_1_in_every_channel(values: Values) -> None:
    column, stored = AudioColumn.fit(settings(), values)
    assert isinstance(stored, torch.Tensor)
    assert (stored.dtype, stored.shape) == (torch.int16, (12, 2000))
    prepared = column.prepare(stored)
    assert prepared.dtype == torch.float32
    assert prepared.shape[1:] == column.shape == audio_shape(settings()) == (1, 20, 26)
    torch.testing.assert_close(prepared.mean((0, 1, 3)), torch.zeros(20), atol=1e-4, rtol=0)
    torch.testing.assert_close(prepared.std((0, 1, 3), correction=0), torch.ones(20), atol=1e-4, rtol=0)
    plain, _ = AudioColumn.fit(settings(normalize="none"), values)
    expected = log_mel(stored.float() / 32768, plain.framing)[:, None]
    torch.testing.assert_close(plain.prepare(stored), expected)


def test_files_read_when_needed_give_the_same_as_kept_ones(values: Values) -> None:
    kept, in_memory = AudioColumn.fit(settings(keep="memory"), values)
    lazy, files = AudioColumn.fit(settings(keep="files"), values)
    assert isinstance(files, Files)
    assert (lazy.mean, lazy.std) == (kept.mean, kept.std)
    rows = torch.tensor([5, 0, 11])
    assert torch.equal(lazy.prepare(take(files, rows)), kept.prepare(take(in_memory, rows)))
    assert any("were cut" in note for note in values.notes)


def test_half_precision_around_it_changes_no_bit(values: Values) -> None:
    column, stored = AudioColumn.fit(settings(), values)
    plain = column.prepare(take(stored, torch.arange(3)))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(column.prepare(take(stored, torch.arange(3))), plain)


def test_a_sound_is_prepared_the_same_alone_and_in_a_batch_and_augmented_only_with_draws(values: Values) -> None:
    changes = AudioAugment(shift=0.2, gain_db=6, noise_db=10, speed=0.1, mask_mels=5, mask_frames=6)
    column, stored = AudioColumn.fit(settings(augment=changes), values)
    assert isinstance(stored, torch.Tensor)
    before, rows = stored.clone(), torch.arange(12)
    together = column.prepare(stored, Draws(3, 1, rows))
    for row in range(12):
        alone = column.prepare(stored[row : row + 1], Draws(3, 1, rows[row : row + 1]))
        torch.testing.assert_close(alone[0], together[row], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(together, column.prepare(stored, Draws(3, 2, rows)))
    assert torch.equal(
        column.prepare(stored), AudioColumn.from_state(column.to_state()).prepare(stored, Draws(3, 1, rows))
    )
    assert torch.equal(stored, before)


def test_a_checkpoint_gives_back_the_same_column(values: Values) -> None:
    column, _ = AudioColumn.fit(settings(keep="files"), values)
    assert AudioColumn.from_state(column.to_state()) == column


def test_earlier_statistics_stay_where_the_channels_are_the_same(values: Values) -> None:
    earlier, _ = AudioColumn.fit(settings(), values)
    few = Values(values.array[:2], "voice", "train", folder=values.folder)
    kept, _ = AudioColumn.fit(settings(seconds=0.1), few, earlier)
    assert (kept.mean, kept.std) == (earlier.mean, earlier.std)
    fresh, _ = AudioColumn.fit(settings(mels=12), few, earlier)
    assert len(fresh.mean) == 12


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"seconds": 0.02}, "window_ms", "window of 25 ms is longer than the sound, 20 ms"),
        ({"mels": 120}, "mels", "mel channels would always be empty"),
        ({"augment": AudioAugment(mask_mels=20)}, "augment", "mask_mels is 20; expected less than the 20"),
        ({"augment": AudioAugment(mask_frames=26)}, "augment", "mask_frames is 26; expected less than the 26"),
    ],
)
def test_lengths_that_do_not_go_together_are_errors_at_their_setting(
    values: Values, changes: dict[str, Any], place: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        AudioColumn.fit(settings(**changes), values)
    assert error.value.problems[0].path[:3] == ("inputs", "voice", place)


@pytest.mark.parametrize(("mels", "window_ms"), [(20, 25), (40, 25), (64, 25), (80, 16), (128, 60), (150, 25)])
def test_a_filter_is_called_empty_when_no_frequency_of_the_transform_is_in_it(mels: int, window_ms: float) -> None:
    framing = Framing.of(settings(mels=mels, window_ms=window_ms))
    points = np.arange(framing.fft // 2 + 1) * RATE / framing.fft
    inside = [((points > low) & (points < high)).sum() for low, high in zip(framing.edges, framing.edges[2:])]  # noqa: B905
    assert framing.empty_filters() == inside.count(0)


def test_files_that_cannot_be_read_are_found_by_row(values: Values, tmp_path: Path) -> None:
    (tmp_path / "4.wav").write_text("no sound")
    (tmp_path / "9.wav").unlink()
    assert set(probe(values, settings())) == {4, 9}
    with pytest.raises(DataError, match=r"column voice, train row 4: .*4\.wav: cannot be read as a sound"):
        AudioColumn.fit(settings(), values)
