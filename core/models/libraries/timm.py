"""timm's classifiers and their weights by name (Wightman, PyTorch Image Models): `pip install 'ft[timm]'`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ft.core.config.suggest import did_you_mean
from ft.core.errors import CheckpointError, ConfigError, MissingExtraError, Problem, TreePath
from ft.core.models.libraries import NamedWeights, first_line
from ft.core.runtime.torchvision import import_torchvision


def make(name: str, args: Mapping[str, Any], channels: int, classes: int, path: TreePath) -> nn.Module:
    """As libraries/__init__.py says; timm itself knows other numbers of channels."""
    timm = _timm()
    _check_name(timm, name, (*path, "name"))
    model: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes, in_chans=channels, **args)
    if not isinstance(getattr(model, "pretrained_cfg", {}).get("classifier", ""), str):
        message = f"{name} has two last layers, for training by a teacher; choose another model"
        raise ConfigError(Problem(message, (*path, "name")))
    return model


def named_weights(name: str, wish: str) -> NamedWeights:
    """wish: DEFAULT. timm has one set of weights for each name, and writes behind a dot which."""
    timm = _timm()
    _check_name(timm, name, ("model", "timm"))
    settings = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if settings is None or not settings.has_weights:
        raise ConfigError(Problem(f"timm offers no weights for {name}", ("model", "weights")))
    if wish != "DEFAULT":
        others = ", ".join(timm.list_pretrained(f"{_plain(name)}.*"))
        message = f"{name} has only the weights DEFAULT; others are models of their own: {others}"
        raise ConfigError(Problem(message, ("model", "weights")))
    label = f"timm's {_plain(name)}.{settings.tag}"
    classes = tuple(settings.label_names or ())

    def read() -> dict[str, Tensor]:
        return _download(timm, name, label, settings)

    return NamedWeights(label, None, classes, tuple(settings.mean), tuple(settings.std), read)


def weights_in_file(name: str, file: str) -> NamedWeights | None:  # noqa: ARG001  (its hub calls all files alike)
    """As torchvision's; here no name of a file tells."""
    return None


def _download(timm: ModuleType, name: str, label: str, settings: Any) -> dict[str, Tensor]:
    """By timm, which keeps the file in its hub's cache and checks it."""
    try:
        with torch.device("cpu"), torch.random.fork_rng(devices=()):
            return dict(timm.create_model(name, pretrained=True).state_dict())
    except (
        Exception
    ) as error:  # its hub has errors of its own for a missing network, a closed door, a file that is gone
        place = f"https://huggingface.co/{settings.hf_hub_id}" if settings.hf_hub_id else settings.url
        message = f"{label} could not be fetched from {place} ({first_line(error)})"
        raise CheckpointError(
            f"{message}; without a network, get the file there and set model.weights: FILE"
        ) from error


def _timm() -> ModuleType:
    """Raises MissingExtraError where timm is not installed."""
    with torch.device("cpu"):
        import_torchvision()  # timm imports it, and would fail on a build that does not match torch's
        try:
            return importlib.import_module("timm")
        except ModuleNotFoundError as error:
            raise MissingExtraError("model.timm", "timm") from error


def _check_name(timm: ModuleType, name: str, path: TreePath) -> None:
    if not timm.is_model(name):
        known = timm.list_models()
        hint = did_you_mean(_plain(name), known) or "; timm.list_models() has all"
        raise ConfigError(Problem(f"{name} is no model of timm{hint}", path))
    tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{_plain(name)}.*")]
    tag = name.partition(".")[2]
    if tag and tag not in tags:
        hint = did_you_mean(tag, tags) or f"; there are {', '.join(tags)}"
        raise ConfigError(Problem(f"{_plain(name)} of timm has no weights {tag}{hint}", path))


def _plain(name: str) -> str:
    return name.partition(".")[0]
