"""What an example is compared with when it is explained: an input that says nothing, in the form the model gets.

`BASELINES` is the whole family: by kind of input the words for it, the usual one first.

    image     black · mean: the mean colour of training · blur: the picture itself, with no detail left
    audio     silence · mean: each mel channel's mean of training · blur: the picture of the sound, blurred
    number, vector, date    mean: of training, the median where values go by their rank, nothing missing; of a date no
              time of year, week or day
    category  mean: of all known names' vectors · zero: the zero vector, which an unknown name has
    text, set, history      zero: of every token's vector, as padding has it
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from ft.core.data.columns import Column
from ft.core.data.columns.audio import AudioColumn
from ft.core.data.columns.category import CategoryColumn
from ft.core.data.columns.image import ImageColumn
from ft.core.data.columns.number import NumberColumn
from ft.core.data.columns.vector import VectorColumn
from ft.core.errors import ConfigError

BASELINES: Mapping[str, tuple[str, ...]] = {
    "image": ("black", "mean", "blur"),
    "audio": ("silence", "mean", "blur"),
    "number": ("mean",),
    "vector": ("mean",),
    "date": ("mean",),
    "category": ("mean", "zero"),
    "text": ("zero",),
    "set": ("zero",),
    "history": ("zero",),
}
BLUR = 1 / 8  # of a side: the deviation of the bell that blurs


def choose_baselines(columns: Mapping[str, Column], wish: str | None) -> dict[str, str]:
    """The word for each input: the wish where its kind knows it, else the usual one. Raises ConfigError where no input
    knows it, or its mean was never taken.
    """
    known = {name: BASELINES[column.kind] for name, column in columns.items()}
    if wish is not None and not any(wish in words for words in known.values()):
        there = "; ".join(f"{name} ({columns[name].kind}) knows {', '.join(words)}" for name, words in known.items())
        raise ConfigError(f"--baseline {wish}: no input knows it; {there}")
    chosen = {name: wish if wish is not None and wish in words else words[0] for name, words in known.items()}
    for name, column in columns.items():
        plain = isinstance(column, ImageColumn | AudioColumn) and set(column.mean) == {0.0} and set(column.std) == {1.0}
        if plain and chosen[name] == "mean":
            raise ConfigError(f"--baseline mean: {name} is not normalised, so its mean is not known; take another")
    return chosen


def baseline(column: Column, word: str, stored: Tensor, prepared: Tensor) -> Tensor:
    """What stands for nothing, as the model gets it: the shape of prepared, float (B, ...). stored: the same examples
    as the column keeps them; not needed but for pictures and sounds."""
    if word == "blur":
        return blurred(prepared)
    if word in ("black", "silence"):
        return column.prepare(torch.zeros_like(stored))
    nothing = torch.zeros_like(prepared)
    if isinstance(column, NumberColumn):
        nothing[:, 0] = column.instead
    elif isinstance(column, VectorColumn) and column.flag:
        nothing[..., : column.size[-1]] = torch.tensor(column.instead, dtype=nothing.dtype, device=nothing.device)
    return nothing


def tell_baseline(column: Column, word: str) -> str:
    """In words, with the value where it is one number."""
    if isinstance(column, NumberColumn):
        if column.quantiles:
            return f"{column.quantiles[len(column.quantiles) // 2]:.4g} (the median)"
        normalised = (column.mean, column.std) != (0.0, 1.0) or column.flag
        return (
            f"{column.mean + column.std * column.instead:.4g} (the mean)"
            if normalised
            else "0 (as it is not normalised)"
        )
    return "the mean of all names" if isinstance(column, CategoryColumn) and word == "mean" else word


def blurred(pictures: Tensor) -> Tensor:
    """float (B, C, H, W) with a bell of an eighth of each side, edges repeated."""
    channels = pictures.shape[1]
    for axis in (2, 3):
        side = pictures.shape[axis]
        reach = max(1, side // 4)
        places = torch.arange(-reach, reach + 1, dtype=pictures.dtype, device=pictures.device)
        bell = torch.exp(-0.5 * (places / max(1e-6, side * BLUR)).square())
        kernel = (bell / bell.sum()).reshape((1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1))
        padding = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        padded = functional.pad(pictures, padding, mode="replicate")
        pictures = functional.conv2d(padded, kernel.expand(channels, 1, -1, -1), groups=channels)
    return pictures
