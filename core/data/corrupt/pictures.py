"""Pictures as a bad camera, a bad light or a bad file gives them, at five severities.

After Hendrycks and Dietterich 2019 (arXiv:1903.12261), "Benchmarking Neural Network Robustness to Common Corruptions
and Perturbations". Strengths of noise, brightness, contrast and JPEG are theirs for ImageNet. Ours differ where theirs
are made for 224 x 224 alone: blurs grow with the picture's shorter side, so that 28 pixels are blurred and not wiped
out. Brightness is added to every channel, where theirs moves HSV's value; motion is an even stroke, where theirs fades
out. Rotation and occlusion are not among their fifteen, of which eight others are not here.

Every function: pixels float (B, C, H, W) in 0..1, severity 1..5, draws -> new pixels alike, perhaps beyond 0..1.
A severity draws the same as the others, so that the five show one noise, one place, one direction growing. What a
picture becomes does not depend on the others of its batch, not by a bit: all sums run in a fixed order.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ft.core.data.augment import LEVELS, Change, Draws, affine_matrices, warp

GAUSSIAN_STD = (0.08, 0.12, 0.18, 0.26, 0.38)
PHOTONS = (60, 25, 12, 5, 3)  # counted at a white pixel
BLUR_STD = (1.4, 2.2, 3.2, 4.5, 6.5)  # pixels at USUAL_SIDE; with the square root of the side
MOTION = (8.0, 14.0, 20.0, 28.0, 40.0)  # pixels at USUAL_SIDE; with the side to the power of three quarters
LIGHTER = (0.1, 0.2, 0.3, 0.4, 0.5)
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)  # what is left of it
DEGREES = (10.0, 20.0, 30.0, 45.0, 60.0)
HIDDEN = (0.2, 0.3, 0.4, 0.5, 0.6)  # share of each side
QUALITY = (25, 18, 15, 10, 7)

USUAL_SIDE = 224
LEAST_SIDE = 16  # smaller pictures are blurred as this one: less would not be seen in whole pixels
DIRECTIONS = 16  # of a stroke, over half a turn
GREY = 0.5
WHITE = 255

Corruption = Callable[[Tensor, int, Draws], Tensor]


def change(corruption: Corruption, severity: int, key: int) -> Change:
    """uint8 (B, C, H, W) -> the same, corrupted and rounded to the 256 levels of a file. key: keeps inputs apart."""

    def corrupt(stored: Tensor, draws: Draws) -> Tensor:
        pixels = corruption(stored.float() / WHITE, severity, draws.apart(key))
        return (pixels * WHITE).round_().clamp_(0, WHITE).to(torch.uint8)

    return corrupt


def gaussian_noise(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Of a sensor in the dark: normal, independent for each pixel and channel."""
    return pixels + GAUSSIAN_STD[severity - 1] * draws.normal(0, pixels[0].numel()).view(pixels.shape)


def shot_noise(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Of light that comes in grains: counts of a Poisson distribution with the pixel's brightness as its mean."""
    photons = PHOTONS[severity - 1]
    keys, width = _poisson_keys(photons, pixels.device)
    level = (pixels * WHITE).round_().int().contiguous()  # (B, C, H, W)
    drawn = draws.levels(0, pixels[0].numel()).view(pixels.shape)
    counts = torch.searchsorted(keys, level * 2 * LEVELS + drawn, right=True) - level * width
    return counts.float() / photons


@lru_cache(maxsize=16)
def _poisson_keys(photons: int, device: torch.device) -> tuple[Tensor, int]:
    """The inverse of every grey level's distribution function, in one rising int32 tensor, and the width of a level.

    Of level g, the keys are g * 2 * LEVELS + (the number of draws below P(count <= k)), k = 0, 1, ...
    """
    with torch.inference_mode(False):
        means = torch.arange(WHITE + 1, dtype=torch.float64)[:, None] * photons / WHITE  # (256, 1)
        counts = torch.arange(photons + 8 * math.isqrt(photons) + 8, dtype=torch.float64)  # (K,), to beyond 1 - 2**-17
        logs = torch.special.xlogy(counts, means) - means - torch.lgamma(counts + 1)
        below = (logs.exp().cumsum(1) * LEVELS - 0.5).ceil().clamp_(0, LEVELS).int()  # (256, K)
        levels = torch.arange(WHITE + 1, dtype=torch.int32)[:, None] * 2 * LEVELS
        return (levels + below).flatten().to(device), len(counts)


def gaussian_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:  # noqa: ARG001 - nothing is drawn
    """Out of focus: a normal kernel cut at three deviations, the picture mirrored at its edges."""
    side = min(pixels.shape[2:])
    std = BLUR_STD[severity - 1] * math.sqrt(max(side, LEAST_SIDE) / USUAL_SIDE)
    radius = min(int(3 * std + 0.5), side - 1)
    weights = [math.exp(-0.5 * (step / std) ** 2) for step in range(-radius, radius + 1)]
    blurred = F.pad(pixels, (radius,) * 4, mode="reflect")
    for axis in (2, 3):
        length, padded = pixels.shape[axis], blurred
        blurred = _in_order(padded.narrow(axis, at, length) * (w / sum(weights)) for at, w in enumerate(weights))
    return blurred


def motion_blur(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Shaken: the mean along a straight stroke in one of sixteen directions, the edge's pixels going on outside."""
    height, width = pixels.shape[2:]
    length = MOTION[severity - 1] * (max(LEAST_SIDE, min(height, width)) / USUAL_SIDE) ** 0.75
    steps = torch.linspace(-length / 2, length / 2, 2 * math.ceil(length / 2) + 1).tolist()
    reach = math.ceil(length / 2)
    padded = F.pad(pixels, (reach,) * 4, mode="replicate")
    direction = (draws.uniform(0)[:, 0] * DIRECTIONS).int()  # (B,)
    blurred = torch.empty_like(pixels)
    for number in sorted(set(direction.tolist())):
        rows = direction == number
        some, angle = padded[rows], math.pi * number / DIRECTIONS
        places = [(reach + round(step * math.sin(angle)), reach + round(step * math.cos(angle))) for step in steps]
        strokes = (some[:, :, down : down + height, right : right + width] for down, right in places)
        blurred[rows] = _in_order(strokes) / len(steps)
    return blurred


def brightness(pixels: Tensor, severity: int, draws: Draws) -> Tensor:  # noqa: ARG001
    """Too much light: the same added everywhere, cut at white."""
    return pixels + LIGHTER[severity - 1]


def contrast(pixels: Tensor, severity: int, draws: Draws) -> Tensor:  # noqa: ARG001
    """Mist: all pixels nearer to the mean of their channel."""
    total = (pixels * WHITE).round_().long().sum((2, 3), keepdim=True)  # exact in any order
    mean = total.float() / (WHITE * pixels.shape[2] * pixels.shape[3])
    return mean + (pixels - mean) * CONTRAST[severity - 1]


def rotation(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Held askew: turned about the centre, to the left or to the right; bilinear, black outside."""
    height, width = pixels.shape[2:]
    angle = torch.tensor([-1.0, 1.0], device=pixels.device) * math.radians(DEGREES[severity - 1])
    still = torch.zeros_like(angle)
    both = affine_matrices(angle, torch.stack([still, still], 1), still + 1, still, aspect=width / height)  # (2, 2, 3)
    return warp(pixels, both[(draws.uniform(0)[:, 0] < 0.5).long()])


def occlusion(pixels: Tensor, severity: int, draws: Draws) -> Tensor:
    """Something in front: a grey rectangle of the picture's proportions anywhere wholly inside."""
    height, width = pixels.shape[2:]
    tall, wide = (max(1, round(side * HIDDEN[severity - 1])) for side in (height, width))
    unit = draws.uniform(0, 2)  # (B, 2)
    down = _within(height, unit[:, 0] * (height - tall + 1), tall)[:, None, :, None]
    along = _within(width, unit[:, 1] * (width - wide + 1), wide)[:, None, None, :]
    return pixels.masked_fill(down & along, GREY)


def jpeg(pixels: Tensor, severity: int, draws: Draws) -> Tensor:  # noqa: ARG001
    """Saved too small: through Pillow's JPEG. Channels that are neither one nor three are saved one by one."""
    from PIL import Image

    grey = pixels.shape[1] != 3
    levels = (pixels * WHITE).round_().to(torch.uint8).cpu()
    pictures = (levels.flatten(0, 1) if grey else levels.permute(0, 2, 3, 1)).contiguous().numpy()  # (N, H, W[, 3])
    out = np.empty_like(pictures)
    for place, picture in enumerate(pictures):  # threads are slower: most of the time Pillow holds the lock
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=QUALITY[severity - 1])
        with Image.open(file, formats=["JPEG"]) as image:
            out[place] = image
    saved = torch.from_numpy(out)
    saved = saved.view(levels.shape) if grey else saved.permute(0, 3, 1, 2)
    return saved.to(pixels.device).float() / WHITE


def _in_order(parts: Iterable[Tensor]) -> Tensor:
    """Their sum, one after the other, each product and each sum rounded by itself."""
    rest = iter(parts)
    total = next(rest).clone()
    for part in rest:
        total += part
    return total


def _within(side: int, first: Tensor, length: int) -> Tensor:
    """bool (B, side): whether a place is one of the `length` from `first` (B,), rounded down, on."""
    at = torch.arange(side, device=first.device) - first.floor()[:, None]
    return (at >= 0) & (at < length)
