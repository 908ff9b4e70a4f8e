"""Promises of corrupted pictures: what each is, by an independent calculation; graded; the same in any batch."""

from __future__ import annotations

import io
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage, stats
from torch import Tensor

from ft.core.data.augment import Draws
from ft.core.data.corrupt import CORRUPTIONS, corruption_of, pictures

SEVERITIES = (1, 2, 3, 4, 5)


def draws(count: int, seed: int = 0) -> Draws:
    return Draws(seed, 0, torch.arange(count))


def scenes(count: int, channels: int, height: int, width: int) -> Tensor:
    """uint8 (N, C, H, W): shapes of all sizes, from black to white."""
    numbers = np.random.default_rng(0).normal(size=(count, channels, height, width))
    sizes = (1.0, 3.0, 2.0 + max(height, width) / 8)
    smooth = sum(size**2 * ndimage.gaussian_filter(numbers, (0, 0, size, size)) for size in sizes)
    low, high = smooth.min((2, 3), keepdims=True), smooth.max((2, 3), keepdims=True)
    return torch.from_numpy((255 * (smooth - low) / (high - low)).round().astype(np.uint8))


def floats(count: int, channels: int, height: int, width: int) -> Tensor:
    return scenes(count, channels, height, width).float() / 255


@pytest.mark.parametrize("name", CORRUPTIONS["image"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 20), (3, 70, 90)])
def test_what_a_picture_becomes_does_not_depend_on_its_batch_by_a_bit(name: str, shape: tuple[int, int, int]) -> None:
    stored, corruption = scenes(7, *shape), corruption_of("image", name)
    for severity in (1, 5):
        change = pictures.change(corruption, severity, key=2)
        together = change(stored, draws(7))
        alone = torch.cat([change(stored[row : row + 1], draws(7).part(slice(row, row + 1))) for row in range(7)])
        back = change(stored.flip(0), Draws(0, 0, torch.arange(6, -1, -1))).flip(0)
        assert torch.equal(together, alone)
        assert torch.equal(together, back)
        assert together.dtype == torch.uint8


@pytest.mark.parametrize("name", CORRUPTIONS["image"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 160, 160)])
def test_every_corruption_is_seen_at_severity_1_and_grows(name: str, shape: tuple[int, int, int]) -> None:
    stored = scenes(4, *shape)
    far = []
    for severity in SEVERITIES:
        changed = pictures.change(corruption_of("image", name), severity, key=0)(stored, draws(4))
        assert changed.shape == stored.shape
        far.append(float((changed.float() - stored.float()).abs().mean()))
    assert far[0] > 0.4  # of 255 levels, in the mean
    assert all(more > 0.95 * less for less, more in pairwise(far))
    assert far[4] > 1.3 * far[0]


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "motion_blur", "rotation", "occlusion"])
def test_draws_belong_to_seed_example_and_input(name: str) -> None:
    stored = scenes(1, 1, 28, 28).expand(40, -1, -1, -1)
    corruption = corruption_of("image", name)
    first = pictures.change(corruption, 4, key=0)(stored, draws(40))
    assert len({each.numpy().tobytes() for each in first}) > 1, "examples differ"
    assert not torch.equal(first, pictures.change(corruption, 4, key=0)(stored, draws(40, seed=1)))
    assert not torch.equal(first, pictures.change(corruption, 4, key=1)(stored, draws(40)))
    assert torch.equal(first, pictures.change(corruption, 4, key=0)(stored, draws(40)))


def test_normal_draws_are_normal() -> None:
    drawn = draws(50).normal(0, 2_003).numpy()
    assert drawn.shape == (50, 2_003)
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 0.001
    assert abs(drawn).max() < 4.4
    rows = np.corrcoef(drawn)
    assert abs(rows[~np.eye(50, dtype=bool)]).max() < 5 / math.sqrt(2_003)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_noise_has_its_deviation(severity: int) -> None:
    grey = torch.full((20, 3, 30, 30), 0.5)
    noise = (pictures.gaussian_noise(grey, severity, draws(20)) - 0.5).numpy()
    expected = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    assert noise.std() == pytest.approx(expected, rel=0.02)
    assert abs(noise.mean()) < 4.5 * expected / math.sqrt(noise.size)
    assert abs(np.corrcoef(noise[:, 0].ravel(), noise[:, 1].ravel())[0, 1]) < 0.05, "each channel has its own"


@pytest.mark.parametrize("severity", SEVERITIES)
def test_shot_noise_is_poisson_by_scipys_inverse_distribution(severity: int) -> None:
    photons = (60, 25, 12, 5, 3)[severity - 1]
    levels = torch.arange(256).view(1, 1, 16, 16).expand(30, -1, -1, -1)
    ranks = (draws(30).levels(0, 256).numpy().astype(np.float64) + 0.5) / 65536
    expected = stats.poisson.ppf(ranks, np.arange(256) / 255 * photons)
    found = pictures.shot_noise(levels.float() / 255, severity, draws(30)) * photons
    np.testing.assert_allclose(found.flatten(1).numpy(), expected, atol=1e-4)
    assert float(found.mean()) == pytest.approx(photons / 2, rel=0.05)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("height", "width"), [(28, 28), (40, 64)])
def test_gaussian_blur_is_scipys_in_float64(severity: int, height: int, width: int) -> None:
    pixels = floats(3, 3, height, width)
    std = (1.4, 2.2, 3.2, 4.5, 6.5)[severity - 1] * math.sqrt(min(height, width) / 224)
    expected = ndimage.gaussian_filter(pixels.double().numpy(), (0, 0, std, std), mode="mirror", truncate=3)
    found = pictures.gaussian_blur(pixels, severity, draws(3))
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_motion_blur_is_the_mean_along_a_stroke_in_float64(severity: int) -> None:
    pixels = floats(12, 1, 30, 40)
    found = pictures.motion_blur(pixels, severity, draws(12)).numpy()
    length = (8, 14, 20, 28, 40)[severity - 1] * (30 / 224) ** 0.75
    number = 2 * math.ceil(length / 2) + 1
    angles = set()
    for row in range(12):
        padded = np.pad(pixels[row, 0].double().numpy(), 20, mode="edge")
        fits = []
        for turn in range(16):
            total = np.zeros((30, 40))
            for step in np.linspace(-length / 2, length / 2, number):
                down, right = (20 + round(step * f(math.pi * turn / 16)) for f in (math.sin, math.cos))
                total += padded[down : down + 30, right : right + 40]
            if np.abs(total / number - found[row, 0]).max() < 1e-5:
                fits.append(turn)
        assert fits, "one of sixteen directions explains it"
        angles |= set(fits)
    assert len(angles) > 4


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_and_contrast_in_float64(severity: int) -> None:
    stored = scenes(3, 3, 20, 30)
    plain = stored.numpy().astype(np.float64) / 255
    lighter = pictures.change(pictures.brightness, severity, key=0)(stored, draws(3)).numpy()
    expected = np.clip(plain + (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1], 0, 1)
    np.testing.assert_allclose(lighter, expected * 255, atol=0.5001)
    mean = plain.mean((2, 3), keepdims=True)
    flat = pictures.change(pictures.contrast, severity, key=0)(stored, draws(3)).numpy()
    expected = mean + (plain - mean) * (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1]
    np.testing.assert_allclose(flat, expected * 255, atol=0.5001)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_rotation_is_pillows_to_one_side_or_the_other(severity: int) -> None:
    stored = scenes(10, 1, 64, 64)
    found = pictures.change(pictures.rotation, severity, key=0)(stored, draws(10)).numpy().astype(float)
    degrees = (10, 20, 30, 45, 60)[severity - 1]
    signs = set()
    for row in range(10):
        image = Image.fromarray(stored[row, 0].numpy())
        turned = {
            sign: np.asarray(image.rotate(sign * degrees, Image.Resampling.BILINEAR), dtype=float) for sign in (-1, 1)
        }
        far = {sign: np.abs(each - found[row, 0]) for sign, each in turned.items()}
        sign = min(far, key=lambda sign: far[sign].mean())
        signs.add(sign)
        assert np.median(far[sign]) <= 1
        assert (far[sign] > 3).mean() < 0.03, "the border alone: Pillow ends there at once"
    assert signs == {-1, 1}


@pytest.mark.parametrize("severity", SEVERITIES)
def test_occlusion_hides_a_grey_rectangle_wholly_inside(severity: int) -> None:
    pixels = torch.zeros(200, 3, 28, 40)
    found = pictures.occlusion(pixels, severity, draws(200))
    share = (0.2, 0.3, 0.4, 0.5, 0.6)[severity - 1]
    places = set()
    for each in found:
        assert torch.equal(each[0], each[1])
        rows, columns = (torch.nonzero(each[0].amax(axis) == 0.5).flatten() for axis in (1, 0))
        assert (len(rows), len(columns)) == (round(28 * share), round(40 * share))
        assert (each[0] == 0.5).sum() == len(rows) * len(columns)
        places.add((int(rows[0]), int(columns[0])))
    tops, lefts = zip(*places, strict=True)
    assert (min(tops), min(lefts)) <= (1, 1)
    assert max(tops) >= 28 - round(28 * share) - 1
    assert max(lefts) >= 40 - round(40 * share) - 2


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_is_pillows(severity: int, channels: int, mode: str) -> None:
    stored = scenes(3, channels, 30, 44)
    found = pictures.change(pictures.jpeg, severity, key=0)(stored, draws(3))
    for before, after in zip(stored, found, strict=True):
        file = io.BytesIO()
        pixels = before[0].numpy() if mode == "L" else before.permute(1, 2, 0).numpy()
        Image.fromarray(pixels, mode=None).save(file, "JPEG", quality=(25, 18, 15, 10, 7)[severity - 1])
        expected = np.asarray(Image.open(file).convert(mode)).reshape(30, 44, channels)
        np.testing.assert_array_equal(after.permute(1, 2, 0).numpy(), expected)


def test_channels_that_are_no_colours_are_saved_one_by_one() -> None:
    stored = scenes(2, 2, 16, 16)
    change = pictures.change(pictures.jpeg, 3, key=0)
    found = change(stored, draws(2))
    alone = torch.cat([change(stored[:, channel, None], draws(2)) for channel in range(2)], 1)
    assert torch.equal(found, alone)
