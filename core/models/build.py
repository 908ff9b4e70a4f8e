"""The `model` section -> a network. Chooses between the kinds of model; builds none itself."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from ft.core.config.schema import ModelSection
from ft.core.errors import ConfigError, Problem
from ft.core.models.encoder_network import build_encoder_network
from ft.core.models.forms import InputForm
from ft.core.models.layers import build_layers
from ft.core.models.named_network import build_named_network, chosen_library
from ft.core.models.network import Network
from ft.core.models.python_model import build_python
from ft.core.models.towers import RankingSides

__all__ = ["RankingSides", "build_network"]


def build_network(
    model: ModelSection,
    inputs: Mapping[str, InputForm],
    head_sizes: Mapping[str, int],
    device: torch.device,
    *,
    ranking: RankingSides | None = None,
    code_sha256: str | None = None,
) -> Network:
    """Build the network that the section describes, with fresh weights.

    The weights are drawn on the CPU from torch's global generator and then moved, so that a seed gives the same bits
    on every device. On the device "meta" nothing is drawn or stored but for `python`: so a file is validated.

    inputs: in the order of the file. head_sizes: raw values per example that each output needs.
    ranking: which inputs describe the user and which the item, where the output is a ranking; only `fusion: dot` ranks.
    code_sha256: of the user's file that a checkpoint's `python:` model was trained with; other code is not run.

    Raises ConfigError with every problem that can be found at once.
    """
    if ranking is not None and (model.fusion is None or model.fusion.dot is None):
        message = "a ranking compares each user with many items at once, which takes two towers: set model.fusion: dot"
        raise ConfigError(Problem(message, ("model",) if model.fusion is None else ("model", "fusion")))
    if model.python is not None:
        return build_python(model.python, model.args, inputs, head_sizes, device, code_sha256)
    if (library := chosen_library(model)) is not None:
        return build_named_network(*library, inputs, head_sizes, device)
    if model.layers is None:
        return build_encoder_network(model, inputs, head_sizes, device, ranking)
    name, output = _one("input", tuple(inputs)), _one("output", tuple(head_sizes))
    module, units = build_layers(model.layers, inputs[name], head_sizes[output], device)
    return Network(module, units, (name,), (output,))


def _one(what: str, names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return names[0]
    raise ConfigError(
        Problem(
            f"layers is a network with one {what}; this experiment has {len(names)} ({', '.join(names)}): "
            f"keep one of them, or take model.encoders, which has one encoder an input and one head an output",
            ("model", "layers"),
        )
    )
