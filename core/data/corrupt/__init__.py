"""Corruptions of what a model is shown, for judging how robust it is: five severities of each, the same every time.

A new one is a function in one of the files here, a line in CORRUPTIONS, and its name in the schema. What an example
becomes is a function of (seed, corruption, severity, example).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

__all__ = ["CORRUPTIONS", "corruption_of"]

_HERE = "ft.core.data.corrupt"

# By the kind of an input's column. Categories, sets, dates and histories have none: one value is not near another.
CORRUPTIONS: Mapping[str, Mapping[str, str]] = {
    "image": {
        "gaussian_noise": f"{_HERE}.pictures:gaussian_noise",
        "shot_noise": f"{_HERE}.pictures:shot_noise",
        "gaussian_blur": f"{_HERE}.pictures:gaussian_blur",
        "motion_blur": f"{_HERE}.pictures:motion_blur",
        "brightness": f"{_HERE}.pictures:brightness",
        "contrast": f"{_HERE}.pictures:contrast",
        "rotation": f"{_HERE}.pictures:rotation",
        "occlusion": f"{_HERE}.pictures:occlusion",
        "jpeg": f"{_HERE}.pictures:jpeg",
    },
    "text": {
        "typos": f"{_HERE}.texts:typos",
        "word_drops": f"{_HERE}.texts:word_drops",
    },
    "number": {
        "number_noise": f"{_HERE}.numbers:number_noise",
        "missing_numbers": f"{_HERE}.numbers:missing_numbers",
    },
    "vector": {
        "number_noise": f"{_HERE}.numbers:number_noise",
        "missing_numbers": f"{_HERE}.numbers:missing_numbers",
    },
    "audio": {
        "background_noise": f"{_HERE}.sounds:background_noise",
        "clipped": f"{_HERE}.sounds:clipped",
        "quieter": f"{_HERE}.sounds:quieter",
    },
}


def corruption_of(kind: str, name: str) -> Any:
    """The function that corrupts inputs of this kind."""
    module, function = CORRUPTIONS[kind][name].split(":")
    return getattr(import_module(module), function)
