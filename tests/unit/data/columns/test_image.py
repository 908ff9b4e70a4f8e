"""Promises of image columns: bytes in memory, exact statistics, one path to every size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ft.core.config.schema import ImageAugment, ImageInput, Normalization
from ft.core.data.augment import Draws
from ft.core.data.columns import column_from_state, fit_column
from ft.core.data.columns.image import ImageColumn, probe
from ft.core.data.files import Files
from ft.core.data.stored import take
from ft.core.data.table import Values
from ft.core.errors import ConfigError, DataError


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def values(array: Any, split: str = "train") -> Values:
    return Values(np.asarray(array), "photo", split)


def fit(array: Any, **settings: Any) -> tuple[ImageColumn, torch.Tensor]:
    column, stored = fit_column(ImageInput(type="image", **settings), values(array))
    assert isinstance(column, ImageColumn)
    assert isinstance(stored, torch.Tensor)
    return column, stored


@pytest.mark.parametrize("shape", [(50, 6, 5), (50, 6, 5, 1), (50, 6, 5, 3)])
def test_pictures_are_kept_as_bytes_and_prepared_to_mean_0_and_deviation_1(shape: tuple[int, ...]) -> None:
    array = noise(*shape)
    column, stored = fit(array)
    planes = np.moveaxis(array.reshape(50, 6, 5, -1), -1, 1)
    assert stored.dtype == torch.uint8
    assert np.array_equal(stored.numpy(), planes)
    assert column.shape == planes.shape[1:]
    unit = planes / 255.0
    mean, std = unit.mean((0, 2, 3)), unit.std((0, 2, 3))
    np.testing.assert_allclose(column.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(column.std, std, rtol=1e-12)
    expected = (unit - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(column.prepare(stored).numpy(), expected, atol=2e-6)


def test_the_arrays_of_a_source_are_not_copied() -> None:
    array = noise(4, 6, 5)
    assert np.shares_memory(fit(array)[1].numpy(), array)


def test_pictures_that_never_differ_are_not_divided_by_zero() -> None:
    column, stored = fit(np.full((3, 4, 4), 7, np.uint8))
    assert column.prepare(stored).abs().max() < 1e-6


def test_none_scales_to_0_1_and_given_statistics_are_taken_for_one_or_for_every_channel() -> None:
    array = noise(5, 4, 4, 3)
    column, stored = fit(array, normalize="none")
    torch.testing.assert_close(column.prepare(stored), stored / 255)
    column, stored = fit(array, normalize=Normalization(mean=[0.5, 0.2, 0.3], std=[0.1, 0.2, 0.4]))
    mean, std = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.2, 0.4]]).view(2, 3, 1, 1)
    torch.testing.assert_close(column.prepare(stored), (stored / 255 - mean) / std)
    column, stored = fit(array, normalize=Normalization(mean=[0.5], std=[0.25]))
    torch.testing.assert_close(column.prepare(stored), (stored / 255 - 0.5) / 0.25)


def test_statistics_for_another_number_of_channels_are_an_error_at_their_place() -> None:
    with pytest.raises(ConfigError) as error:
        fit(noise(5, 4, 4), normalize=Normalization(mean=[0.5, 0.5, 0.5], std=[0.1, 0.2, 0.3]))
    assert error.value.problems[0].path == ("inputs", "photo", "normalize", "mean")


def test_grey_becomes_colour_and_colour_grey_as_pillow_does_it() -> None:
    grey, colour = noise(3, 4, 5), noise(3, 4, 5, 3)
    assert np.array_equal(fit(grey, channels=3)[1].numpy(), np.repeat(grey[:, None], 3, axis=1))
    expected = np.stack([np.asarray(Image.fromarray(picture).convert("L")) for picture in colour])
    assert np.array_equal(fit(colour, channels=1)[1].numpy()[:, 0], expected)


def test_another_size_covers_and_crops_at_the_centre() -> None:
    array = noise(2, 10, 18, 3)
    column, stored = fit(array, size=(5, 5))
    assert column.shape == (3, 5, 5)
    halves = [np.asarray(Image.fromarray(picture).resize((9, 5), Image.Resampling.BILINEAR)) for picture in array]
    assert np.array_equal(stored.numpy(), np.moveaxis(np.stack(halves)[:, :, 2:7], -1, 1))


def test_other_splits_take_the_size_and_channels_of_training() -> None:
    column, _ = fit(noise(3, 8, 8, 3))
    assert column.encode(values(noise(2, 16, 12), "test")).shape == (2, 3, 8, 8)


def test_augmentation_happens_before_normalisation_only_when_there_are_draws() -> None:
    column, stored = fit(np.full((4, 6, 6), 200, np.uint8), normalize=Normalization(mean=[0.5], std=[0.5]))
    moving = ImageColumn(column.shape, column.mean, column.std, ImageAugment(crop=3))
    draws = Draws(0, 0, torch.arange(4))
    assert torch.equal(moving.prepare(stored, None), column.prepare(stored, None))
    assert torch.equal(column.prepare(stored, draws), column.prepare(stored, None))
    moved = moving.prepare(stored, draws)
    assert torch.unique(moved).tolist() == pytest.approx([-1.0, (200 / 255 - 0.5) / 0.5]), (
        "outside is black: (0 - mean) / std"
    )
    assert (stored == 200).all(), "what is kept stays as it is"


@pytest.mark.parametrize(("crop", "size"), [(100, None), (6, None), (6, (9, 6))])
def test_a_crop_as_large_as_the_shorter_side_is_an_error_at_its_setting(
    crop: int, size: tuple[int, int] | None
) -> None:
    with pytest.raises(ConfigError, match=f"crop is {crop}; .* 6 pixels") as error:
        fit(noise(3, 6, 9), augment=ImageAugment(crop=crop), size=size)
    assert error.value.problems[0].path == ("inputs", "photo", "augment", "crop")
    fit(noise(3, 6, 9), augment=ImageAugment(crop=5))


def test_a_checkpoint_gives_back_the_same_pixels() -> None:
    column, stored = fit(noise(5, 4, 4, 3))
    again = column_from_state(column.to_state())
    assert again == column
    assert torch.equal(again.prepare(stored), column.prepare(stored))


def test_earlier_statistics_stay_where_they_are_fitted_and_the_channels_agree() -> None:
    earlier, _ = fit(noise(5, 4, 4))
    bright = np.full((5, 4, 4), 250, np.uint8)
    kept, _ = fit_column(ImageInput(type="image"), values(bright), earlier)
    assert isinstance(kept, ImageColumn)
    assert (kept.mean, kept.std) == (earlier.mean, earlier.std)
    fresh, _ = fit_column(ImageInput(type="image", channels=3), values(bright), earlier)
    assert isinstance(fresh, ImageColumn)
    assert fresh.mean == pytest.approx((250 / 255,) * 3)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 4, 4), np.float32), "float32; pictures are uint8, 0 to 255; multiply by 255"),
        (np.zeros((2, 4, 4), np.int64), "int64; pictures are uint8"),
        (np.zeros((2, 3, 8, 8), np.uint8), r"numpy.moveaxis\(a, 1, -1\)"),
        (np.zeros((2, 16), np.uint8), r"shape \(16,\)"),
        (np.zeros((2, 4, 4, 4), np.uint8), r"shape \(4, 4, 4\)"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_way_out(array: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(array)


# ---------------------------------------------------------------- files


def save(folder: Path, *pictures: np.ndarray) -> Values:
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return Values(np.array([f"{number}.png" for number in range(len(pictures))]), "photo", "train", folder=folder)


def test_files_become_what_arrays_of_their_pixels_do(tmp_path: Path) -> None:
    pictures = noise(6, 10, 18, 3)
    paths = save(tmp_path, *pictures)
    for size in ((10, 18), (5, 5)):
        settings = ImageInput(type="image", size=size)
        from_files, stored = ImageColumn.fit(settings, paths)
        from_arrays, expected = ImageColumn.fit(settings, values(pictures))
        assert from_files == from_arrays
        assert isinstance(stored, torch.Tensor)
        assert isinstance(expected, torch.Tensor)
        assert torch.equal(stored, expected)


def test_files_read_when_needed_give_the_same_as_kept_ones(tmp_path: Path) -> None:
    paths = save(tmp_path, *noise(6, 10, 10, 3))
    kept, in_memory = ImageColumn.fit(ImageInput(type="image", size=8, keep="memory"), paths)
    lazy, files = ImageColumn.fit(ImageInput(type="image", size=8, keep="files"), paths)
    assert isinstance(files, Files)
    assert isinstance(in_memory, torch.Tensor)
    assert (lazy.shape, lazy.mean, lazy.std) == (kept.shape, kept.mean, kept.std)
    assert torch.equal(files.take(torch.tensor([4, 1])), in_memory[[4, 1]])
    assert isinstance(ImageColumn.from_state(lazy.to_state()).encode(paths), Files), "judged as it was trained"


def test_states_of_before_files_could_stay_files_still_load() -> None:
    state = {"type": "image", "shape": [1, 2, 2], "mean": [0.5], "std": [0.25]}
    assert ImageColumn.from_state(state) == ImageColumn((1, 2, 2), (0.5,), (0.25,))


@pytest.mark.parametrize("keep", ["memory", "files"])
def test_grey_files_stay_grey_unless_one_has_colour_or_the_settings_say_so(tmp_path: Path, keep: Any) -> None:
    grey = [*noise(4, 6, 6)]
    settings = ImageInput(type="image", size=6, keep=keep)
    assert ImageColumn.fit(settings, save(tmp_path, *grey))[0].shape == (1, 6, 6)
    assert ImageColumn.fit(settings.model_copy(update={"channels": 3}), save(tmp_path, *grey))[0].shape == (3, 6, 6)
    column, stored = ImageColumn.fit(settings, save(tmp_path, *grey, noise(6, 6, 3)))
    assert column.shape == (3, 6, 6)
    assert np.array_equal(take(stored, torch.tensor([2]))[0].numpy(), np.repeat(grey[2][None], 3, axis=0))


def test_files_without_a_size_name_the_setting_that_lacks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pictures in files need a size, e\.g\. .*photo.*size: 64") as error:
        ImageColumn.fit(ImageInput(type="image"), save(tmp_path, noise(4, 4)))
    assert error.value.problems[0].path == ("inputs", "photo", "size")


def test_files_that_cannot_be_read_are_found_by_row_and_named(tmp_path: Path) -> None:
    paths = save(tmp_path, *noise(5, 8, 8, 3))
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])  # its head is sound
    (tmp_path / "3.png").unlink()
    settings = ImageInput(type="image", size=4)
    faults = probe(paths, settings)
    assert list(faults) == [1, 3]
    assert "cannot be read as a picture" in faults[1]
    assert "no such file" in faults[3]
    assert probe(values(noise(3, 4, 4)), settings) == {}
    with pytest.raises(DataError, match=r"column photo, train row 3: .*3\.png: no such file"):
        ImageColumn.fit(settings, paths)
    column = ImageColumn((3, 4, 4), (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(DataError, match=r"column photo, train row 1: .*1\.png: cannot be read as a picture"):
        column.encode(paths)
