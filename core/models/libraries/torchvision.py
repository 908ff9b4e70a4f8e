"""torchvision's classifiers and their weights by name. torchvision is imported here and nowhere else in models."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.models.libraries import NamedWeights
from ft.core.models.libraries.stem import COLOURS, set_channels
from ft.core.runtime.torchvision import import_torchvision

_THREE_ANSWERS = ("googlenet", "inception_v3")  # of 2014 and 2015: while they train they answer three times


def make(name: str, args: Mapping[str, Any], channels: int, classes: int, path: TreePath) -> nn.Module:
    """As libraries/__init__.py says."""
    models = _models()
    known = models.list_models(module=models)  # classifiers; detectors and the like lie in modules of their own
    if name not in known:
        hint = did_you_mean(name, known) or ", as resnet18 or mobilenet_v3_small are"
        raise ConfigError(Problem(f"{name} is no classifier of torchvision{hint}", (*path, "name")))
    model: nn.Module = models.get_model(name, weights=None, num_classes=classes, **_arguments(name, args, channels))
    if getattr(model, "aux_logits", False):
        message = "answers more than once while it trains; leave aux_logits out"
        raise ConfigError(Problem(f"{name} {message}", (*path, "args")))
    set_channels(model, channels)
    _answers_below_zero(model)
    return model


def named_weights(name: str, wish: str) -> NamedWeights:
    """wish: DEFAULT, IMAGENET1K_V1, or the same with the class in front, as torchvision's pages print it."""
    models = _models()
    known = models.get_model_weights(name)
    member = wish.removeprefix(f"{known.__name__}.")
    if member not in known.__members__:
        has = f"it has {', '.join(known.__members__)}" if len(known.__members__) else "torchvision offers none for it"
        raise ConfigError(Problem(f"{name} has no weights {wish}; {has}", ("model", "weights")))
    return _described(known[member])


def weights_in_file(name: str, file: str) -> NamedWeights | None:
    """The weights that torchvision's server keeps in a file of that name, as resnet18-f37072fd.pth; None for others."""
    known = _models().get_model_weights(name)
    return next((_described(it) for it in known if it.url.rpartition("/")[2] == file), None)


def _described(weights: Any) -> NamedWeights:
    looks = weights.transforms()
    classes = tuple(weights.meta["categories"])
    return NamedWeights(str(weights), weights.url, classes, tuple(looks.mean), tuple(looks.std))


def _models() -> ModuleType:
    with torch.device("cpu"):  # what it makes on import should be real
        models: ModuleType = import_torchvision().models
    return models


def _arguments(name: str, args: Mapping[str, Any], channels: int) -> dict[str, Any]:
    """Those of the file. The two that answer three times are told to answer once, to draw their weights quickly, and to
    expect what torchvision's other models do: their weights are of other pixels, which they work out by themselves."""
    if name not in _THREE_ANSWERS:
        return dict(args)
    return {"aux_logits": False, "init_weights": True, "transform_input": channels == COLOURS, **args}


def _answers_below_zero(model: nn.Module) -> None:
    """Take away the ReLU after SqueezeNet's last convolution: a number, or the only logit of two classes, may be
    negative. It has no weights, so no name changes."""
    classifier = getattr(model, "classifier", None)
    if isinstance(classifier, nn.Sequential):
        kinds = [type(part) for part in classifier]
        if kinds == [nn.Dropout, nn.Conv2d, nn.ReLU, nn.AdaptiveAvgPool2d]:
            classifier[2] = nn.Identity()
