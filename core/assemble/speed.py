"""How a network is computed: what changes its speed and the last bits, never its meaning.

Each choice is a rule of model and device, or the user's word (`train.speed`); no stopwatch chooses, so the same file
gives the same bits twice. `ft profile` measures the alternatives and says which words to write.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from ft.core.config.schema import SpeedSection
from ft.core.models.network import Network
from ft.core.models.rewrite import KEEPS_LAYOUT, rewrite, rewrites

_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def hasten(network: Network, speed: SpeedSection, device: torch.device) -> Network:
    """The network in its memory format, its lists of layers run in the cheaper way. The module is changed in place."""
    layout = _FORMATS[speed.memory_format] if speed.memory_format != "auto" else memory_format(network.module, device)
    network.module.to(memory_format=layout)  # type: ignore[call-overload]
    if speed.rewrite:
        rewrite(network.module)
    return replace(network, memory_format=layout)


def memory_format(module: nn.Module, device: torch.device) -> torch.memory_format:
    """Channels last for networks with 2-D convolutions: 1.3 to 1.8 times faster on CPUs, and what tensor cores want.

    A pure rule of model and device because it changes the last bits. MPS keeps the plain format.
    """
    convolves = any(isinstance(child, nn.Conv2d) for child in module.modules())
    return torch.channels_last if convolves and device.type in ("cpu", "cuda") else torch.contiguous_format


def describe_speed(network: Network, optimizer: torch.optim.Optimizer) -> dict[str, object]:
    """What was chosen, for a run's record: memory_format, fused, rewrites."""
    fused = bool(optimizer.param_groups[0].get("fused"))
    name = next(name for name, layout in _FORMATS.items() if layout == network.memory_format)
    done = [each for each in rewrites(network.module) if name == "channels_last" or each != KEEPS_LAYOUT]
    return {"memory_format": name, "fused": fused, "rewrites": done}


def tell_speed(chosen: dict[str, object]) -> str:
    """The same as one line."""
    done = [str(chosen["memory_format"]).replace("_", " ")] if chosen["memory_format"] != "contiguous" else []
    done += ["fused optimizer"] if chosen["fused"] else []
    rewritten = chosen["rewrites"]
    assert isinstance(rewritten, list)
    return f"speed: {', '.join([*done, *rewritten]) or 'as written'}"
