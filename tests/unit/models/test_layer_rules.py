"""Every class of torch.nn is accounted for: it builds and runs in a `layers` list, or it is refused with a reason."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import pytest
import torch
from torch import nn

from ft.core.config.schema import ModelSection
from ft.core.errors import ConfigError
from ft.core.models.build import build_network
from ft.core.models.forms import InputForm
from ft.core.models.layer_rules import layer_names, refusal

CLASSES = sorted(
    name for name in dir(nn) if inspect.isclass(getattr(nn, name)) and issubclass(getattr(nn, name), nn.Module)
)
# Input shape by the end of a name, and the arguments that have no default; a class not named here needs none.
SHAPES: dict[str, tuple[int, ...]] = {"1d": (4, 8), "2d": (4, 8, 8), "3d": (4, 8, 8, 8)}
OWN_SHAPES: dict[str, tuple[int, ...]] = {
    "LSTM": (5, 4),
    "GRU": (5, 4),
    "RNN": (5, 4),
    "MultiheadAttention": (5, 4),
    "TransformerEncoderLayer": (5, 4),
    "EmbeddingBag": (5,),
    "PixelShuffle": (4, 8, 8),
    "PixelUnshuffle": (4, 8, 8),
    "ChannelShuffle": (4, 8, 8),
    "Upsample": (4, 8, 8),
    "Unfold": (4, 8, 8),
    "Fold": (8, 16),
    "LocalResponseNorm": (4, 8, 8),
    "FeatureAlphaDropout": (4, 8, 8),
    "GroupNorm": (4, 8, 8),
}
NEEDED: dict[str, Any] = {
    "ChannelShuffle": 2,
    "CrossMapLRN2d": 2,
    "Embedding": {"num_embeddings": 3, "embedding_dim": 4},
    "EmbeddingBag": {"num_embeddings": 3, "embedding_dim": 4},
    "Fold": {"output_size": [5, 5], "kernel_size": 2},
    "GRU": 3,
    "GroupNorm": 2,
    "LSTM": 3,
    "Linear": 4,
    "LocalResponseNorm": 2,
    "LogSoftmax": 1,
    "MultiheadAttention": 2,
    "PixelShuffle": 2,
    "PixelUnshuffle": 2,
    "RNN": 3,
    "Softmax": 1,
    "Softmin": 1,
    "Threshold": {"threshold": 0.1, "value": 1.0},
    "TransformerEncoderLayer": 2,
    "Unflatten": {"dim": 1, "unflattened_size": [2, 8]},
    "Unfold": 2,
    "Upsample": {"scale_factor": 2.0},
    "UpsamplingBilinear2d": {"scale_factor": 2.0},
    "UpsamplingNearest2d": {"scale_factor": 2},
}


def arguments(name: str) -> Any:
    if name in NEEDED:
        return NEEDED[name]
    if name.startswith("Conv"):
        return {"out_channels": 4, "kernel_size": 3}
    if name.startswith("ConstantPad"):
        return {"padding": 1, "value": 0.5}
    if name.startswith("LPPool"):
        return {"norm_type": 2, "kernel_size": 2}
    if name.startswith("Fractional"):
        return {"kernel_size": 2, "output_size": 4}
    return 2 if "Pool" in name or "Pad" in name else None


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_torch_nn_is_a_layer_or_refused_with_a_reason(name: str) -> None:
    shape = OWN_SHAPES.get(name) or SHAPES.get(name[-2:], () if name == "Embedding" else (16,))
    indices = 3 if name.startswith("Embedding") else None
    form = InputForm("category" if indices else "vector", shape, indices)
    layers = [{name: arguments(name)}, "Flatten", {"Linear": {"name": "end"}}]
    section = ModelSection(layers=layers)
    if name not in layer_names():
        assert refusal(name)
        with pytest.raises(ConfigError, match=f"^{name} "):
            build_network(section, {"x": form}, {"y": 3}, torch.device("cpu"))
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of some of its own old forms
        network = build_network(section, {"x": form}, {"y": 3}, torch.device("cpu"))
        sketch = build_network(section, {"x": form}, {"y": 3}, torch.device("meta"))
    assert [unit.output_shape for unit in sketch.units] == [unit.output_shape for unit in network.units]
    x = torch.randint(indices, (2, *shape)) if indices else torch.rand(2, *shape)
    made = network.units[0].modules[0]
    assert isinstance(made, getattr(nn, name))
    assert network({"x": x})["y"].shape == (2, 3)


def test_names_of_layers_exclude_what_is_refused() -> None:
    assert {"Conv2d", "Linear", "ReLU", "LSTM"} <= set(layer_names())
    assert not {name for name in layer_names() if refusal(name)}
    assert refusal("Conv2d") is None
    assert refusal("functional") is None, "a module of functions is no class, so it is unknown rather than refused"
