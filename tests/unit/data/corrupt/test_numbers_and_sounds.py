"""Promises of corrupted numbers and sounds, and how numbers and texts reach their columns again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ft.core.config.schema import NumberInput, TextInput, VectorInput
from ft.core.data.augment import Draws
from ft.core.data.columns import Column, fit_column
from ft.core.data.corrupt import sounds
from ft.core.data.corrupt.columns import encode_corrupted
from ft.core.data.stored import Ragged
from ft.core.data.table import Values

PRICES = np.random.default_rng(0).normal(500, 80, 3_000)


def draws(count: int) -> Draws:
    return Draws(0, 0, torch.arange(count))


def corrupted(column: Column, array: np.ndarray, name: str, severity: int) -> np.ndarray:
    found = encode_corrupted(column, Values(array, "price", "test"), name, severity, key=1, seed=3)
    assert isinstance(found, Tensor)
    return found.double().numpy()


@pytest.mark.parametrize("normalize", ["fit", "none"])
@pytest.mark.parametrize(("severity", "size"), list(zip(range(1, 6), (0.1, 0.2, 0.4, 0.6, 1.0), strict=True)))
def test_noise_is_in_deviations_and_the_users_units(normalize: str, severity: int, size: float) -> None:
    column, _ = fit_column(NumberInput(type="number", normalize=normalize), Values(PRICES, "price", "train"))
    noise = corrupted(column, PRICES, "number_noise", severity) - PRICES
    assert noise.std() == pytest.approx(size * PRICES.std(), rel=0.06)
    assert abs(noise.mean()) < 5 * size * PRICES.std() / 3_000**0.5


def test_noise_on_ranks_is_added_before_they_are_taken() -> None:
    column, _ = fit_column(NumberInput(type="number", normalize="quantile"), Values(PRICES, "price", "train"))
    plain, _ = fit_column(NumberInput(type="number", normalize="none"), Values(PRICES, "price", "train"))
    ranked = corrupted(column, PRICES, "number_noise", 3)
    noisy = corrupted(plain, PRICES, "number_noise", 3)
    again = column.encode(Values(noisy, "price", "test"))
    assert isinstance(again, Tensor)
    assert np.abs(ranked - again.double().numpy()).mean() < 0.01, "but for the deviation's own rounding by quantiles"


@pytest.mark.parametrize(("severity", "share"), list(zip(range(1, 6), (0.05, 0.1, 0.2, 0.3, 0.5), strict=True)))
def test_missing_numbers_are_told_or_filled_in(severity: int, share: float) -> None:
    flagged, _ = fit_column(NumberInput(type="number", missing="flag"), Values(PRICES, "price", "train"))
    found = corrupted(flagged, PRICES, "missing_numbers", severity)
    gone = np.isnan(found)
    assert gone.mean() == pytest.approx(share, abs=0.04)
    np.testing.assert_allclose(found[~gone], PRICES[~gone], rtol=1e-6)
    plain, _ = fit_column(NumberInput(type="number"), Values(PRICES, "price", "train"))
    filled = corrupted(plain, PRICES, "missing_numbers", severity)
    np.testing.assert_allclose(filled[gone], PRICES.mean(), rtol=1e-6)
    np.testing.assert_allclose(filled[~gone], PRICES[~gone], rtol=1e-6)


def test_each_entry_of_a_vector_has_noise_of_its_own_size_and_missing_ones_stay_missing() -> None:
    numbers = np.random.default_rng(1).normal(size=(2_000, 3)) * [1, 10, 100]
    settings = VectorInput(type="vector", missing="flag")
    column, _ = fit_column(settings, Values(numbers, "price", "train"))
    holes = numbers.copy()
    holes[::7, 1] = np.nan
    noise = corrupted(column, holes, "number_noise", 5) - holes
    np.testing.assert_allclose(np.nanstd(noise, 0), numbers.std(0), rtol=0.08)
    assert np.isnan(noise).sum() == len(holes[::7])
    assert abs(np.corrcoef(noise[1::7].T)[~np.eye(3, dtype=bool)]).max() < 0.2


def test_what_a_number_becomes_depends_on_its_row_alone() -> None:
    column, _ = fit_column(NumberInput(type="number"), Values(PRICES, "price", "train"))
    whole = corrupted(column, PRICES, "number_noise", 5)
    np.testing.assert_array_equal(whole[:100], corrupted(column, PRICES[:100], "number_noise", 5))


def test_a_text_is_corrupted_before_it_is_cut_into_tokens() -> None:
    array = np.array(["good film", "bad film", "good good"] * 20)
    column, clean = fit_column(TextInput(type="text", tokens="chars"), Values(array, "text", "train"))
    values = Values(array, "text", "test")
    found = encode_corrupted(column, values, "word_drops", 5, key=0, seed=0)
    assert isinstance(found, Ragged)
    assert isinstance(clean, Ragged)
    assert set(found.lengths.tolist()) <= {3, 4, 8, 9}
    assert found.lengths.sum() < clean.lengths.sum()
    assert not values.notes


# ---------------------------------------------------------------- sounds


def tones(count: int = 4, length: int = 8_000) -> Tensor:
    """int16 (B, samples) of tones of different loudness, the last third digital silence."""
    at = torch.arange(length) / 8_000
    waves = torch.stack([10.0 ** -(row / 2) * torch.sin(2 * torch.pi * 300 * (row + 1) * at) for row in range(count)])
    waves[:, 2 * length // 3 :] = 0
    return (waves * 16_000).round().to(torch.int16)


@pytest.mark.parametrize(("severity", "decibels"), list(zip(range(1, 6), (30, 20, 10, 5, 0), strict=True)))
def test_background_noise_is_so_many_decibels_below_the_sound(severity: int, decibels: float) -> None:
    wave = tones().double().numpy() / 32768
    found = sounds.background_noise(tones().float() / 32768, severity, draws(4)).double().numpy()
    heard = wave != 0
    for before, after, where in zip(wave, found, heard, strict=True):
        signal, noise = (before[where] ** 2).mean(), ((after - before) ** 2).mean()
        assert 10 * np.log10(signal / noise) == pytest.approx(decibels, abs=0.3)


def test_noise_of_silence_is_silence() -> None:
    silent = torch.zeros(2, 500, dtype=torch.int16)
    assert torch.equal(sounds.change(sounds.background_noise, 5, key=0)(silent, draws(2)), silent)


@pytest.mark.parametrize("severity", [1, 5])
def test_clipped_and_quieter_in_float64(severity: int) -> None:
    wave = tones().double().numpy()
    gain = 10 ** ((6, 12, 18, 24, 30)[severity - 1] / 20)
    peak = np.abs(wave).max(1, keepdims=True)
    found = sounds.change(sounds.clipped, severity, key=0)(tones(), draws(4)).numpy()
    np.testing.assert_allclose(found, np.clip(wave * gain, -peak, peak), atol=0.51)
    lower = sounds.change(sounds.quieter, severity, key=0)(tones(), draws(4)).numpy()
    np.testing.assert_allclose(lower, wave * 10 ** (-(6, 12, 20, 30, 40)[severity - 1] / 20), atol=0.51)


@pytest.mark.parametrize("corruption", [sounds.background_noise, sounds.clipped, sounds.quieter])
def test_what_a_sound_becomes_does_not_depend_on_its_batch_by_a_bit(corruption: sounds.Corruption) -> None:
    change = sounds.change(corruption, 3, key=0)
    together = change(tones(), draws(4))
    alone = [change(tones()[row : row + 1], draws(4).part(slice(row, row + 1))) for row in range(4)]
    assert torch.equal(together, torch.cat(alone))
