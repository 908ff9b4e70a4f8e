"""Small tables, sounds and choices that an experiment can be run on, made on the spot."""

from __future__ import annotations

import csv
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

WORDS = ["good", "bad", "fine", "awful", "food", "room", "staff", "view", "cold", "warm"]


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], *, delimiter: str = ",", header: bool = True) -> Path:
    """Rows as csv. Values as `str` gives them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        if header:
            writer.writeheader()
        writer.writerows(rows)
    return path


def guests(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows with a column of every kind that a text file holds; `happy` and `stars` can be learned from them."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        nights, happy = int(rng.integers(1, 9)), int(rng.integers(0, 2))
        said = rng.choice(WORDS[happy : happy + 6], size=4)
        rows.append(
            {
                "guest": f"g{number % 40}",
                "nights": nights if number % 7 else "",
                "price": f"{40 + 90 * rng.random():.2f}",
                "rate": f"{rng.random():.4f}",
                "city": ("Rome", "Oslo", "Lima")[number % 3],
                "tags": "|".join(sorted({"bar", "pool", "spa"} - {("bar", "pool", "spa")[number % 3]})),
                "day": f"2024-{1 + number % 12:02d}-{1 + number % 28:02d}",
                "review": " ".join(said),
                "happy": ("no", "yes")[happy],
                "stars": f"{1 + 3 * happy + 0.1 * nights:.1f}",
                "praise": "|".join(sorted(set(said) & {"good", "fine", "warm"})),
            }
        )
    return rows


def choices(users: int, items: int, each: int, seed: int = 0) -> list[dict[str, Any]]:
    """Who chose what and when: every user likes one of two halves of the items."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        half = np.arange(items // 2) + (user % 2) * (items // 2)
        for place, item in enumerate(rng.choice(half, size=each, replace=False)):
            stars = 4 + int(rng.integers(0, 2))
            rows.append({"user": f"u{user}", "item": f"i{item}", "stars": stars, "when": 1000 * place + user})
    return rows


def write_sound(path: Path, hertz: float, *, seconds: float = 0.3, rate: int = 8000, seed: int = 0) -> Path:
    """A tone with a little noise, as 16-bit wav."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    samples = 0.4 * np.sin(2 * np.pi * hertz * time) + 0.02 * rng.normal(size=len(time))
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path
