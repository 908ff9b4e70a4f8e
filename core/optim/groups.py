"""Which parameters the optimizer moves, which of them decay, and at which rates.

Frozen parameters are left out altogether: weight decay and momentum would move them even with a gradient of zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import nn

from ft.core.errors import ConfigError


def parameter_groups(
    module: nn.Module,
    weight_decay: float,
    weight_decay_on: Literal["all", "weights"] = "all",
    rates: Mapping[str, float] | None = None,
    joining: Mapping[str, int] | None = None,
) -> list[dict[str, Any]]:
    """Groups for a torch optimizer: `params`, as (name, parameter) pairs, their `weight_decay`, with rates their `lr`.

    `all` makes one group. `weights` makes two: tensors of two and more dimensions decay, the others (biases and the
    scales and shifts of norm layers, which have one) do not. rates: of all that learn, by name; each rate has groups of
    its own. joining: the epoch with which a frozen parameter will learn, by name; it stands in a group from the start,
    for until it has a gradient the optimizer passes it by. Groups are of one epoch, because torch's fused SGD wants the
    momentum of a whole group to begin in one step. The first groups are those that learn first, the largest rate ahead.
    Tied parameters appear once, under their first name.
    Raises ConfigError when no parameter is trainable.
    """
    since = joining or {}
    trainable = [(name, p) for name, p in module.named_parameters() if p.requires_grad or name in since]
    if not any(p.requires_grad for _, p in trainable):
        raise ConfigError("nothing is left to learn: every parameter of the model is frozen, or it has none")
    kinds: dict[tuple[int, float, bool], list[tuple[str, nn.Parameter]]] = {}
    for name, p in trainable:
        spared = weight_decay_on == "weights" and p.dim() < 2
        kinds.setdefault((since.get(name, 1), -rates[name] if rates else 0.0, spared), []).append((name, p))
    groups: list[dict[str, Any]] = []
    for (_, rate, spared), params in sorted(kinds.items(), key=lambda kind: kind[0]):
        group = {"params": params, "weight_decay": 0.0 if spared else weight_decay}
        groups.append(group | {"lr": -rate} if rates else group)
    return groups
