"""Linear layers with ReLU, for numbers, vectors and dates."""

from __future__ import annotations

import math

from torch import nn

from ft.core.config.schema.model import MlpEncoder
from ft.core.errors import TreePath
from ft.core.models.forms import InputForm


def build_mlp(settings: MlpEncoder, form: InputForm, path: TreePath) -> tuple[nn.Module, int]:  # noqa: ARG001
    """float (B, ...) -> (B, width): `depth` times Linear, ReLU and dropout; more axes than one are flattened."""
    size = math.prod(form.shape)
    parts: list[nn.Module] = [nn.Flatten()] if len(form.shape) > 1 else []
    for _ in range(settings.depth):
        parts += [nn.Linear(size, settings.width), nn.ReLU()]
        parts += [nn.Dropout(settings.dropout)] if settings.dropout else []
        size = settings.width
    return nn.Sequential(*parts), size
