"""What `eval.corruptions` may be. What each corruption does is decided in core/data/corrupt."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

SEVERITIES = (1, 2, 3, 4, 5)

Corruption = Literal[
    "gaussian_noise",
    "shot_noise",
    "gaussian_blur",
    "motion_blur",
    "brightness",
    "contrast",
    "rotation",
    "occlusion",
    "jpeg",
    "typos",
    "word_drops",
    "number_noise",
    "missing_numbers",
    "background_noise",
    "clipped",
    "quieter",
]
Severity = Annotated[int, Field(ge=1, le=5)]
Severities = Annotated[list[Severity], Field(min_length=1)]
Corruptions: TypeAlias = (
    Literal["all"]
    | Annotated[list[Corruption], Field(min_length=1)]
    | Annotated[dict[Corruption, Severities], Field(min_length=1)]
)
CORRUPTED = "corrupted/"  # before a metric: its mean over corruptions and severities
