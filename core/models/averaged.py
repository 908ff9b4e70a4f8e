"""A network that answers for several views of each example by the mean of its raw answers (logits, or numbers)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ft.core.models.network import Network


@dataclass(frozen=True)
class Averaged:
    """views: how many lie one below another in a batch's inputs (data/views.py). They pass through one by one."""

    network: Network
    views: int

    @property
    def module(self) -> nn.Module:
        return self.network.module

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each input (V * B, ...) -> each output float32 (B, K)."""
        parts = zip(*(values.chunk(self.views) for values in inputs.values()), strict=True)
        answers = [self.network(dict(zip(inputs, part, strict=True))) for part in parts]
        return {name: torch.stack([each[name].float() for each in answers]).mean(0) for name in answers[0]}
