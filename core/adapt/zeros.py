"""Unstructured pruning: the smallest weights of a network become zero, and stay zero when it learns on.

Of all weights of linear layers and convolutions together those of the smallest magnitude go (Han et al. 2015, "Learning
both weights and connections", arXiv:1506.02626; one threshold for all layers as in Blalock et al. 2020, "What is the
state of neural network pruning?", arXiv:2003.03033). The tensors keep their shapes, so nothing is computed faster.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ft.core.errors import ConfigError

_PRUNED = (
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


def prunable(module: nn.Module) -> tuple[str, ...]:
    """The names of the weights that may become zero, each tensor once. Norms, biases and embeddings stay."""
    own = {id(parameter): name for name, parameter in module.named_parameters()}
    found = [own[id(part.weight)] for part in module.modules() if isinstance(part, _PRUNED) and id(part.weight) in own]
    return tuple(dict.fromkeys(found))


def zero_smallest(weights: Mapping[str, Tensor], names: Collection[str], share: float) -> dict[str, Tensor]:
    """The same weights, `share` of all values of the named ones together set to zero. share: in 0..1, both excluded.

    Raises ConfigError where there is nothing to set.
    """
    magnitudes = [weights[name].abs().flatten().float() for name in names]
    count = int(share * sum(map(len, magnitudes)))
    if not count:
        what = f"{share:g} of its weights is less than one" if magnitudes else "it has no linear layer or convolution"
        raise ConfigError(f"--prune {share:g}: there is nothing to prune in this network; {what}")
    threshold = torch.cat(magnitudes).kthvalue(count).values
    return {
        name: torch.where(weight.abs().float() <= threshold, 0, weight) if name in names else weight
        for name, weight in weights.items()
    }


class HeldZeros:
    """Zeros of some weights, put back after every step: neither momentum nor an optimizer that mixes values moves them.

    They are looked for before the first step, when a run that goes on has its weights.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, module: nn.Module, names: Collection[str]) -> None:
        self._weights = [weight for name, weight in module.named_parameters() if name in names]
        self._nonzero: list[Tensor] | None = None
        optimizer.register_step_pre_hook(self._look)
        optimizer.register_step_post_hook(self._put_back)

    def _look(self, *_: Any) -> None:
        if self._nonzero is None:
            self._nonzero = [weight.detach() != 0 for weight in self._weights]

    @torch.no_grad()
    def _put_back(self, *_: Any) -> None:
        for weight, nonzero in zip(self._weights, self._nonzero or (), strict=True):
            weight.mul_(nonzero)
