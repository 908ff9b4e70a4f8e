"""Settings for pictures and sounds, from a sample of the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ft.core.data.checks.files import UnusableError
from ft.core.data.checks.pictures import examine as examine_picture
from ft.core.data.checks.sounds import examine as examine_sound

SAMPLE = 100  # files that are opened
SMALL = 64  # pixels: pictures of one size up to this are taken as they are, others brought to it
PHOTO_SIDES = (224, 128, 64)  # what photos are brought to: 224 is what most pretrained networks were trained on
RATE = 16_000  # samples a second, above which speech gains nothing
SHORT = 0.1  # seconds that lengths are rounded up to


def image_settings(paths: Sequence[Path]) -> dict[str, Any]:
    """A picture column: the pictures' own size where they agree on a small one, else 64."""
    sizes = _sizes(paths)
    (height, width), number = sizes.most_common(1)[0] if sizes else ((SMALL, SMALL), 0)
    if number < 0.9 * sum(sizes.values()) or max(height, width) > SMALL:
        height = width = SMALL
    return {"type": "image", "size": height if height == width else [height, width]}


def photo_settings(paths: Sequence[Path]) -> dict[str, Any] | None:
    """The same for a network that was trained on photos: three channels, and the largest of its sides that these
    pictures nearly have. None where they are smaller than all, as digits are.
    """
    shorter = sorted(min(size) for size in _sizes(paths).elements())
    typical = shorter[len(shorter) // 2] if shorter else 0
    if typical < PHOTO_SIDES[-1]:
        return None
    side = next(side for side in PHOTO_SIDES if typical >= 0.7 * side)
    return {"type": "image", "size": side, "channels": 3, "augment": "standard"}


def _sizes(paths: Sequence[Path]) -> Counter[tuple[int, int]]:
    """How often each height and width comes, of those that can be read."""
    sizes: Counter[tuple[int, int]] = Counter()
    for path in _some(paths):
        try:
            picture = examine_picture(path.read_bytes())
        except (UnusableError, OSError):
            continue
        sizes[(picture.height, picture.width)] += 1
    return sizes


def audio_settings(paths: Sequence[Path]) -> dict[str, Any]:
    """A sound column: long enough for 95 % of the sounds, at their own rate up to 16,000."""
    lengths, rates = [1.0], Counter({RATE: 0})
    for path in _some(paths):
        try:
            sound = examine_sound(path.read_bytes())
        except (UnusableError, OSError):
            continue
        lengths.append(sound.seconds)
        rates[sound.rate] += 1
    seconds = float(np.ceil(np.percentile(lengths[1:] or lengths, 95) / SHORT) * SHORT)
    return {"type": "audio", "seconds": round(seconds, 1), "rate": min(RATE, rates.most_common(1)[0][0])}


def _some(paths: Sequence[Path]) -> Sequence[Path]:
    """Up to SAMPLE of them, spread over all."""
    return paths[:: max(1, len(paths) // SAMPLE)]
