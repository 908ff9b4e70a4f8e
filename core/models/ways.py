"""One example and a network's score of it, as a function that has gradients: along a straight way, and by a map.

A way leads from a baseline to the example, for all inputs at once; indices go by their vectors (lookups.py). That the
network is in eval mode and its weights stay out of the graph is for whoever calls to see to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ft.core.errors import ConfigError
from ft.core.models.lookups import Baseline, Lookups
from ft.core.models.maps import Answered
from ft.core.models.network import Network

Score = Callable[[Mapping[str, Tensor]], Tensor]  # of raw answers by output, (S, size), gives (S,)
AT_ONCE = 1 << 20  # values of the inputs that go through the network together
MOST_AT_ONCE = 64  # points


@dataclass(frozen=True)
class Way:
    """From `baselines` to `inputs`, (1, ...) each, by name. Those of indices, int64, are of their table's vectors."""

    network: Network
    inputs: Mapping[str, Tensor]
    baselines: Mapping[str, Tensor]
    vectors: Mapping[str, Baseline]
    score: Score

    def ends(self) -> tuple[float, float]:
        """The score of the baseline and of the example."""
        with torch.no_grad():
            scores, _, _ = self._walk(torch.tensor([0.0, 1.0], dtype=torch.float64))
        before, after = scores.cpu().double().tolist()
        return before, after

    def contributions(self, points: Tensor) -> dict[str, Tensor]:
        """points: float (S,) in 0..1. By input the gradient times the way, summed over the points: the shape of one
        example, of indices one value each, float64 on the CPU.

        Raises ConfigError for indices that are never looked up in a table.
        """
        size = sum(values.numel() for values in self.inputs.values())
        sums: dict[str, Tensor] = {}
        for chunk in torch.split(points, max(1, min(MOST_AT_ONCE, AT_ONCE // max(1, size)))):
            for name, each in self._contributions(chunk).items():
                sums[name] = sums[name] + each if name in sums else each
        return sums

    def _contributions(self, points: Tensor) -> dict[str, Tensor]:
        with torch.enable_grad():
            scores, moved, lookups = self._walk(points)
        self._check_found(lookups)
        leaves = [*moved.values(), *(each.point for each in lookups.looked)]
        gradients = torch.autograd.grad(scores.sum(), leaves, materialize_grads=True)
        found: defaultdict[str, Tensor | float] = defaultdict(float)
        ways = [(name, self.inputs[name] - self.baselines[name], 1) for name in moved]
        ways += [(each.name, each.way, 0) for each in lookups.looked]
        for (name, way, is_value), gradient in zip(ways, gradients, strict=True):
            product = gradient.cpu().double() * way.cpu().double()  # on the CPU: MPS has no float64
            summed = product.sum(0) if is_value else product.sum((0, -1))
            found[name] = found[name] + summed.reshape(self.inputs[name].shape[1:])
        return {name: each for name, each in found.items() if isinstance(each, Tensor)}

    def _walk(self, points: Tensor) -> tuple[Tensor, dict[str, Tensor], Lookups]:
        """The scores at some points, the values that stood there, which have gradients, and what was looked up."""
        moved, indices = {}, {}
        for name, values in self.inputs.items():
            if values.is_floating_point():
                share = points.float().to(values).reshape(-1, *[1] * (values.dim() - 1))
                moved[name] = (self.baselines[name] + share * (values - self.baselines[name])).requires_grad_()
            else:
                indices[name] = values.expand(len(points), *values.shape[1:]).contiguous()
        device = next(iter(self.inputs.values())).device
        lookups = Lookups(indices, points.float().to(device), self.vectors)
        arriving = {name: indices[name] if name in indices else self._laid(moved[name]) for name in self.inputs}
        with lookups:
            raw = self.network(arriving)
        return self.score(raw), moved, lookups

    def _laid(self, values: Tensor) -> Tensor:
        """A copy, which a first layer may change in place, in the network's memory format."""
        return values.clone(memory_format=self.network.memory_format) if values.dim() == 4 else values.clone()

    def _check_found(self, lookups: Lookups) -> None:
        met = {each.name for each in lookups.looked}
        lost = [name for name, values in self.inputs.items() if not values.is_floating_point() and name not in met]
        if lost:
            raise ConfigError(
                f"integrated gradients go by the vectors that {', '.join(lost)} becomes, and the network looks it up "
                "in no table (torch's embedding) that ft can find; without examples ft explain shuffles inputs instead"
            )


def map_and_gradient(
    network: Network, inputs: Mapping[str, Tensor], layer: Answered, score: Score
) -> tuple[Tensor, Tensor]:
    """The layer's map of one example, and the gradient of the score by it, (K, h, w) each. inputs: (1, ...)."""
    kept: list[Tensor] = []

    def keep(_module: object, _inputs: object, answer: Tensor) -> Tensor:
        kept.append(answer if answer.requires_grad else answer.detach().requires_grad_())
        return kept[-1].clone()  # what follows may work in place

    handle = layer.module.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            total = score(network(inputs)).sum()
    finally:
        handle.remove()
    (gradient,) = torch.autograd.grad(total, kept[-1], materialize_grads=True)
    return kept[-1].detach()[0], gradient[0]
