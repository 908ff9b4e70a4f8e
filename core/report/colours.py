"""Colour maps in which equal steps look equal, computed in Oklab (Ottosson 2020, "A perceptual color space").

`HEAT` runs from a dark violet through blue and green to a light yellow, its lightness rising all the way, so that it
reads in grey too, and by those who see few colours. `SIGNED` runs from blue through near white to orange red: against
and for. Both are tables of 256 sRGB colours, uint8 (256, 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.uint8]
Floats = NDArray[np.float64]

LEVELS = 256
_FINE = 4096  # points of a path before it is cut into equal steps

_FROM_OKLAB = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_LINEAR = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def to_srgb(oklab: Floats) -> Floats:
    """(N, 3) of lightness, a and b -> sRGB in 0..1, cut where the screen has no such colour."""
    linear = ((oklab @ _FROM_OKLAB.T) ** 3) @ _TO_LINEAR.T
    linear = np.clip(linear, 0, 1)
    return np.asarray(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def _table(lightness: Floats, chroma: Floats, hue_degrees: Floats) -> Colours:
    """Along a smooth path near some knots, evenly spaced: 256 colours at equal distances in Oklab."""
    at, knots = np.linspace(0, 1, _FINE), np.linspace(0, 1, len(lightness))
    degree = min(len(knots) - 1, 3)
    curves = (np.polyfit(knots, each, degree) for each in (lightness, chroma, np.radians(hue_degrees)))
    light, strong, hue = (np.polyval(curve, at) for curve in curves)
    path = np.stack([light, strong * np.cos(hue), strong * np.sin(hue)], axis=1)
    walked = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.linspace(0, walked[-1], LEVELS)
    steps = np.stack([np.interp(even, walked, path[:, axis]) for axis in range(3)], axis=1)
    return np.rint(to_srgb(steps) * 255).astype(np.uint8)


HEAT = _table(
    np.array([0.25, 0.39, 0.53, 0.67, 0.81, 0.95]),
    np.array([0.105, 0.115, 0.085, 0.105, 0.145, 0.16]),
    np.array([312.0, 278.0, 225.0, 170.0, 130.0, 107.0]),
)
SIGNED = np.concatenate(
    [
        _table(np.array([0.42, 0.70, 0.97]), np.array([0.15, 0.115, 0.0]), np.array([258.0, 252.0, 250.0]))[::2],
        _table(np.array([0.97, 0.72, 0.50]), np.array([0.0, 0.13, 0.19]), np.array([45.0, 42.0, 32.0]))[::2],
    ]
)


def heat(values: NDArray[np.floating]) -> Colours:
    """Values in 0..1 of any shape -> uint8 (..., 3)."""
    return _looked_up(HEAT, values)


def signed(values: NDArray[np.floating]) -> Colours:
    """Values in -1..1 of any shape -> uint8 (..., 3)."""
    return _looked_up(SIGNED, (values + 1) / 2)


def _looked_up(table: Colours, values: NDArray[np.floating]) -> Colours:
    return np.asarray(table[np.clip(np.rint(values * (LEVELS - 1)), 0, LEVELS - 1).astype(np.int64)])
