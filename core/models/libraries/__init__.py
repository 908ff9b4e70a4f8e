"""Libraries of ready-made picture classifiers. `LIBRARIES` is the whole family: what makes a network of a name, and
what finds the weights that the library offers for it.

A library is a module with three functions:
    make(name, args, channels, classes, path) -> nn.Module, float (B, channels, H, W) -> (B, classes), fresh weights
    named_weights(name, wish) -> NamedWeights
    weights_in_file(name, file) -> NamedWeights, or None where a file of that name is not the library's
The first two raise ConfigError for names and arguments that do not exist. None of them downloads anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from ft.core.errors import ConfigError, Problem, TreePath

LIBRARIES: Mapping[str, str] = {
    "torchvision": "ft.core.models.libraries.torchvision",
    "timm": "ft.core.models.libraries.timm",
}

_OURS = {
    "weights": "is not for here: a network begins fresh, and model.weights brings weights",
    "pretrained": "is not for here: a network begins fresh, and model.weights brings weights",
    "num_classes": "sizes the last layer, which the outputs decide",
    "in_chans": "is what the pictures have; set channels in the input",
}


@dataclass(frozen=True)
class NamedWeights:
    """Weights that a library offers under a name.

    label: what the library calls them. url: the file they lie in, None where the library fetches them itself.
    classes: names of their last layer's rows, () where they are not known.
    mean, std: of each of 3 channels, what the pictures they were trained on were normalised with.
    read: gets them by the library's own means, for those without a url.
    """

    label: str
    url: str | None
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    read: Callable[[], dict[str, Tensor]] | None = None


def make(
    library: str, name: str, args: Mapping[str, Any], channels: int, classes: int, path: TreePath, device: torch.device
) -> nn.Module:
    """A fresh network, drawn on the CPU, or without values on the device "meta". path: of its settings."""
    refused = [Problem(f"{key} {_OURS[key]}", (*path, "args", key)) for key in args if key in _OURS]
    if refused:
        raise ConfigError(*refused)
    build = import_module(LIBRARIES[library]).make
    try:
        if device.type == "meta":
            try:
                with torch.device("meta"):
                    return build(name, args, channels, classes, path)  # type: ignore[no-any-return]
            except NotImplementedError:  # some work out their widths with tensors, which on meta have no values
                with torch.device("cpu"):
                    return build(name, args, channels, classes, path).to("meta")  # type: ignore[no-any-return]
        with torch.device("cpu"):
            return build(name, args, channels, classes, path)  # type: ignore[no-any-return]
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise ConfigError(Problem(f"{name}: {first_line(error)}", (*path, "args"))) from error


def named_weights(library: str, name: str, wish: str) -> NamedWeights:
    """The weights that `wish` names among those of the library for the network `name`."""
    found: NamedWeights = import_module(LIBRARIES[library]).named_weights(name, wish)
    return found


def weights_in_file(library: str, name: str, file: str) -> NamedWeights | None:
    """The library's weights for the network `name` that come in a file of that name; None where there are none."""
    found: NamedWeights | None = import_module(LIBRARIES[library]).weights_in_file(name, file)
    return found


def first_line(error: Exception) -> str:
    """What a library's error says, fit for one line of ours."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
