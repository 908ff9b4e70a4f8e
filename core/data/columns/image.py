"""A picture for each example: uint8 (C, H, W) in memory; on the device floats, augmented and normalised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ft.core.config.schema import ImageAugment, ImageInput, Normalization
from ft.core.data import decode
from ft.core.data.augment import Draws, augment
from ft.core.data.columns.base import constant, describe_dtype, nonzero
from ft.core.data.table import Values
from ft.core.errors import ConfigError, Problem

LEVELS = 256


@dataclass(frozen=True)
class ImageColumn:
    """shape: (C, H, W). mean, std: per channel, of pixels scaled to 0..1. augment: for training; not in the state."""

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: ImageAugment | None = None

    @classmethod
    def fit(
        cls, settings: ImageInput, values: Values, earlier: ImageColumn | None = None
    ) -> tuple[ImageColumn, Tensor]:
        height, width, channels = _check_pixels(values)
        height, width = side_lengths(settings.size) or (height, width)
        channels = settings.channels or channels
        _check_crop(settings.augment, min(height, width), values.column)
        column = cls((channels, height, width), (0.0,) * channels, (1.0,) * channels, settings.augment)
        stored = column.encode(values)
        if isinstance(settings.normalize, Normalization):
            mean, std = _given_statistics(settings.normalize, channels, values.column)
        elif settings.normalize == "none":
            mean, std = column.mean, column.std
        elif earlier is not None and len(earlier.mean) == channels:
            mean, std = earlier.mean, earlier.std
        else:
            mean, std = pixel_statistics(stored)
        return cls(column.shape, mean, std, settings.augment), stored

    def encode(self, values: Values) -> Tensor:
        """uint8 (N, H, W) or (N, H, W, C) of any size -> uint8 (N, C, H, W) of this column's; no copy if it fits."""
        found = _check_pixels(values)
        channels, height, width = self.shape
        array = values.array if values.array.ndim == 4 else values.array[..., None]  # (N, H, W, C)
        if found[:2] != (height, width) or found[2] > channels:
            return torch.from_numpy(decode.fit_all(array, self.shape))
        stored = torch.from_numpy(np.require(np.moveaxis(array, -1, 1), requirements=["C", "W"]))
        if stored.shape[1] == channels:
            return stored
        return stored.expand(-1, channels, -1, -1)  # grey as colour: the same bytes seen three times

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:
        """uint8 (B, C, H, W) -> float32: (x / 255 - mean) / std, as one multiplication and one addition."""
        pixels = stored.float()  # a copy, so what follows may work in place
        if draws is not None and self.augment is not None:
            pixels = augment(pixels, draws, self.augment)  # black is 0 before and after scaling
        scale = tuple(1 / (255 * std) for std in self.std)
        shift = tuple(-mean / std for mean, std in zip(self.mean, self.std, strict=True))
        each = (len(scale), 1, 1)
        return pixels.mul_(constant(scale, each, pixels.device)).add_(constant(shift, each, pixels.device))

    def to_state(self) -> dict[str, Any]:
        return {"type": "image", "shape": list(self.shape), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ImageColumn:
        channels, height, width = state["shape"]
        return cls((channels, height, width), tuple(state["mean"]), tuple(state["std"]))


def read_picture(path: str | Path, column: ImageColumn) -> Tensor:
    """A loose file as the column would have kept it in training: uint8 (C, H, W).

    Raises DataError naming the file when it cannot be read.
    """
    return torch.from_numpy(decode.read(Path(path), column.shape))


def side_lengths(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """A setting `size` as (height, width)."""
    return (size, size) if isinstance(size, int) else size


def pixel_statistics(stored: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel, of pixels scaled to 0..1. stored: uint8 (N, C, H, W).

    Counting the 256 levels is exact and faster than any sum of floats.
    """
    levels = torch.arange(LEVELS, dtype=torch.float64) / (LEVELS - 1)
    counts = torch.stack([_histogram(stored[:, channel]) for channel in range(stored.shape[1])]).double()  # (C, 256)
    share = counts / counts.sum(1, keepdim=True)
    mean = share @ levels  # (C,)
    std = (share * (levels - mean[:, None]) ** 2).sum(1).sqrt()
    return tuple(mean.tolist()), nonzero(std.tolist())


def _histogram(pixels: Tensor) -> Tensor:
    """uint8, any shape -> int64 (256,)."""
    flat = pixels.reshape(-1)
    return torch.bincount(flat, minlength=LEVELS)


def _given_statistics(given: Normalization, channels: int, column: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The fixed statistics of the settings: one pair for each channel, or one for all."""
    if len(given.mean) not in (1, channels):
        message = f"{len(given.mean)} means for pictures of {channels} channel{'s' * (channels > 1)}"
        raise ConfigError(Problem(message, ("inputs", column, "normalize", "mean")))
    times = channels // len(given.mean)
    return tuple(given.mean) * times, tuple(given.std) * times


def _check_crop(changes: ImageAugment | None, side: int, column: str) -> None:
    """A shift by a whole side would leave nothing but black. side: the shorter one."""
    if changes is not None and changes.crop is not None and changes.crop >= side:
        message = f"crop is {changes.crop}; expected less than the shorter side of the pictures, {side} pixels"
        raise ConfigError(Problem(message, ("inputs", column, "augment", "crop")))


def _check_pixels(values: Values) -> tuple[int, int, int]:
    """Height, width and channels of the arrays. Raises DataError when they are no uint8 pictures."""
    array = values.array
    if array.dtype != np.uint8:
        hint = "; multiply by 255 and convert" if array.dtype.kind == "f" else ""
        raise values.error(
            f"the values are {describe_dtype(array)}; pictures are uint8, 0 to 255{hint}, or use type: vector"
        )
    shape = array.shape[1:] + (1,) * (array.ndim == 3)
    if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
        hint = "; channels come last: numpy.moveaxis(a, 1, -1)" if len(shape) == 3 and shape[0] in (1, 3) else ""
        raise values.error(
            f"each example has shape {array.shape[1:]}; a picture is (H, W), (H, W, 1) or (H, W, 3){hint}"
        )
    height, width, channels = shape
    return height, width, channels
