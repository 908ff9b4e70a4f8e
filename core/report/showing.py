"""What an example looked like, for a person: a small picture, its text, or what its row says.

Made from what lies encoded in memory, by the column's own numbers, so it is what the model was given: a picture after
scaling and cropping, a text as its tokens spell it, a number in the user's units.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ft.core.data.columns.base import Column
from ft.core.data.stored import Stored, take
from ft.core.data.tokens.base import FIRST, PADDING, UNKNOWN

EXACT = 64  # pixels: pictures up to this side are kept as they are, as PNG
SIDE = 128  # pixels of larger ones, as JPEG, which is a fifth of the size
WORDS = 280  # characters of a text or row
ENTRIES = 6  # of a vector


@dataclass(frozen=True)
class Shown:
    """One input of one example. name: the input's. picture: a data URI, or empty. words: or what it says."""

    name: str
    picture: str = ""
    words: str = ""


def show(columns: Mapping[str, Column], inputs: Mapping[str, Stored], rows: Tensor) -> list[list[Shown]]:
    """Of each row, its inputs, as far as they can be shown. rows: int64 (M,), on the CPU.

    Raises DataError naming a file that can no longer be read.
    """
    found: list[list[Shown]] = [[] for _ in rows]
    for name, column in columns.items():
        if column.kind not in KINDS or not len(rows):
            continue
        for place, (picture, words) in enumerate(KINDS[column.kind](column, take(inputs[name], rows).cpu())):
            found[place].append(Shown(name, picture, words))
    return found


Parts = list[tuple[str, str]]  # of each row: a data URI or "", words or ""


def _images(column: Any, stored: Tensor) -> Parts:  # noqa: ARG001
    """uint8 (M, C, H, W)."""
    return [(data_uri(pixels.numpy()), "") for pixels in stored]


def _sounds(column: Any, stored: Tensor) -> Parts:
    """int16 (M, samples) -> the log-mel pictures that the model sees, low sounds below, loud ones dark."""
    logs = column.prepare(stored)[:, 0].flip(1)  # (M, mels, frames)
    low, high = logs.amin((1, 2), keepdim=True), logs.amax((1, 2), keepdim=True)
    loud = (logs - low) / (high - low).clamp(min=1e-9)
    return [(data_uri(pixels[None].numpy()), "") for pixels in (255 - 255 * loud).round().to(torch.uint8)]


def _texts(column: Any, stored: Tensor) -> Parts:
    """int64 (M, T), padded."""
    return [("", _cut(_spelled(column, [token for token in row if token != PADDING]))) for row in stored.tolist()]


def _spelled(column: Any, tokens: list[int]) -> str:
    vocabulary, numbers = column.tokenizer.vocabulary(), [token - FIRST for token in tokens]
    if vocabulary is None:
        return bytes(numbers).decode(errors="replace")
    if isinstance(vocabulary, str):
        from tokenizers import Tokenizer  # the library that numbered them

        return str(Tokenizer.from_str(vocabulary).decode(numbers))
    known = ["…" if token == UNKNOWN else vocabulary[token - FIRST] for token in tokens]
    if column.tokens == "chars":
        return "".join(token for token in known if len(token) == 1)  # longer ones are runs of those before
    return " ".join(token for token in known if " " not in token)


def _numbers(column: Any, stored: Tensor) -> Parts:
    """float32 (M,), in the user's units or as normal ranks."""
    values = stored.double().reshape(-1)
    if column.quantiles:
        quantiles = np.asarray(column.quantiles)
        ranks = torch.special.ndtr(values).numpy()
        values = torch.from_numpy(np.interp(ranks, np.linspace(0, 1, len(quantiles)), quantiles))
    about = "about " if column.quantiles else ""
    return [("", "missing" if value != value else f"{about}{value:.4g}") for value in values.tolist()]


def _categories(column: Any, stored: Tensor) -> Parts:
    """int64 (M,)."""
    names = ["(not in training)", *column.classes] if column.unknown else list(column.classes)
    return [("", names[index] or "missing") for index in stored.tolist()]


def _dates(column: Any, stored: Tensor) -> Parts:
    """float32 (M, 7): the first is the day."""
    days = (stored[:, 0].double() * column.std + column.mean).round().tolist()
    return [("", "missing" if day != day else str(np.datetime64(int(day), "D"))) for day in days]


def _sets(column: Any, stored: Tensor) -> Parts:
    """int64 (M, T), padded; 1 is a name that training does not have."""
    names = ("", "…", *column.names)
    return [("", _cut(", ".join(names[index] for index in row if index != PADDING))) for row in stored.tolist()]


def _vectors(column: Any, stored: Tensor) -> Parts:  # noqa: ARG001
    """float32 (M, ...)."""
    flat = stored.flatten(1)
    more = ", …" if flat.shape[1] > ENTRIES else ""
    return [("", ", ".join(f"{value:.3g}" for value in row) + more) for row in flat[:, :ENTRIES].tolist()]


KINDS: dict[str, Callable[[Any, Tensor], Parts]] = {
    "image": _images,
    "audio": _sounds,
    "text": _texts,
    "number": _numbers,
    "category": _categories,
    "date": _dates,
    "set": _sets,
    "vector": _vectors,
}


def data_uri(pixels: np.ndarray) -> str:
    """uint8 (1 or 3, H, W) as a picture inside a page: small ones exactly, large ones scaled to SIDE."""
    from PIL import Image

    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1))
    buffer = io.BytesIO()
    small = max(image.size) <= EXACT
    if small:
        image.save(buffer, "PNG", optimize=True)
    else:
        image.thumbnail((SIDE, SIDE))
        image.save(buffer, "JPEG", quality=82)
    text = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/{'png' if small else 'jpeg'};base64,{text}"


def _cut(words: str) -> str:
    return words if len(words) <= WORDS else f"{words[: WORDS - 1]}…"
