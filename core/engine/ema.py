"""An exponential moving average of the weights (Polyak and Juditsky, 1992), which is then validated and shipped.

The decay rises as min(decay, (1 + t) / (10 + t)) at update t, so the random start is forgotten in short runs too.
Buffers (batch norm's statistics) are copied, not averaged: they are averages already.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Ema:
    """Holds `module`, a float32 copy in eval mode whose parameters follow those of `source`."""

    def __init__(self, source: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(source).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0
        self._source = source

    @torch.no_grad()
    def update(self) -> None:
        """Move the averages towards the source's weights. One fused launch per device and dtype; no host sync."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        averages: list[Tensor] = list(self.module.parameters())
        weights: list[Tensor] = list(self._source.parameters())
        if averages:
            torch._foreach_lerp_(averages, weights, 1 - decay)
        for average, value in zip(self.module.buffers(), self._source.buffers(), strict=True):
            average.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """The averages and the number of updates."""
        return {"weights": self.module.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave; raises RuntimeError on other shapes or names, as torch does."""
        self.module.load_state_dict(state["weights"])
        self.updates = int(state["updates"])
