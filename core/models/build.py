"""The `model` section -> a network. Chooses between the kinds of model; builds none itself."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ft.core.config.schema import ModelSection
from ft.core.errors import ConfigError, Problem
from ft.core.models.layers import build_layers
from ft.core.models.network import Network
from ft.core.models.python_model import build_python

Shape = tuple[int, ...]


def build_network(
    model: ModelSection,
    input_shapes: Mapping[str, Shape],
    head_sizes: Mapping[str, int],
    device: torch.device,
    *,
    cardinalities: Mapping[str, int] | None = None,
    code_sha256: str | None = None,
) -> Network:
    """Build the network that the section describes, with fresh weights.

    The weights are drawn on the CPU from torch's global generator and then moved, so that a seed gives the same bits
    on every device. On the device "meta" nothing is drawn or stored for `layers`: that is how a file is validated.

    input_shapes: one example of each input as the model sees it: (C, H, W), (F,), (1,), (T, F), () for a category.
    head_sizes: raw values per example that each output needs.
    cardinalities: how many indices a category input can take, the unknown one included; Embedding's size.
    code_sha256: of the user's file that a checkpoint's `python:` model was trained with; other code is not run.

    Raises ConfigError with every problem that can be found at once.
    """
    inputs, outputs = tuple(input_shapes), tuple(head_sizes)
    if model.python is not None:
        return build_python(model.python, model.args, input_shapes, head_sizes, device, code_sha256)
    assert model.layers is not None, "the schema admits exactly one kind of model"
    _one("input", inputs)
    _one("output", outputs)
    module, units = build_layers(
        model.layers,
        input_shapes[inputs[0]],
        head_sizes[outputs[0]],
        device,
        categories=(cardinalities or {}).get(inputs[0]),
    )
    return Network(module, units, inputs, outputs)


def _one(what: str, names: tuple[str, ...]) -> None:
    if len(names) == 1:
        return
    raise ConfigError(
        Problem(
            f"layers is a network with one {what}; this experiment has {len(names)} ({', '.join(names)}): "
            f"keep one of them, or write the network as model.python",
            ("model", "layers"),
        )
    )
