"""Inputs of every kind as a model is told of them, and batches that fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ft.core.config.schema import ModelSection
from ft.core.models.build import RankingSides, build_network
from ft.core.models.forms import InputForm
from ft.core.models.network import Network

FORMS: dict[str, InputForm] = {
    "user": InputForm("category", (), 11),
    "tags": InputForm("set", (8,), 9),
    "review": InputForm("text", (12,), 20),
    "age": InputForm("number", (2,), flagged=True),
    "when": InputForm("date", (7,)),
    "size": InputForm("vector", (4,)),
    "photo": InputForm("image", (3, 32, 32)),
    "sound": InputForm("audio", (1, 20, 31)),
}


def forms(*names: str) -> dict[str, InputForm]:
    """Those of the names."""
    return {name: FORMS[name] for name in names}


def build(
    model: Mapping[str, Any],
    inputs: Mapping[str, InputForm],
    sizes: Mapping[str, int] | None = None,
    *,
    seed: int = 0,
    device: str = "cpu",
    ranking: RankingSides | None = None,
) -> Network:
    """The network of a `model` section as YAML would have it."""
    torch.manual_seed(seed)
    section = ModelSection.model_validate(model)
    return build_network(section, inputs, sizes or {"digit": 3}, torch.device(device), ranking=ranking)


def encoder(settings: Any, form: InputForm, seed: int = 0) -> torch.nn.Module:
    """The encoder that a file's `encoders: {x: ...}` gives, in eval mode."""
    return build({"encoders": {"x": settings}}, {"x": form}, seed=seed).module.get_submodule("encoders.x").eval()


def batch(inputs: Mapping[str, InputForm], count: int = 4, seed: int = 1) -> dict[str, Tensor]:
    """Random examples; texts and sets without padding."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _random(form, (count, *form.shape), generator) for name, form in inputs.items()}


def _random(form: InputForm, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if form.cardinality is None:
        return torch.randn(shape, generator=generator)
    return torch.randint(1, form.cardinality, shape, generator=generator)
