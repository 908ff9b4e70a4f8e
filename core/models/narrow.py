"""Structured pruning: whole channels of a `layers` network go, and what is left is a smaller network of the same kind.

A channel's worth is how strongly it speaks times how strongly it is heard: the scale of its norm (Liu et al. 2017,
"Network slimming", arXiv:1708.06519), or the norm of its own weights where it has none (Li et al. 2017, "Pruning
filters for efficient convnets", arXiv:1608.08710), times the norm of the weights that read it. Every group of channels
(channels.py) loses the same share, so that a layer repeated by the settings keeps one size. Nothing is trained here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ft.core.errors import ConfigError
from ft.core.models.channels import Channels, Cut, Flow, follow_channels
from ft.core.models.layer_arguments import bare_argument, inferred_names
from ft.core.models.layer_reader import read_entries
from ft.core.models.layer_rules import SIZE_ARGUMENTS

_PATH = ("model", "layers")


@dataclass(frozen=True)
class Narrowed:
    """settings: the experiment's, with the new sizes. weights: that fit them. before, after: channels that could be cut
    and that are left of them. kept_whole: why others were left alone, a phrase each.
    """

    settings: dict[str, Any]
    weights: dict[str, Tensor]
    before: int
    after: int
    kept_whole: tuple[str, ...]


def narrow(
    settings: Mapping[str, Any], module: nn.Module, weights: Mapping[str, Tensor], example: Tensor, share: float
) -> Narrowed:
    """Take `share` of the channels of every group. settings: of the experiment, plain values. weights: of `module`.
    example: (B, ...) as the network reads it. share: in 0..1, both excluded.

    Raises ConfigError where the network is no list of layers, or nothing of it can be cut.
    """
    layers = settings["model"].get("layers")
    if not layers or not isinstance(module, nn.Sequential):
        kind = next(
            (key for key in ("torchvision", "timm", "python") if settings["model"].get(key)), "encoders, fusion"
        )
        raise ConfigError(
            f"--prune-channels cuts networks written as model.layers, and this one is {kind}: its channels cannot be "
            "followed through code; --prune sets single weights to zero, --quantize makes all of them smaller"
        )
    channels = follow_channels(read_entries(layers, _PATH), module, example)
    groups = channels.free()
    lost = {group: int(share * channels.sizes[group]) for group in groups}
    whole = tuple(dict.fromkeys(channels.whole.values()))
    if not any(lost.values()):
        why = (
            f"{share:g} of the largest is less than one channel"
            if groups
            else f"what there is stays whole: {_list(whole)}"
        )
        raise ConfigError(f"--prune-channels {share:g}: there is nothing to cut; {why}")
    kept = {group: _best(_worth(channels, weights, group), channels.sizes[group] - lost[group]) for group in groups}
    smaller = dict(weights)
    for cut in channels.cuts:
        smaller |= _cut(cut, weights, channels, kept)
    return Narrowed(
        _resized(settings, channels, kept),
        smaller,
        sum(channels.sizes[group] for group in groups),
        sum(len(each) for each in kept.values()),
        whole[2:] if whole[:2] == ("the input's own", "the network's answers") else whole,
    )


def _list(whole: Sequence[str]) -> str:
    return "; ".join(whole) or "no layer has channels"


# ---------------------------------------------------------------- which


def _worth(channels: Channels, weights: Mapping[str, Tensor], group: int) -> Tensor:
    """Of every channel of a group: float64 (C,)."""
    count = channels.sizes[group]
    scales, spoken, heard = (torch.zeros(count, dtype=torch.float64) for _ in range(3))
    for cut in channels.cuts:
        weight = weights.get(f"{cut.name}.weight")
        if weight is None:  # a norm without scales
            continue
        each = weight.double()
        if cut.kind == "norm":
            scales += _gather(each.abs(), cut.source, channels, group)
        elif cut.kind == "dense":
            spoken += _gather(each.flatten(1).square().sum(1), cut.target, channels, group)
            heard += _gather(each.transpose(0, 1).flatten(1).square().sum(1), cut.source, channels, group)
    speaking = scales if scales.any() else spoken.sqrt()
    return speaking * heard.sqrt() if heard.any() else speaking


def _gather(values: Tensor, flow: Flow, channels: Channels, group: int) -> Tensor:
    """The sum, for each channel of the group, of what stands at its places of the axis. values: (axis,)."""
    total, start = torch.zeros(channels.sizes[group], dtype=torch.float64), 0
    for part in flow:
        size = part.count * part.each
        if channels.root(part.group) == group:
            total += values[start : start + size].reshape(part.count, part.each).sum(1)
        start += size
    return total


def _best(worth: Tensor, count: int) -> Tensor:
    """The places of the largest, ascending; of equals the first. int64 (count,)."""
    return worth.sort(descending=True, stable=True).indices[:count].sort().values


# ---------------------------------------------------------------- cutting


def _places(flow: Flow, channels: Channels, kept: Mapping[int, Tensor]) -> Tensor:
    """Which places of the axis stay: int64."""
    found, start = [], 0
    for part in flow:
        own = kept.get(channels.root(part.group), torch.arange(part.count))
        found.append(start + (own[:, None] * part.each + torch.arange(part.each)).flatten())
        start += part.count * part.each
    return torch.cat(found)


def _cut(cut: Cut, weights: Mapping[str, Tensor], channels: Channels, kept: Mapping[int, Tensor]) -> dict[str, Tensor]:
    out = _places(cut.target, channels, kept)
    changed = {}
    for name in ("weight", "bias", "running_mean", "running_var"):
        tensor = weights.get(f"{cut.name}.{name}")
        if tensor is not None:
            tensor = tensor[out]
            if cut.kind == "dense" and name == "weight":
                tensor = tensor[:, _places(cut.source, channels, kept)]
            changed[f"{cut.name}.{name}"] = tensor.contiguous()
    return changed


def _resized(settings: Mapping[str, Any], channels: Channels, kept: Mapping[int, Tensor]) -> dict[str, Any]:
    """The same settings with the new sizes. Sizes that ft infers are left out, so that it infers them again."""
    changed = copy.deepcopy(dict(settings))
    for cut in channels.cuts:
        size = len(_places(cut.target, channels, kept))
        above: Any = changed
        for key in cut.place[:-1]:
            above = above[key]
        value = above[cut.place[-1]]
        if isinstance(value, str):  # `- Linear` alone: the last layer, whose size comes from the data
            continue
        given = dict(value) if isinstance(value, dict) else {} if value is None else {bare_argument(cut.make): value}
        arguments = {key: each for key, each in given.items() if key not in inferred_names(cut.make)}
        for name in SIZE_ARGUMENTS:
            if name in arguments:
                arguments[name] = size
        if cut.kind == "depthwise":
            arguments["groups"] = size
        above[cut.place[-1]] = arguments
    return changed
