"""A picture for each example: uint8 (C, H, W) in memory or in files; on the device floats, augmented and normalised."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ft.core.config.schema import ImageAugment, ImageInput, Normalization
from ft.core.data import decode
from ft.core.data.augment import Change, Draws, augment
from ft.core.data.columns.base import constant, nonzero
from ft.core.data.columns.reading import describe_dtype, is_text
from ft.core.data.disk import kept_files
from ft.core.data.files import Keep, at_row, in_memory, in_threads, probe_files, sample_rows
from ft.core.data.order import batches
from ft.core.data.stored import Stored
from ft.core.data.table import Values
from ft.core.data.transforms import Transform, build_transforms, transformed
from ft.core.errors import ConfigError, Problem, TreePath

LEVELS = 256
LOOKED_AT = 1_000  # files whose heads tell whether a large set is grey
CHUNK = 256  # files at a time
CACHED = 1 << 19  # values of the pictures that are changed at a time: 2 MB of floats


@dataclass(frozen=True)
class ImageColumn:
    """shape: (C, H, W). mean, std: per channel, of pixels scaled to 0..1. keep: where decoded files lie.

    augment, transforms: for training; not in the state. corrupt: for judging; not in the state.
    """

    kind: ClassVar[str] = "image"
    fixed: ClassVar[bool] = False
    cardinality: ClassVar[None] = None

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augment: ImageAugment | None = None
    keep: Keep = "auto"
    transforms: Transform | None = None
    corrupt: Change | None = None

    @classmethod
    def fit(
        cls, settings: ImageInput, values: Values, earlier: ImageColumn | None = None
    ) -> tuple[ImageColumn, Stored]:
        channels, height, width = _form(settings, values)
        neutral = (0.0,) * channels, (1.0,) * channels
        path: TreePath = ("inputs", values.column, "augment")
        column = cls((channels, height, width), *neutral, keep=settings.keep).changing(settings.augment, path)
        stored = column.encode(values)
        if isinstance(settings.normalize, Normalization):
            mean, std = _given_statistics(settings.normalize, channels, values.column)
        elif settings.normalize == "none":
            mean, std = column.mean, column.std
        elif earlier is not None and channels in (1, len(earlier.mean)):
            mean, std = _kept_statistics(earlier, channels)
        else:
            mean, std = pixel_statistics(stored)
        return replace(column, mean=mean, std=std), stored

    def changing(self, augment: ImageAugment | None, path: TreePath) -> ImageColumn:
        """The same with these changes of pictures. path: of the setting, for the ConfigError where they do not do."""
        _check_crop(augment, min(self.shape[1:]), path)
        listed = augment.transforms if augment is not None else None
        transforms = build_transforms(listed, self.shape, (*path, "transforms")) if listed else None
        return replace(self, augment=augment, transforms=transforms)

    def encode(self, values: Values) -> Stored:
        """Paths, or uint8 (N, H, W) or (N, H, W, C) of any size -> uint8 (N, C, H, W) of this column's.

        No copy of arrays that fit. Of many large files it is a list, and taking rows of it reads them.
        """
        if is_text(values.array):
            return kept_files(values, self.shape, torch.uint8, decode.read_into, self.keep, decode.form())
        array, found = _check_pixels(values)
        channels, height, width = self.shape
        if found[1:] != (height, width) or found[0] > channels:
            return torch.from_numpy(decode.fit_all(array, self.shape))
        stored = torch.from_numpy(np.require(np.moveaxis(array, -1, 1), requirements=["C", "W"]))
        if stored.shape[1] == channels:
            return stored
        return stored.expand(-1, channels, -1, -1)  # grey as colour: the same bytes seen three times

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:
        """uint8 (B, C, H, W) -> float32: (x / 255 - mean) / std, as one multiplication and one addition.

        On a CPU a few pictures at a time: what lies in the cache between two changes is three times as fast.
        """
        most = max(1, CACHED // math.prod(self.shape))
        if draws is None or stored.device.type != "cpu" or len(stored) <= most:
            return self._prepared(stored, draws)
        out = torch.empty(stored.shape, dtype=torch.float32)
        for first in range(0, len(stored), most):
            rows = slice(first, first + most)
            out[rows] = self._prepared(stored[rows], draws.part(rows))
        return out

    def _prepared(self, stored: Tensor, draws: Draws | None) -> Tensor:
        if draws is not None and self.transforms is not None:
            stored = transformed(stored, draws, self.transforms)
        if draws is not None and self.corrupt is not None:
            stored = self.corrupt(stored, draws)
        pixels = stored.float()  # a copy, so what follows may work in place
        if draws is not None and self.augment is not None:
            pixels = augment(pixels, draws, self.augment)  # black is 0 before and after scaling
        scale = tuple(1 / (255 * std) for std in self.std)
        shift = tuple(-mean / std for mean, std in zip(self.mean, self.std, strict=True))
        each = (len(scale), 1, 1)
        return pixels.mul_(constant(scale, each, pixels.device)).add_(constant(shift, each, pixels.device))

    def to_state(self) -> dict[str, Any]:
        statistics = {"mean": list(self.mean), "std": list(self.std)}
        return {"type": "image", "shape": list(self.shape), **statistics, "keep": self.keep}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> ImageColumn:
        channels, height, width = state["shape"]
        statistics = tuple(state["mean"]), tuple(state["std"])
        return cls((channels, height, width), *statistics, keep=state.get("keep", "auto"))  # younger than the rest


def probe(values: Values, settings: ImageInput) -> dict[int, str]:
    """Why a row's file cannot be used, by row, found by decoding every one; empty for arrays."""
    if not is_text(values.array):
        return {}
    shape = (settings.channels or 3, *(side_lengths(settings.size) or (1, 1)))
    return probe_files(values, lambda path: decode.read(path, shape))


def read_picture(path: str | Path, column: ImageColumn) -> Tensor:
    """A loose file as the column would have kept it in training: uint8 (C, H, W).

    Raises DataError naming the file when it cannot be read.
    """
    return torch.from_numpy(decode.read(Path(path), column.shape))


def side_lengths(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """A setting `size` as (height, width)."""
    return (size, size) if isinstance(size, int) else size


def pixel_statistics(stored: Stored) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel, of pixels scaled to 0..1. stored: uint8 (N, C, H, W).

    Counting the 256 levels is exact and faster than any sum of floats. Of files, a sample is read (files.sample_rows).
    """
    if isinstance(stored, Tensor):
        counts = _histograms(stored)
    else:
        chunks = batches(sample_rows(len(stored)), CHUNK)
        counts = sum((_histograms(stored.take(rows)) for rows in chunks), torch.zeros(()))
    levels = torch.arange(LEVELS, dtype=torch.float64) / (LEVELS - 1)
    share = counts / counts.sum(1, keepdim=True)
    mean = share @ levels  # (C,)
    std = (share * (levels - mean[:, None]) ** 2).sum(1).sqrt()
    return tuple(mean.tolist()), nonzero(std.tolist())


def _histograms(pixels: Tensor) -> Tensor:
    """uint8 (N, C, H, W) -> how often each level comes in each channel, float64 (C, 256), exact below 2**53."""
    channels = (pixels[:, channel].reshape(-1) for channel in range(pixels.shape[1]))
    return torch.stack([torch.bincount(flat, minlength=LEVELS) for flat in channels]).double()


def _form(settings: ImageInput, values: Values) -> tuple[int, int, int]:
    """Channels, height and width: as the settings say, else as the training pictures are."""
    sides = side_lengths(settings.size)
    if not is_text(values.array):
        channels, *found = _check_pixels(values)[1]
        height, width = sides or found
        return settings.channels or channels, height, width
    if sides is None:
        message = f"pictures in files need a size, e.g. inputs: {{{values.column}: {{type: image, size: 64}}}}"
        raise ConfigError(Problem(message, ("inputs", values.column, "size")))
    return settings.channels or _channels_of_files(values, sides, settings.keep), *sides


def _channels_of_files(values: Values, sides: tuple[int, int], keep: Keep) -> int:
    """1 if all files are grey, else 3; of files that are not kept in memory, the first few are looked at."""
    count = len(values.array)
    looked = count if in_memory(3 * count * sides[0] * sides[1], keep) else min(count, LOOKED_AT)
    for start in range(0, looked, CHUNK):
        rows = range(start, min(start + CHUNK, looked))
        if not all(in_threads(lambda _, row: at_row(values, row, decode.is_grey), rows)):
            return 3
    return 1


def _given_statistics(given: Normalization, channels: int, column: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The fixed statistics of the settings: one pair for each channel, or one for all."""
    if len(given.mean) not in (1, channels):
        message = f"{len(given.mean)} means for pictures of {channels} channel{'s' * (channels > 1)}"
        raise ConfigError(Problem(message, ("inputs", column, "normalize", "mean")))
    times = channels // len(given.mean)
    return tuple(given.mean) * times, tuple(given.std) * times


def _kept_statistics(earlier: ImageColumn, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Those of an earlier training; of colour for grey pictures their means."""
    if channels == len(earlier.mean):
        return earlier.mean, earlier.std
    return (sum(earlier.mean) / len(earlier.mean),), (sum(earlier.std) / len(earlier.std),)


def _check_crop(changes: ImageAugment | None, side: int, path: TreePath) -> None:
    """A shift by a whole side would leave nothing but black. side: the shorter one."""
    if changes is not None and changes.crop is not None and changes.crop >= side:
        message = f"crop is {changes.crop}; expected less than the shorter side of the pictures, {side} pixels"
        raise ConfigError(Problem(message, (*path, "crop")))


def _check_pixels(values: Values) -> tuple[np.ndarray, tuple[int, int, int]]:
    """The arrays as (N, H, W, C), and (C, H, W). Raises DataError when they are no uint8 pictures."""
    array = values.array
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        hint = "; multiply by 255 and convert" if isinstance(array, np.ndarray) and array.dtype.kind == "f" else ""
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
    return array.reshape(-1, *shape), (channels, height, width)
