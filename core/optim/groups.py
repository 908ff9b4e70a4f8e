"""Which parameters the optimizer moves, and which of them decay.

Frozen parameters are left out altogether: weight decay and momentum would move them even with a gradient of zero.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from ft.core.errors import ConfigError


def parameter_groups(
    module: nn.Module, weight_decay: float, weight_decay_on: Literal["all", "weights"] = "all"
) -> list[dict[str, Any]]:
    """Groups for a torch optimizer: `params`, as (name, parameter) pairs, and their `weight_decay`.

    `all` makes one group. `weights` makes two: tensors of two and more dimensions decay, the others (biases and the
    scales and shifts of norm layers, which have one) do not. Tied parameters appear once, under their first name.
    Raises ConfigError when no parameter is trainable.
    """
    trainable = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    if not trainable:
        raise ConfigError("nothing is left to learn: every parameter of the model is frozen, or it has none")
    if weight_decay_on == "all":
        return [{"params": trainable, "weight_decay": weight_decay}]
    decayed = [(name, p) for name, p in trainable if p.dim() >= 2]
    spared = [(name, p) for name, p in trainable if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
