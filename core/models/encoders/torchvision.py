"""A classifier of torchvision without its last layer: what that layer would have read is the vector.

Weights are fresh; `model.weights` brings others. torchvision is imported here and nowhere else in models.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ft.core.config.schema.model import TorchvisionEncoder
from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.models.forms import InputForm
from ft.core.runtime.torchvision import import_torchvision

COLOURS = 3
_OURS = {
    "weights": "is not for here: the encoder begins fresh, and model.weights brings weights",
    "num_classes": "sizes the last layer, which an encoder has not",
}


def build_torchvision(settings: TorchvisionEncoder, form: InputForm, path: TreePath) -> tuple[nn.Module, int]:
    """float (B, 3, H, W) -> (B, D). Raises ConfigError for another number of channels, an unknown name or argument,
    a model without a linear last layer, and pictures that it cannot take.
    """
    if form.shape[0] != COLOURS:
        message = f"{settings.name} takes colour pictures and these have {form.shape[0]} channel; set channels: 3"
        raise ConfigError(Problem(f"{message} in the input", path))
    module = _without_classifier(_model(settings, path), settings.name, path)
    return module, _try(module, settings.name, form, path)


def _model(settings: TorchvisionEncoder, path: TreePath) -> nn.Module:
    with torch.device("cpu"):  # what it makes on import should be real
        models = import_torchvision().models
    known = models.list_models(module=models)  # classifiers; detectors and the like lie in modules of their own
    if settings.name not in known:
        hint = did_you_mean(settings.name, known) or ", as resnet18 or mobilenet_v3_small are"
        raise ConfigError(Problem(f"{settings.name} is no classifier of torchvision{hint}", (*path, "name")))
    refused = [Problem(f"{key} {_OURS[key]}", (*path, "args", key)) for key in settings.args if key in _OURS]
    if refused:
        raise ConfigError(*refused)
    try:
        model: nn.Module = models.get_model(settings.name, weights=None, **_without_side_answers(settings))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(Problem(f"{settings.name}: {_first_line(error)}", (*path, "args"))) from error
    return model


def _without_side_answers(settings: TorchvisionEncoder) -> dict[str, Any]:
    """Two models of 2014 and 2015 answer three times while they train; fresh ones can be told to draw their own weights
    quickly and to answer once."""
    if settings.name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "init_weights": True, **settings.args}
    return dict(settings.args)


def _without_classifier(model: nn.Module, name: str, path: TreePath) -> nn.Module:
    """The model with Identity in place of its last Linear, whatever that is called: fc, classifier.6, heads.head."""
    linears = [place for place, part in model.named_modules() if isinstance(part, nn.Linear)]
    if not linears or getattr(model, "aux_logits", False):
        why = "answers more than once while it trains" if linears else "does not end with a linear layer"
        raise ConfigError(Problem(f"{name} {why}, so it has no vector to give; choose another model", (*path, "name")))
    parent, _, child = linears[-1].rpartition(".")
    setattr(model.get_submodule(parent), child, nn.Identity())
    return model


def _try(module: nn.Module, name: str, form: InputForm, path: TreePath) -> int:
    """The length of its vectors, found with two black pictures; draws nothing, counts nothing."""
    module.eval()
    try:
        with torch.no_grad():
            answer = module(form.zeros(2, torch.get_default_device()))
    except (RuntimeError, ValueError, AssertionError) as error:
        size = " x ".join(map(str, form.shape[1:]))
        raise ConfigError(Problem(f"{name} cannot take pictures of {size}: {_first_line(error)}", path)) from error
    module.train()
    return int(answer.flatten(1).shape[1])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
