"""Small data made by hand, and settings as the file would give them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from ft.core.config.schema import DataSection, InputColumn, OutputColumn

Write = Callable[..., Path]


@pytest.fixture
def data_section() -> Callable[..., Any]:
    """`data_section(source=..., ...)` -> the section, validated."""
    return lambda **settings: TypeAdapter(DataSection).validate_python(settings)


@pytest.fixture
def input_column() -> Callable[..., Any]:
    return lambda **settings: TypeAdapter(InputColumn).validate_python(settings)


@pytest.fixture
def output_column() -> Callable[..., Any]:
    return lambda **settings: TypeAdapter(OutputColumn).validate_python(settings)


@pytest.fixture
def write_idx() -> Callable[[Path, np.ndarray], None]:
    """The format written out by hand: magic number, lengths, values, all big-endian."""

    def write(path: Path, array: np.ndarray) -> None:
        codes = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
        head = bytes([0, 0, codes[array.dtype.str[1:]], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(head + array.astype(array.dtype.newbyteorder(">")).tobytes())

    return write


@pytest.fixture
def write_mnist(write_idx: Callable[[Path, np.ndarray], None]) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Files of the MNIST form with random pictures; training's pictures and labels come back."""

    def write(folder: Path, train: int = 60, test: int = 20) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        made = []
        for prefix, count in (("train", train), ("t10k", test)):
            images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            labels = (np.arange(count) % 10).astype(np.uint8)
            write_idx(folder / f"{prefix}-images-idx3-ubyte", images)
            write_idx(folder / f"{prefix}-labels-idx1-ubyte", labels)
            made.append((images, labels))
        return made[0]

    return write


@pytest.fixture
def write_pictures() -> Callable[..., None]:
    """`write_pictures(folder, count, colour)`: PNG files of one colour, an int or (r, g, b), 10 x 10."""
    from PIL import Image

    def write(folder: Path, count: int = 3, colour: Any = 0, size: tuple[int, int] = (10, 10)) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            mode = "L" if isinstance(colour, int) else "RGB"
            Image.new(mode, size, colour).save(folder / f"{number}.png")

    return write
