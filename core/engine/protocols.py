"""What the engine asks of the parts it drives. Data, models and heads satisfy these without importing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ft.core.metrics.scores import Accumulator


class Batch(Protocol):
    """inputs and targets by column name, on the device; examples: int64 (B,) row numbers, on the CPU."""

    @property
    def inputs(self) -> Mapping[str, Tensor]: ...
    @property
    def targets(self) -> Mapping[str, Tensor]: ...
    @property
    def examples(self) -> Tensor: ...


class Loader(Protocol):
    """Batches as a function of (epoch, position)."""

    @property
    def batches_per_epoch(self) -> int: ...
    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]: ...


class Head(Protocol):
    """One output: its loss as a sum and the number that sum is divided by, its metrics."""

    @property
    def name(self) -> str: ...
    @property
    def weight(self) -> float: ...
    def denominator(self, targets: Tensor) -> Tensor: ...
    def loss_sum(self, raw: Tensor, targets: Tensor) -> Tensor: ...
    def scores(self) -> Accumulator: ...
    def update(self, scores: Accumulator, raw: Tensor, targets: Tensor) -> None: ...


class Network(Protocol):
    """A module between named inputs and named outputs."""

    @property
    def module(self) -> nn.Module: ...
    def __call__(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]: ...


class Schedule(Protocol):
    """The learning rate as a function of the step; `observe` tells it what validation said."""

    def factor(self, step: int) -> float: ...
    def apply(self, optimizer: torch.optim.Optimizer, step: int) -> None: ...
    def observe(self, improved: bool) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Joining(Protocol):
    """What begins to learn with an epoch."""

    @property
    def units(self) -> tuple[str, ...]: ...
    @property
    def values(self) -> int: ...
