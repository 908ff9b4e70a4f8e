"""Promises of changing sounds: the change that was asked for, in its range, a function of (seed, epoch, example)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ft.core.config.schema import AudioAugment
from ft.core.data import augment_sound as changes
from ft.core.data.augment import Draws

EVERYTHING = AudioAugment(shift=0.2, gain_db=6, noise_db=10, speed=0.1)


def draws(count: int, seed: int = 0, epoch: int = 0) -> Draws:
    return Draws(seed, epoch, torch.arange(count))


def waves(count: int, length: int = 400) -> Tensor:
    """Noise that is never 0, so that silence is always something a change put there."""
    return torch.rand(count, length, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.1


def test_noise_is_white_of_deviation_1_and_belongs_to_the_example() -> None:
    noise = draws(40).noise(3, 5001)
    assert noise.shape == (40, 5001)
    assert abs(float(noise.mean())) < 4.5 / (40 * 5001) ** 0.5
    assert float(noise.std()) == pytest.approx(1, abs=0.01)
    power = np.abs(np.fft.rfft(noise.numpy(), axis=1)) ** 2 / 5001
    bands = np.stack([band.mean() for band in np.array_split(power.mean(0)[1:], 10)])
    assert np.abs(bands - 1).max() < 0.06, "no band louder than another: 10,000 values a band, 1 % each"
    assert torch.equal(Draws(0, 0, torch.tensor([17])).noise(3, 5001)[0], noise[17])
    assert torch.corrcoef(noise[:2])[0, 1].abs() < 4.5 / 5001**0.5


def test_speed_plays_a_tone_higher_or_lower_within_its_range() -> None:
    length = 8000
    tone = torch.sin(2 * torch.pi * 400 * torch.arange(length) / length).expand(30, -1)
    changed = changes.change_speed(tone, draws(30), 0.1)
    factor = 1 + 0.1 * (2 * draws(30).uniform(changes.SPEED)[:, 0] - 1)
    for row in range(30):
        end = min(length, int(length / factor[row]) - 1)
        at = np.arange(end) * float(factor[row])
        expected = np.interp(at, np.arange(length), tone[row].numpy())
        np.testing.assert_allclose(changed[row, :end].numpy(), expected, atol=2e-3)  # float32 places, 0.3 a sample
        assert (changed[row, end + 2 :] == 0).all(), "silence after its end"
    assert factor.min() < 0.95 < 1.05 < factor.max()


def test_shift_moves_by_whole_samples_both_ways_and_leaves_silence() -> None:
    x = waves(500, 50)
    moved = changes.shift(x, draws(500), 0.2).numpy()
    found = []
    for row in range(500):
        padded = np.pad(x[row].numpy(), 10)
        matches = [by for by in range(-10, 11) if np.array_equal(padded[10 - by : 60 - by], moved[row])]
        assert len(matches) == 1
        found += matches
    assert set(found) == set(range(-10, 11))


def test_gain_is_uniform_in_decibels() -> None:
    x = waves(3000, 5)
    changed = changes.change_wave(x, draws(3000), AudioAugment(gain_db=6))
    decibels = 20 * torch.log10(changed / x)
    torch.testing.assert_close(decibels.amin(1), decibels.amax(1), atol=1e-3, rtol=0)
    assert -6 <= decibels.min() < -5.9
    assert 5.9 < decibels.max() <= 6
    assert decibels.mean().abs() < 4.5 * (12 / 12**0.5) / 3000**0.5


def test_noise_is_never_worse_than_the_ratio_asked_for_and_silence_stays_silent() -> None:
    x = waves(400, 2000) - 0.5
    noise = changes.add_noise(x, draws(400), 12.0) - x
    ratios = 10 * torch.log10(x.square().mean(1) / noise.square().mean(1))
    assert 11.8 < ratios.min() < 12.2
    assert ratios.max() > 25
    assert (changes.add_noise(torch.zeros(3, 10), draws(3), 0.0) == 0).all()


def test_masks_are_one_band_and_one_stretch_of_every_width_up_to_the_widest() -> None:
    logs = torch.randn(2000, 8, 12, generator=torch.Generator().manual_seed(0))
    masked = changes.mask(logs, draws(2000), AudioAugment(mask_mels=3, mask_frames=4))
    hidden = (masked != logs).numpy()
    widths = []
    for row in range(2000):
        bands, stretches = hidden[row].all(1), hidden[row].all(0)
        assert np.array_equal(hidden[row], bands[:, None] | stretches[None, :])
        for line in (bands, stretches):
            at = np.flatnonzero(line)
            assert len(at) == 0 or np.ptp(at) + 1 == len(at)
        widths.append((bands.sum(), stretches.sum()))
    counts = [np.bincount([pair[side] for pair in widths], minlength=widest + 1) for side, widest in ((0, 3), (1, 4))]
    assert [len(count) for count in counts] == [4, 5]
    for count in counts:
        assert ((count - count.mean()) ** 2 / count.mean()).sum() < 25  # chi-square of 4 exceeds it once in 20,000
    assert set(np.flatnonzero(hidden.all(2).any(0))) == set(range(8)), "every channel can be hidden"


def test_a_sound_changes_the_same_way_alone_and_in_any_batch_and_otherwise_in_another_epoch() -> None:
    x = waves(9)
    together = changes.change_wave(x, draws(9), EVERYTHING)
    for row in range(9):
        alone = changes.change_wave(x[row : row + 1], Draws(0, 0, torch.tensor([row])), EVERYTHING)
        assert torch.equal(alone[0], together[row])
    assert torch.equal(x, waves(9)), "what came in is left alone"
    for other in (draws(9, epoch=1), draws(9, seed=1)):
        assert not torch.equal(changes.change_wave(x, other, EVERYTHING), together)


def test_without_any_setting_nothing_changes() -> None:
    x, logs = waves(3), torch.rand(3, 4, 5)
    assert torch.equal(changes.change_wave(x, draws(3), AudioAugment()), x)
    assert torch.equal(changes.mask(logs, draws(3), AudioAugment()), logs)
