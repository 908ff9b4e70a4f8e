"""Loose picture files for prediction, as the column that a checkpoint brings would have kept them in training."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ft.core.data import decode
from ft.core.data.columns.image import ImageColumn


def read_picture(path: str | Path, column: ImageColumn) -> Tensor:
    """uint8 (C, H, W) of the column's shape. Raises DataError naming the file when it cannot be read."""
    return torch.from_numpy(decode.read(Path(path), column.shape))
