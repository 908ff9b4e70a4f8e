"""Pictures and sounds by plain convolutions: blocks that halve both sides, then a mean.

A block is Conv2d 3x3, batch norm, max-pool 2, ReLU: the pool before the ReLU, with which it commutes exactly, because
ReLU then works on a quarter of the values. An odd side is rounded up, so small pictures never vanish.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ft.core.config.schema.model import AudioEncoder, ImageEncoder
from ft.core.errors import TreePath
from ft.core.models.forms import InputForm


def build_image(settings: ImageEncoder, form: InputForm, path: TreePath) -> tuple[nn.Module, int]:  # noqa: ARG001
    """float (B, C, H, W) -> (B, channels of the last block): the mean over the picture."""
    channels, *_ = form.shape
    return _encoder(channels, settings.channels, (2, 3), settings.dropout), settings.channels[-1]


def build_audio(settings: AudioEncoder, form: InputForm, path: TreePath) -> tuple[nn.Module, int]:  # noqa: ARG001
    """log-mel (B, 1, mels, frames) -> (B, channels of the last block * mels that are left): the mean over time.

    Where in the scale a sound lies is kept, when it comes is not.
    """
    channels, mels, _ = form.shape
    left = mels
    for _ in settings.channels:
        left = -(-left // 2)
    return _encoder(channels, settings.channels, (3,), settings.dropout), settings.channels[-1] * left


def _encoder(arrives: int, channels: Sequence[int], mean_over: tuple[int, ...], dropout: float) -> nn.Sequential:
    parts: list[nn.Module] = []
    for width in channels:
        parts.append(_block(arrives, width))
        arrives = width
    parts.append(MeanOver(mean_over))
    return nn.Sequential(*parts, *([nn.Dropout(dropout)] if dropout else []))


def _block(arrives: int, width: int) -> nn.Sequential:
    block = nn.Sequential()
    block.add_module("conv", nn.Conv2d(arrives, width, 3, padding=1, bias=False))  # batch norm brings the bias
    block.add_module("norm", nn.BatchNorm2d(width))
    block.add_module("pool", nn.MaxPool2d(2, ceil_mode=True))
    block.add_module("relu", nn.ReLU(inplace=True))
    return block


class MeanOver(nn.Module):
    """(B, C, H, W) -> the mean over the axes, the others flattened: (B, D)."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(self.axes).flatten(1)

    def extra_repr(self) -> str:
        return f"axes={self.axes}"
