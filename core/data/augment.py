"""Random changes of training pictures, whole batches at a time, drawn from a hash of (seed, epoch, example).

So a picture's change is the same whatever batch, rank or machine it lands in, and after any resume. Pictures are float
(B, C, H, W), not yet normalised, 0 is black; what comes from outside the picture is black.
Affine maps: bilinear, one resampling for all four. Erasing: Zhong et al. 2017, "Random Erasing", with black.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from ft.core.config.schema import ImageAugment
from ft.core.data import hashing

CROP, FLIP, AFFINE, ERASE, RESIZED_CROP, JITTER, TRANSFORMS = range(
    7
)  # streams: one switched on or off leaves the others alone
GREY = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601, as Pillow and torchvision have it
ASPECTS = (0.3, 1 / 0.3)  # of erased rectangles, height to width, as in the paper
LEVELS = 1 << 16  # of a number made of 16 bits


Change: TypeAlias = "Callable[[Tensor, Draws], Tensor]"  # of a batch in the form that is kept, to the same form


class Draws:
    """Random numbers for a batch: the same for the same (seed, epoch, example), on every device.

    examples: int64 (B,), on the CPU. device: where the numbers are wanted; only they are sent there.
    """

    def __init__(self, seed: int, epoch: int, examples: Tensor, device: torch.device | str = "cpu") -> None:
        assert examples.device.type == "cpu", "hashes need the CPU's int64 arithmetic"
        self._device = device
        self._keys = hashing.keyed(examples, hashing.DRAWS, seed, epoch)  # (B,)

    def uniform(self, stream: int, k: int = 1) -> Tensor:
        """float32 (B, k) in [0, 1), in steps of 2**-24. Other streams are independent; the same stream repeats."""
        counters = torch.arange(1, k + 1) + (stream << 32)  # (k,)
        bits = hashing.scramble(self._keys[:, None] + counters * hashing.GOLDEN)  # (B, k)
        numbers = ((bits >> 40) & 0xFFFFFF).float() * 2.0**-24
        return numbers.to(self._device, non_blocking=True)

    def part(self, rows: slice) -> Draws:
        """Those of some of the examples."""
        some = copy.copy(self)
        some._keys = self._keys[rows]
        return some

    def seeds(self) -> list[int]:
        """For each example a seed of torch's generators, of 63 bits."""
        bits = hashing.scramble(self._keys + torch.tensor(TRANSFORMS << 32) * hashing.GOLDEN)
        seeds: list[int] = bits.bitwise_and_((1 << 63) - 1).tolist()
        return seeds

    def apart(self, key: int) -> Draws:
        """Others of the same examples: independent for each key."""
        others = copy.copy(self)
        others._keys = hashing.keyed(self._keys, key)
        return others

    def noise(self, stream: int, k: int) -> Tensor:
        """float32 (B, k), white, uniform with mean 0 and deviation 1, in 65,536 steps.

        A stream serves `uniform`, `each` or one of `noise`, `levels` and `normal`.
        """
        return (self.levels(stream, k).float() + (0.5 - LEVELS / 2)) * (math.sqrt(12) / LEVELS)

    def levels(self, stream: int, k: int) -> Tensor:
        """int32 (B, k), each of 0..65535 as likely: four from each hash."""
        counters = torch.arange(1, -(-k // 4) + 1) + (stream << 32)
        bits = hashing.scramble(self._keys[:, None] + counters * hashing.GOLDEN)  # (B, k / 4)
        levels = bits.view(torch.int16)[:, :k].to(self._device, non_blocking=True)  # (B, k)
        return levels.int() + LEVELS // 2

    def normal(self, stream: int, k: int) -> Tensor:
        """float32 (B, k), white, normal with mean 0 and deviation 1, in 65,536 steps, each as likely: cut at 4.3."""
        return _normal_quantiles(torch.device(self._device))[self.levels(stream, k)]

    def each(self, stream: int, counts: Tensor) -> Tensor:
        """So many numbers of each example, one after another: float32 (S,) in [0, 1), on the CPU. counts: (B,)."""
        first = counts.cumsum(0) - counts
        places = torch.arange(int(counts.sum())) - first.repeat_interleave(counts)  # within the example
        keys = self._keys.repeat_interleave(counts)
        bits = hashing.scramble(keys + (places + 1 + (stream << 32)) * hashing.GOLDEN)
        return ((bits >> 40) & 0xFFFFFF).float() * 2.0**-24


@lru_cache(maxsize=8)
def _normal_quantiles(device: torch.device) -> Tensor:
    """float32 (65536,), made once for each device."""
    with torch.inference_mode(False):
        ranks = (torch.arange(LEVELS, dtype=torch.float64) + 0.5) / LEVELS
        quantiles: Tensor = torch.special.ndtri(ranks)
        return quantiles.float().to(device)


def augment(pictures: Tensor, draws: Draws, settings: ImageAugment, white: float = 255.0) -> Tensor:
    """All that the settings ask for, in the order resized crop, crop, flip, affine, jitter, erase.

    pictures: float (B, C, H, W), black is 0 -> the same shape.
    """
    if (part := settings.resized_crop) is not None:
        pictures = resized_crop(pictures, draws, part.area, part.aspect)
    if settings.crop is not None:
        pictures = crop(pictures, draws, settings.crop)
    if settings.flip:
        pictures = flip(pictures, draws)
    if (a := settings.affine) is not None:
        pictures = affine(pictures, draws, a.degrees, a.translate, a.scale, a.shear)
    if (j := settings.jitter) is not None:
        pictures = jitter(pictures, draws, j.brightness, j.contrast, j.saturation, white)
    if settings.erase is not None:
        pictures = erase(pictures, draws, settings.erase.probability, settings.erase.area)
    return pictures


def crop(pictures: Tensor, draws: Draws, pixels: int) -> Tensor:
    """Shift by a whole number of pixels in -pixels..pixels, down and right, each equally likely."""
    height, width = pictures.shape[-2:]
    corner = (draws.uniform(CROP, 2) * (2 * pixels + 1)).long()  # (B, 2) of the padded picture
    places = F.pad(pictures, (pixels,) * 4).unfold(2, height, 1).unfold(3, width, 1)  # (B, C, 2p + 1, 2p + 1, H, W)
    return places[torch.arange(len(pictures), device=corner.device), :, corner[:, 0], corner[:, 1]]


def resized_crop(pictures: Tensor, draws: Draws, area: tuple[float, float], aspect: tuple[float, float]) -> Tensor:
    """A part of the picture scaled up to all of it, as torchvision's RandomResizedCrop.

    area: share of the picture, uniform. aspect: width to height in pixels, uniform in its logarithm. A side that would
    be longer than the picture's is cut to it. The part lies anywhere inside, not only at whole pixels.
    """
    height, width = pictures.shape[-2:]
    unit = draws.uniform(RESIZED_CROP, 4)  # (B, 4)
    surface = (area[0] + (area[1] - area[0]) * unit[:, 0]) * height * width
    low, high = map(math.log, aspect)
    ratio = torch.exp(low + (high - low) * unit[:, 1])
    wide = ((surface * ratio).sqrt() / width).clamp(max=1)  # shares of the sides
    tall = ((surface / ratio).sqrt() / height).clamp(max=1)
    right, down = ((2 * unit[:, 2 + i] - 1) * (1 - side) for i, side in enumerate((wide, tall)))  # of its centre
    zero = torch.zeros_like(wide)
    return warp(pictures, torch.stack([wide, zero, right, zero, tall, down], 1).view(-1, 2, 3), outside="border")


def jitter(
    pictures: Tensor, draws: Draws, brightness: float, contrast: float, saturation: float, white: float
) -> Tensor:
    """Brightness, contrast and saturation by random factors, in this order, each cut to 0..white.

    torchvision's ColorJitter with its three adjustments, which it shuffles. A picture without colour has no saturation.
    """
    factor = 1 + (2 * draws.uniform(JITTER, 3) - 1) * torch.tensor(
        [brightness, contrast, saturation], device=pictures.device
    )  # (B, 3)
    light, against, colour = factor[:, :, None, None, None].unbind(1)  # (B, 1, 1, 1) each
    if brightness:
        pictures = (pictures * light).clamp_(0, white)
    if contrast:
        pictures = torch.lerp(grey(pictures).mean((2, 3), keepdim=True), pictures, against).clamp_(0, white)
    if saturation and pictures.shape[1] == 3:
        pictures = torch.lerp(grey(pictures), pictures, colour).clamp_(0, white)
    return pictures


def grey(pictures: Tensor) -> Tensor:
    """float (B, 1 or 3, H, W) -> (B, 1, H, W)."""
    if pictures.shape[1] == 1:
        return pictures
    share = torch.tensor(GREY, dtype=pictures.dtype, device=pictures.device)
    return (share @ pictures.flatten(2)).view(len(pictures), 1, *pictures.shape[2:])


def flip(pictures: Tensor, draws: Draws) -> Tensor:
    """Left and right exchanged for half of the pictures."""
    chosen = draws.uniform(FLIP) < 0.5  # (B, 1)
    return torch.where(chosen[:, :, None, None], pictures.flip(3), pictures)


def affine(
    pictures: Tensor,
    draws: Draws,
    degrees: float = 0.0,
    translate: float = 0.0,
    scale: tuple[float, float] = (1.0, 1.0),
    shear: float = 0.0,
) -> Tensor:
    """Rotation, shift, size and shear about the centre, each drawn uniformly from its range.

    degrees: plus or minus, positive turns anticlockwise as one sees it. translate: plus or minus, a fraction of width
    and height. scale: factor of size. shear: degrees, plus or minus, along the rows.
    """
    height, width = pictures.shape[-2:]
    unit = draws.uniform(AFFINE, 5)  # (B, 5)
    sign = 2 * unit - 1
    size = scale[0] + (scale[1] - scale[0]) * unit[:, 3]
    angle, slant = sign[:, 0] * math.radians(degrees), sign[:, 4] * math.radians(shear)
    matrices = affine_matrices(angle, sign[:, 1:3] * translate, size, slant, aspect=width / height)
    return warp(pictures, matrices)


def affine_matrices(angle: Tensor, shift: Tensor, size: Tensor, shear: Tensor, aspect: float) -> Tensor:
    """From where each point of the result is taken: float (B, 2, 3), in coordinates that run from -1 to 1.

    angle, shear: radians (B,). shift: (B, 2) as (right, down) in sides. size: (B,). aspect: width / height.
    The picture goes through shear, rotation, size, shift, about its centre; this is the inverse of that map.
    """
    cos, sin, tan = angle.cos() / size, angle.sin() / size, shear.tan()
    right, down = 2 * shift[:, 0], 2 * shift[:, 1]
    # Rotation back, then shear back, in pixels (y down): [[1, -tan], [0, 1]] @ [[cos, -sin], [sin, cos]].
    xx, xy = cos - tan * sin, (-sin - tan * cos) / aspect  # a full width is 2 units and so is a full height
    yx, yy = sin * aspect, cos
    return torch.stack([xx, xy, -xx * right - xy * down, yx, yy, -yx * right - yy * down], 1).view(-1, 2, 3)


def warp(pictures: Tensor, matrices: Tensor, outside: Literal["zeros", "border"] = "zeros") -> Tensor:
    """Pictures (B, C, H, W) resampled where matrices, float (B, 2, 3), say, as F.affine_grid reads them.

    outside: black, or as the edge. The grid is built here because a sum of one row and one column is four times faster
    than affine_grid's product.
    """
    height, width = pictures.shape[-2:]
    x = (torch.arange(width, dtype=matrices.dtype, device=matrices.device) * 2 + 1) / width - 1  # centres of the pixels
    y = (torch.arange(height, dtype=matrices.dtype, device=matrices.device) * 2 + 1) / height - 1
    along, down = matrices[:, :, 0, None] * x, matrices[:, :, 1, None] * y + matrices[:, :, 2, None]  # (B, 2, W or H)
    grid = torch.stack([along[:, axis, None, :] + down[:, axis, :, None] for axis in (0, 1)], dim=-1)  # (B, H, W, 2)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode=outside, align_corners=False)


def erase(pictures: Tensor, draws: Draws, probability: float, area: tuple[float, float]) -> Tensor:
    """A rectangle of this share of the picture made black, wholly inside, with this probability."""
    height, width = pictures.shape[-2:]
    unit = draws.uniform(ERASE, 5)  # (B, 5)
    surface = (area[0] + (area[1] - area[0]) * unit[:, 0]) * height * width
    low, high = map(math.log, ASPECTS)
    aspect = torch.exp(low + (high - low) * unit[:, 1])
    tall = (surface * aspect).sqrt().round().clamp(1, height)
    wide = (surface / aspect).sqrt().round().clamp(1, width)
    rows = _between(height, (unit[:, 2] * (height - tall + 1)).floor(), tall)  # (B, H)
    columns = _between(width, (unit[:, 3] * (width - wide + 1)).floor(), wide)  # (B, W)
    chosen = unit[:, 4] < probability
    hidden = rows[:, None, :, None] & columns[:, None, None, :] & chosen[:, None, None, None]  # (B, 1, H, W)
    return pictures.masked_fill(hidden, 0)


def _between(side: int, first: Tensor, length: Tensor) -> Tensor:
    at = torch.arange(side, device=first.device)
    return (at >= first[:, None]) & (at < (first + length)[:, None])
