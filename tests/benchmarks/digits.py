"""The data of the benchmark: the folder with MNIST's four files, or made-up digits of the same shape and sparseness."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

COUNTS = {"train": 60_000, "t10k": 10_000}
INK = 0.19  # share of MNIST's pixels that are not black


@contextmanager
def digits_folder(wish: Path | None) -> Iterator[tuple[Path, str]]:
    """The folder of the four .gz files, and a line that says what they are.

    wish: where they must be; None: at $FT_MNIST or in data/ if they are there, else made up for as long as it takes.
    """
    root = wish or Path(os.environ.get("FT_MNIST", "data"))
    folder = next(filter(_is_complete, (root, root / "mnist", root / "MNIST", root / "MNIST" / "raw")), None)
    if folder is not None:
        yield folder.resolve(), f"MNIST in {folder}"
        return
    if wish is not None:
        sys.exit(f"error: --data {wish}: expected there {', '.join(_names())}")
    with TemporaryDirectory(prefix="ft-bench-digits-") as made_up:
        _make_up(Path(made_up))
        yield Path(made_up), f"MADE UP, as MNIST is not in {root} (--data FOLDER): time counts, accuracy does not"


def _names() -> list[str]:
    return [f"{part}-{kind}-ubyte.gz" for part in COUNTS for kind in ("images-idx3", "labels-idx1")]


def _is_complete(folder: Path) -> bool:
    return all((folder / name).is_file() for name in _names())


def _make_up(folder: Path) -> None:
    """Ten fixed random shapes in random greys: easy to tell apart, about as long to unpack as MNIST."""
    draw = np.random.default_rng(0)
    shapes = draw.random((10, 28, 28)) < INK
    for part, count in COUNTS.items():
        digits = draw.integers(0, 10, count, np.uint8)
        pictures = draw.integers(0, 256, (count, 28, 28), np.uint8) * shapes[digits]
        _write(folder / f"{part}-images-idx3-ubyte.gz", pictures)
        _write(folder / f"{part}-labels-idx1-ubyte.gz", digits)


def _write(path: Path, array: np.ndarray) -> None:
    """The idx format: two zeros, 8 for uint8, the number of axes, each length as big-endian int32, the values."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header + array.tobytes())
