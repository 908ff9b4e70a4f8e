"""Which layer's answer Grad-CAM looks at: the last map that a convolution made, its norm and activation included.

Nothing is known of a network but what its modules answer when it runs: a map is a float (B, C, h, w) of more than one
place. A map smaller than `FINE` a side says little of where; an earlier one that is finer is then preferred. A
convolution that cuts pictures into patches side by side, as vision transformers begin with, does not count unless it is
named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import activation

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError
from ft.core.models.network import Network

FINE = 4
_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm)
_ACTIVATIONS = tuple(getattr(activation, name) for name in activation.__all__)


@dataclass(frozen=True)
class Answered:
    """What a module answered with. name: the unit's that it ends, else its own path."""

    name: str
    module: nn.Module
    map: Tensor


def choose_map(network: Network, inputs: Mapping[str, Tensor], picture: str, layer: str | None) -> Answered:
    """The map to look at. inputs: of one example, (1, ...). layer: a unit's number or name or a module's path; None:
    the last fit one that depends on the picture.

    Raises ConfigError where there is none, or the named layer answers with none.
    """
    seen = inputs[picture].detach().requires_grad_()
    with torch.enable_grad(), watched(network.module) as answers:
        network({**inputs, picture: seen.clone()})  # a first layer may work in place
    if layer is not None:
        return _named(network, answers, layer)
    names = _names(network)
    fit = [each for each in _made_by_convolutions(answers) if _depends(each[1], seen)]
    fine = [each for each in fit if min(each[1].shape[2:]) >= FINE]
    if not fit:
        message = f"Grad-CAM needs the maps of a convolution, and none was found behind {picture}"
        raise ConfigError(f"{message}; --method integrated_gradients needs none, --layer may name another layer")
    module, found = fine[-1] if fine else max(fit, key=lambda each: each[1].shape[2:].numel())
    return Answered(names[module], module, found)


def reads_maps(network: Network, inputs: Mapping[str, Tensor], picture: str) -> bool:
    """Whether `choose_map` finds a map by itself that sums up parts of the picture: one of at most half its sides. In a
    finer one each place sees a few pixels, and the mean of its gradients says little.
    """
    try:
        found = choose_map(network, inputs, picture, None).map
    except ConfigError:
        return False
    return all(2 * fine <= side + 1 for fine, side in zip(found.shape[2:], inputs[picture].shape[2:], strict=True))


@contextmanager
def watched(module: nn.Module) -> Iterator[list[tuple[nn.Module, Any]]]:
    """Every part of a module with its answer, in the order in which they end."""
    answers: list[tuple[nn.Module, Any]] = []

    def note(part: nn.Module, _: Any, answer: Any) -> None:
        answers.append((part, answer))

    handles = [part.register_forward_hook(note) for part in module.modules()]
    try:
        yield answers
    finally:
        for handle in handles:
            handle.remove()


def is_map(answer: Any) -> bool:
    """float (B, C, h, w) of more than one place."""
    return isinstance(answer, Tensor) and answer.dim() == 4 and answer.is_floating_point() and answer[0, 0].numel() > 1


def _made_by_convolutions(answers: Sequence[tuple[nn.Module, Any]]) -> list[tuple[nn.Module, Tensor]]:
    """The maps that convolutions, blocks of them, and the norms and activations behind them answer with. Of a row of
    layers the layers count, as a pool may end it."""
    found: list[tuple[nn.Module, Tensor]] = []
    for module, answer in answers:
        convolves = any(_looks_around(part) for part in module.modules()) and not isinstance(module, nn.Sequential)
        follows = bool(found) and isinstance(module, (*_NORMS, *_ACTIVATIONS))
        if is_map(answer) and (convolves or follows):
            found.append((module, answer))
    return found


def _looks_around(part: nn.Module) -> bool:
    """Whether it is a convolution that does more than to cut a picture into patches."""
    if not isinstance(part, nn.Conv2d):
        return False
    return part.kernel_size != part.stride or max(part.stride) == 1


def _depends(answer: Tensor, picture: Tensor) -> bool:
    if not answer.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(answer.sum(), picture, retain_graph=True, allow_unused=True)
    return gradient is not None


def _names(network: Network) -> dict[nn.Module, str]:
    names = {module: path for path, module in network.module.named_modules()}
    return names | {unit.modules[-1]: unit.name for unit in network.units if unit.modules}


def _named(network: Network, answers: Sequence[tuple[nn.Module, Any]], layer: str) -> Answered:
    units = {str(unit.index): unit for unit in network.units} | {unit.name: unit for unit in network.units}
    paths = {path: module for path, module in network.module.named_modules() if path}
    if layer not in units and layer not in paths:
        hint = did_you_mean(layer, [*units, *paths]) or "; ft layers shows their numbers and names"
        raise ConfigError(f"--layer {layer}: the network has no such layer{hint}")
    modules = units[layer].modules if layer in units else (paths[layer],)
    ran = {module: answer for module, answer in answers if module in modules}
    for module in reversed(modules):
        if is_map(ran.get(module)):
            return Answered(units[layer].name if layer in units else layer, module, ran[module])
    shapes = [tuple(answer.shape[1:]) for answer in ran.values() if isinstance(answer, Tensor)]
    gives = f"it answers {shapes[-1]} for an example" if shapes else "it gave no tensor"
    raise ConfigError(f"--layer {layer}: Grad-CAM needs a map (channels, height, width); {gives}")
