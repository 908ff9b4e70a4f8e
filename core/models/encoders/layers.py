"""An encoder from a `layers` list: any layers, what comes out of them is flattened."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from ft.core.errors import TreePath
from ft.core.models.forms import InputForm
from ft.core.models.layers import build_layers


def build_list(items: list[Any], form: InputForm, path: TreePath) -> tuple[nn.Module, int]:
    """(B, ...) -> (B, D). Its entries are numbered, as inner parts are; all sizes have to be said.

    Raises ConfigError at the entry that does not fit, and for texts and sets when D would change with their length.
    """
    device = torch.get_default_device()
    sequence, units = build_layers(items, form, None, device, path=path, outermost=False)
    shape = units[-1].output_shape
    assert shape is not None
    if len(shape) != 1:
        sequence.add_module("flatten", nn.Flatten())  # entries are numbers here: no clash
    return sequence, math.prod(shape)
