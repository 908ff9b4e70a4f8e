"""Which parameters the optimizer moves, which of them decay, and at which rates.

Frozen parameters are left out altogether: weight decay and momentum would move them even with a gradient of zero.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from torch import nn

from ft.core.errors import ConfigError


def parameter_groups(
    module: nn.Module,
    weight_decay: float,
    weight_decay_on: Literal["all", "weights"] = "all",
    rates: Mapping[str, float] | None = None,
    joining: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Groups for a torch optimizer: `params`, as (name, parameter) pairs, their `weight_decay`, with rates their `lr`.

    `all` makes one group. `weights` makes two: tensors of two and more dimensions decay, the others (biases and the
    scales and shifts of norm layers, which have one) do not. rates: of all that learn, by name; each rate has groups of
    its own, the largest first. joining: names of frozen parameters that will learn, and stand in the groups from the
    start: until one has a gradient, the optimizer passes it by. Tied parameters appear once, under their first name.
    Raises ConfigError when no parameter is trainable.
    """
    trainable = [(name, p) for name, p in module.named_parameters() if p.requires_grad or name in joining]
    if not any(p.requires_grad for _, p in trainable):
        raise ConfigError("nothing is left to learn: every parameter of the model is frozen, or it has none")
    kinds: dict[tuple[float, bool], list[tuple[str, nn.Parameter]]] = {}
    for name, p in trainable:
        spared = weight_decay_on == "weights" and p.dim() < 2
        kinds.setdefault((-rates[name] if rates else 0.0, spared), []).append((name, p))
    return [
        {"params": kinds[rate, spared], "weight_decay": 0.0 if spared else weight_decay}
        | ({"lr": -rate} if rates else {})
        for rate, spared in sorted(kinds)
    ]
