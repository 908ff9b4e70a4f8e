"""A library's classifier as the whole network: `model: {torchvision: resnet18}`. Which library is libraries/' matter.

The names of its weights are the library's own, so that weights from anywhere fit. With one output the library makes the
last layer of that size; with several, one layer for each stands in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ft.core.config.schema import ModelSection, NamedModel
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.models.encoder_network import child_names
from ft.core.models.forms import InputForm
from ft.core.models.libraries import LIBRARIES, first_line, make
from ft.core.models.libraries.blocks import last_layer, no_grad_in_eval, units_of
from ft.core.models.libraries.stem import first_convolution
from ft.core.models.network import Network

_SIDES = 3  # channels, height, width


class Heads(nn.Module):
    """In the place of a last layer, one for each output: (B, D) -> {output: (B, size)}."""

    def __init__(self, length: int, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self._places = child_names(sizes)
        for name, size in sizes.items():
            self.add_module(self._places[name], nn.Linear(length, size))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {name: self.get_submodule(place)(x) for name, place in self._places.items()}


def chosen_library(model: ModelSection) -> tuple[str, str, dict[str, Any]] | None:
    """The library, the name and the arguments of the section's network; None for networks of other kinds."""
    given = {"torchvision": model.torchvision, "timm": model.timm}
    assert given.keys() == LIBRARIES.keys()
    for library, named in given.items():
        if isinstance(named, NamedModel):
            return library, named.name, named.args
        if named is not None:
            return library, named, {}
    return None


def build_named_network(
    library: str,
    name: str,
    args: Mapping[str, Any],
    inputs: Mapping[str, InputForm],
    sizes: Mapping[str, int],
    device: torch.device,
) -> Network:
    """The network with fresh weights. Arguments and errors as for `build_network`."""
    path: TreePath = ("model", library)
    column, form = _picture(library, name, inputs, path)
    module = make(library, name, args, form.shape[0], next(iter(sizes.values())), path, device)
    place = last_layer(module)
    if not place:
        raise ConfigError(Problem(f"{name} ends with no layer that could be the outputs'", (*path, "name")))
    places: dict[str, tuple[str, ...]] = {next(iter(sizes)): (place,)}
    if len(sizes) > 1:
        places = _several(module, place, name, sizes, device, path)
    zeros = form.zeros(2, "meta" if device.type == "meta" else "cpu")
    run = partial(_try, module, zeros, name, dict(sizes), path)
    units = no_grad_in_eval(
        module, lambda: units_of(module, run, tuple(each for found in places.values() for each in found))
    )
    stem = first_convolution(module)
    stems = (f"{stem}.weight",) if stem else ()
    return Network(module.to(device), units, (column,), tuple(sizes), heads=places, stems=stems)


def _picture(library: str, name: str, inputs: Mapping[str, InputForm], path: TreePath) -> tuple[str, InputForm]:
    """The one input, which has channels and two sides."""
    if len(inputs) > 1:
        message = f"{name} has one input; this experiment has {len(inputs)} ({', '.join(inputs)}): keep one of them, or"
        raise ConfigError(
            Problem(f"{message} take model.encoders: {{{next(iter(inputs))}: {{torchvision: ...}}}}", path)
        )
    ((column, form),) = inputs.items()
    if len(form.shape) != _SIDES:
        raise ConfigError(Problem(f"{name} of {library} takes pictures; {column} is of type {form.kind}", path))
    return column, form


def _several(
    module: nn.Module, place: str, name: str, sizes: Mapping[str, int], device: torch.device, path: TreePath
) -> dict[str, tuple[str, ...]]:
    """Put a layer for each output in the place of the last one. Returns where they lie."""
    layer = module.get_submodule(place)
    if not isinstance(layer, nn.Linear):
        raise ConfigError(Problem(f"{name} ends with a convolution, which answers one output only", (*path, "name")))
    with torch.device("meta" if device.type == "meta" else "cpu"):
        heads = Heads(layer.in_features, sizes)
    parent, _, child = place.rpartition(".")
    setattr(module.get_submodule(parent), child, heads)
    return {output: (f"{place}.{inside}",) for output, inside in child_names(sizes).items()}


def _try(module: nn.Module, zeros: Tensor, name: str, sizes: Mapping[str, int], path: TreePath) -> None:
    """Raise ConfigError where the network cannot take such pictures, or does not answer as it should."""
    try:
        answer = module(zeros)
    except (RuntimeError, ValueError, AssertionError) as error:
        sides = " x ".join(map(str, zeros.shape[2:]))
        message = f"{name} cannot take pictures of {sides}: {first_line(error)}; set another size in the input"
        raise ConfigError(Problem(message, path)) from error
    answers = answer if isinstance(answer, dict) else {next(iter(sizes)): answer}
    for output, size in sizes.items():
        if not isinstance(answers.get(output), Tensor) or answers[output].shape != (len(zeros), size):
            raise ConfigError(Problem(f"{name} does not answer (batch, {size}) for {output}", (*path, "args")))
