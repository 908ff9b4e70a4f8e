"""The whole way from what a column keeps to the answer as one module, for exporters: preparing, network, decision.

Preparing is `Column.prepare` without augmentation, with what was fitted as buffers: the columns' own functions keep
their constants for later calls, and tracing would leave tensors there that hold no values. Columns that are not here
are prepared by their encoding alone, which is no arithmetic: tokens, names, quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ft.core.data import sound
from ft.core.data.columns import Column
from ft.core.data.columns.audio import AudioColumn, log_mel
from ft.core.data.columns.date import DateColumn
from ft.core.data.columns.image import ImageColumn
from ft.core.data.columns.number import NumberColumn
from ft.core.data.columns.vector import VectorColumn
from ft.core.errors import ConfigError
from ft.core.models.heads import Head
from ft.core.models.network import Network
from ft.core.models.rewrite import run_as_written
from ft.core.ship.layers import replace_layers
from ft.core.ship.onnx_model import RAW

PROBABILITIES = ".probabilities"  # behind an output's name
EXAMPLES, LENGTH = 3, 4  # of what is traced: more than 1, which would be taken for a constant
UNSUPPORTED = ("history", "ranking")


class Graph(nn.Module):
    """Inputs as their columns keep them, by position, (B, ...) -> by name, for every output: the decision, what
    `Decoded` calls prediction; probabilities, float32 (B, K), of all but numbers; and the network's raw answer.
    """

    def __init__(
        self, network: Network, inputs: Mapping[str, Column], heads: Mapping[str, Head], *, onnx: bool = False
    ) -> None:
        """network: changed in place into a form that can be traced. onnx: for that format alone.

        Raises ConfigError for rankings.
        """
        super().__init__()
        if ranked := [name for name, column in inputs.items() if column.kind in UNSUPPORTED]:
            raise ConfigError(f"{ranked[0]} is a history, which is of the users of training: it cannot be exported")
        if ranked := [name for name, head in heads.items() if not head.answers_by_example]:
            raise ConfigError(f"{ranked[0]} ranks the items of training for its users: that cannot be exported")
        run_as_written(network.module)
        network.module.requires_grad_(False)
        network.module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        replace_layers(network.module, onnx=onnx)
        self.network, self.inputs, self.heads = network, tuple(inputs), heads
        self.module = network.module.eval()
        self.preparing = nn.ModuleList(preparing(column) for column in inputs.values())

    @property
    def names(self) -> list[str]:
        """Of what comes out, in its order."""
        found = []
        for name, head in self.heads.items():
            decided = head.decode(torch.zeros(1, head.size)).probabilities is not None
            found += [name, *([f"{name}{PROBABILITIES}"] if decided else []), f"{name}{RAW}"]
        return found

    def forward(self, *kept: Tensor) -> dict[str, Tensor]:
        prepared = [prepare(values) for prepare, values in zip(self.preparing, kept, strict=True)]
        raw = self.network(dict(zip(self.inputs, prepared, strict=True)))
        answers: dict[str, Tensor] = {}
        for name, head in self.heads.items():
            decoded = head.decode(raw[name])
            answers[name] = decoded.prediction
            if decoded.probabilities is not None:
                answers[f"{name}{PROBABILITIES}"] = decoded.probabilities
            answers[f"{name}{RAW}"] = raw[name].float()
        return answers


def example(column: Column) -> Tensor:
    """Something of the form that a column keeps, (EXAMPLES, ...)."""
    match column:
        case ImageColumn():
            return torch.zeros(EXAMPLES, *column.shape, dtype=torch.uint8)
        case AudioColumn():
            return torch.zeros(EXAMPLES, column.framing.samples, dtype=torch.int16)
        case NumberColumn():
            return torch.zeros(EXAMPLES)
        case VectorColumn():
            return torch.zeros(EXAMPLES, *column.size)
        case DateColumn():
            return torch.zeros(EXAMPLES, 7)
    return torch.ones(EXAMPLES, *(min(LENGTH, size) for size in column.shape), dtype=torch.int64)


def has_length(column: Column) -> bool:
    """Whether its batches are as long as the longest row of theirs."""
    return column.kind in ("text", "set") and column.shape[0] > 1


# ---------------------------------------------------------------- preparing


def preparing(column: Column) -> nn.Module:
    """`column.prepare` without draws, as a module."""
    kind = PREPARING.get(column.kind)
    return nn.Identity() if kind is None else kind(column)


class _Picture(nn.Module):
    """uint8 (B, C, H, W) -> float32, (x / 255 - mean) / std."""

    scale: Tensor
    shift: Tensor

    def __init__(self, column: ImageColumn) -> None:
        super().__init__()
        mean, std = (torch.tensor(each, dtype=torch.float64)[:, None, None] for each in (column.mean, column.std))
        self.register_buffer("scale", (1 / (255 * std)).float())
        self.register_buffer("shift", (-mean / std).float())

    def forward(self, kept: Tensor) -> Tensor:
        return kept.float() * self.scale + self.shift


class _Numbers(nn.Module):
    """float32 (B,) -> (B, 1), or (B, ..., K), standardised; with flag twice as long, `instead` for what is missing."""

    mean: Tensor
    std: Tensor
    instead: Tensor

    def __init__(self, column: NumberColumn | VectorColumn) -> None:
        super().__init__()
        self.scalar, self.flag = isinstance(column, NumberColumn), column.flag
        zeros, ones = torch.zeros(1), torch.ones(1)
        self.register_buffer("mean", torch.tensor(column.mean).view(-1) if column.mean != () else zeros)
        self.register_buffer("std", torch.tensor(column.std).view(-1) if column.std != () else ones)
        self.register_buffer("instead", torch.tensor(column.instead).view(-1))

    def forward(self, kept: Tensor) -> Tensor:
        numbers = ((kept[:, None] if self.scalar else kept) - self.mean) / self.std
        if not self.flag:
            return numbers
        lacking = numbers.isnan()
        return torch.cat([torch.where(lacking, self.instead, numbers), lacking.to(numbers.dtype)], dim=-1)


class _Sound(nn.Module):
    """int16 (B, samples) -> log-mel, float32 (B, 1, mels, frames)."""

    mean: Tensor
    std: Tensor

    def __init__(self, column: AudioColumn) -> None:
        super().__init__()
        self.framing = column.framing
        log_mel(torch.zeros(1, column.framing.samples), column.framing)  # its window and filters are kept from here on
        self.register_buffer("mean", torch.tensor(column.mean)[:, None])
        self.register_buffer("std", torch.tensor(column.std)[:, None])

    def forward(self, kept: Tensor) -> Tensor:
        logs = log_mel(kept.float() * (1 / sound.FULL_SCALE), self.framing)
        return ((logs - self.mean) / self.std)[:, None]


class _Moments(nn.Module):
    """float32 (B, 7) -> the same, or with flag (B, 8)."""

    def __init__(self, column: DateColumn) -> None:
        super().__init__()
        self.flag = column.flag

    def forward(self, kept: Tensor) -> Tensor:
        if not self.flag:
            return kept
        return torch.cat([torch.nan_to_num(kept, 0.0), kept[:, :1].isnan().to(kept.dtype)], dim=1)


PREPARING: Mapping[str, Callable[..., nn.Module]] = {
    "image": _Picture,
    "audio": _Sound,
    "number": _Numbers,
    "vector": _Numbers,
    "date": _Moments,
}
