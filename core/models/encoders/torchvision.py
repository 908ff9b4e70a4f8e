"""A classifier of torchvision without its last layer: what that layer would have read is the vector.

Weights are fresh; `model.weights` brings others. The whole of a classifier is `model: {torchvision: ...}`.
"""

from __future__ import annotations

import torch
from torch import nn

from ft.core.config.schema.model import TorchvisionEncoder
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.models.forms import InputForm
from ft.core.models.libraries import first_line, make
from ft.core.models.libraries.blocks import last_layer, no_grad_in_eval

ANY_CLASSES = 10  # of the layer that is taken away


def build_torchvision(settings: TorchvisionEncoder, form: InputForm, path: TreePath) -> tuple[nn.Module, int]:
    """float (B, C, H, W) -> (B, D). Raises ConfigError for an unknown name or argument, and pictures that it cannot
    take.
    """
    device = torch.get_default_device()
    module = make("torchvision", settings.name, settings.args, form.shape[0], ANY_CLASSES, path, device)
    parent, _, child = last_layer(module).rpartition(".")
    setattr(module.get_submodule(parent), child, nn.Identity())
    return module, _try(module, settings.name, form, path)


def _try(module: nn.Module, name: str, form: InputForm, path: TreePath) -> int:
    """The length of its vectors, found with two black pictures; draws nothing, counts nothing."""
    try:
        answer = no_grad_in_eval(module, lambda: module(form.zeros(2, torch.get_default_device())))
    except (RuntimeError, ValueError, AssertionError) as error:
        size = " x ".join(map(str, form.shape[1:]))
        raise ConfigError(Problem(f"{name} cannot take pictures of {size}: {first_line(error)}", path)) from error
    return int(answer.flatten(1).shape[1])
