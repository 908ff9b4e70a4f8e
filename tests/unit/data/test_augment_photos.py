"""Promises of resized crops and colour jitter, and of the presets made of them, against torchvision and NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from experiments import load, refused
from torch import Tensor

from ft.core.config.schema import ImageAugment, ImageInput
from ft.core.config.schema.inputs import PRESETS
from ft.core.data import augment as changes
from ft.core.data.augment import Draws, augment
from ft.core.data.columns import fit_column
from ft.core.data.table import Values
from ft.core.runtime.torchvision import import_torchvision


def draws(count: int, epoch: int = 0) -> Draws:
    return Draws(0, epoch, torch.arange(count))


def pictures(count: int, channels: int = 3, height: int = 12, width: int = 16) -> Tensor:
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(0)) * 255


def by_hand(picture: np.ndarray, top: float, left: float, tall: float, wide: float) -> np.ndarray:
    """A part of (H, W) scaled to (H, W), pixel by pixel in float64, the edge repeated outside."""
    height, width = picture.shape
    answer = np.empty((height, width))
    for row in range(height):
        for column in range(width):
            y = min(max(top + (row + 0.5) * tall / height - 0.5, 0), height - 1)
            x = min(max(left + (column + 0.5) * wide / width - 0.5, 0), width - 1)
            up, before = int(y), int(x)
            down, after = min(up + 1, height - 1), min(before + 1, width - 1)
            v, h = y - up, x - before
            above = (1 - h) * picture[up, before] + h * picture[up, after]
            below = (1 - h) * picture[down, before] + h * picture[down, after]
            answer[row, column] = (1 - v) * above + v * below
    return answer


def test_a_resized_crop_is_a_part_inside_the_picture_of_the_drawn_area_and_aspect() -> None:
    """The part is read off ramps, then the same part of noise is scaled by hand."""
    count, height, width = 400, 40, 60
    ramps = torch.stack(torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij"))
    cut = changes.resized_crop(ramps.expand(count, -1, -1, -1), draws(count), (0.3, 0.6), (0.8, 1.25)).double()
    tall = (cut[:, 0, 30, 30] - cut[:, 0, 10, 30]) * height / 20
    wide = (cut[:, 1, 20, 45] - cut[:, 1, 20, 15]) * width / 30
    top, left = cut[:, 0, 20, 30] - 20.5 * tall / height, cut[:, 1, 20, 30] - 30.5 * wide / width
    area, aspect = tall * wide / (height * width), wide / tall
    assert min(top.min(), left.min()) > -1e-3
    assert (top + tall).max() < height + 1e-3
    assert (left + wide).max() < width + 1e-3
    free = tall < height - 1e-3  # where no side was cut
    assert free.sum() > 300
    assert 0.3 - 1e-4 < area.min() < 0.31
    assert 0.59 < area[free].max() < 0.6 + 1e-4
    assert 0.8 - 1e-4 < aspect[free].min() < 0.83
    assert 1.2 < aspect.max() < 1.25 + 1e-4
    noise = pictures(count, 1, height, width)
    found = changes.resized_crop(noise, draws(count), (0.3, 0.6), (0.8, 1.25))
    for i in range(3):
        part = [float(side[i]) for side in (top, left, tall, wide)]
        expected = by_hand(noise[i, 0].double().numpy(), *part)
        np.testing.assert_allclose(found[i, 0].double().numpy(), expected, atol=0.05)


def test_a_crop_of_the_whole_picture_changes_nothing() -> None:
    noise = pictures(5, height=12, width=12)
    torch.testing.assert_close(changes.resized_crop(noise, draws(5), (1.0, 1.0), (1.0, 1.0)), noise, rtol=0, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation"])
def test_jitter_is_torchvisions_adjustment_by_the_drawn_factor(kind: str, channels: int) -> None:
    import_torchvision()
    from torchvision.transforms.v2 import functional

    noise = pictures(30, channels)
    amounts = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, kind: 0.8}
    found = changes.jitter(noise, draws(30), *amounts.values(), white=255.0)
    unit = draws(30).uniform(changes.JITTER, 3)[:, list(amounts).index(kind)]
    adjust = getattr(functional, f"adjust_{kind}")
    for row in range(30):
        expected = adjust(noise[row] / 255, 1 + 0.8 * (2 * float(unit[row]) - 1)) * 255
        torch.testing.assert_close(found[row], expected, rtol=0, atol=0.05)  # torchvision's greys sum to 0.9999
    grey = kind == "saturation" and channels == 1
    assert torch.equal(found, noise) == grey


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_preset_changes_pictures_and_is_the_same_in_any_batch(name: str, channels: int) -> None:
    settings = ImageAugment.model_validate(PRESETS[name])
    noise = pictures(12, channels)
    whole = augment(noise, draws(12), settings)
    assert whole.shape == noise.shape
    assert whole.min() >= 0
    assert whole.max() <= 255.01
    alone = torch.cat([augment(noise[i : i + 1], Draws(0, 0, torch.tensor([i])), settings) for i in range(12)])
    torch.testing.assert_close(alone, whole, rtol=0, atol=1e-4)
    assert not torch.equal(whole, augment(noise, draws(12, epoch=1), settings))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_read_as_the_settings_it_stands_for_and_shown_as_them(name: str) -> None:
    def image(augment: Any) -> dict[str, Any]:
        return {"inputs": {"image": {"type": "image", "augment": augment}}}

    by_name, written = load(image(name)), load(image(PRESETS[name]))
    assert by_name.experiment == written.experiment
    shown = by_name.resolved()["inputs"]["image"]["augment"]
    assert shown["resized_crop"]["area"] == PRESETS[name]["resized_crop"]["area"]
    assert load(image(shown)).experiment == by_name.experiment


def test_a_misspelt_preset_is_refused_with_the_nearest_name() -> None:
    [told] = refused({"inputs": {"image": {"type": "image", "augment": "standart"}}})
    assert "inputs.image.augment is 'standart'" in told
    assert "did you mean standard?" in told


def test_a_column_trains_on_pictures_of_a_preset_and_judges_on_plain_ones() -> None:
    array = pictures(6).byte().movedim(1, -1).numpy()
    settings = ImageInput.model_validate({"type": "image", "augment": "strong"})
    column, stored = fit_column(settings, Values(array, "x", "train"))
    assert isinstance(stored, Tensor)
    assert not torch.equal(column.prepare(stored, draws(6)), column.prepare(stored))
