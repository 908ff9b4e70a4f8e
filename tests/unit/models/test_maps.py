"""Which layer Grad-CAM looks at, in networks of several kinds."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from ft.core.config.schema import ModelSection
from ft.core.errors import ConfigError
from ft.core.models.build import build_network
from ft.core.models.forms import InputForm
from ft.core.models.maps import choose_map, reads_maps
from ft.core.models.network import Network

CPU = torch.device("cpu")
PICTURE = InputForm("image", (3, 32, 32))


def built(model: Mapping[str, object], forms: Mapping[str, InputForm] | None = None) -> Network:
    network = build_network(ModelSection.model_validate(model), forms or {"image": PICTURE}, {"kind": 4}, CPU)
    network.module.eval()
    return network


def zeros(forms: Mapping[str, InputForm] | None = None) -> dict[str, Tensor]:
    return {name: form.zeros(1) for name, form in (forms or {"image": PICTURE}).items()}


def conv(channels: int, **more: object) -> dict[str, object]:
    return {"Conv2d": {"out_channels": channels, "kernel_size": 3, "padding": 1, **more}}


def test_the_last_convolution_is_looked_at_behind_its_activation() -> None:
    network = built({"layers": [conv(4), conv(6, activation="ReLU"), {"MaxPool2d": 2}, "Flatten", "Linear"]})
    found = choose_map(network, zeros(), "image", None)
    assert found.name == network.units[1].name
    assert isinstance(found.module, nn.ReLU)
    assert found.map.shape == (1, 6, 32, 32)


def test_a_norm_and_activation_behind_a_pool_still_belong_to_the_convolution() -> None:
    layers = [conv(4), {"MaxPool2d": 2}, {"BatchNorm2d": {"activation": "ReLU"}}, {"AdaptiveAvgPool2d": 1}, "Flatten"]
    found = choose_map(built({"layers": [*layers, "Linear"]}), zeros(), "image", None)
    assert found.map.shape == (1, 4, 16, 16)
    assert isinstance(found.module, nn.ReLU)


def test_a_finer_map_is_preferred_to_one_of_a_few_places() -> None:
    halving = [conv(4, activation="ReLU"), {"MaxPool2d": 2}]
    network = built({"layers": [*halving * 4, conv(4, activation="ReLU"), "Flatten", "Linear"]})
    assert choose_map(network, zeros(), "image", None).map.shape == (1, 4, 4, 4)
    assert choose_map(network, zeros(), "image", "8").map.shape == (1, 4, 2, 2)


def test_the_block_of_a_torchvision_network_is_looked_at_with_its_shortcut() -> None:
    form = {"image": InputForm("image", (3, 128, 128))}
    network = built({"torchvision": "resnet18"}, form)
    found = choose_map(network, zeros(form), "image", None)
    assert found.name == "layer4.1"
    assert found.map.shape == (1, 512, 4, 4)


def test_an_encoder_is_looked_into_and_each_picture_has_its_own() -> None:
    forms = {"left": PICTURE, "right": InputForm("audio", (1, 40, 30)), "age": InputForm("number", (1,))}
    encoders = {"left": {"image": {"channels": [4, 6]}}, "right": {"audio": {"channels": [5]}}}
    network = built({"encoders": encoders}, forms)
    assert choose_map(network, zeros(forms), "left", None).map.shape == (1, 6, 8, 8)
    assert choose_map(network, zeros(forms), "right", None).map.shape == (1, 5, 20, 15)


def test_a_network_without_a_convolution_or_with_patches_alone_has_no_map() -> None:
    plain = built({"layers": ["Flatten", "Linear"]})
    with pytest.raises(ConfigError, match="none was found behind image; --method integrated_gradients"):
        choose_map(plain, zeros(), "image", None)
    patches = built({"layers": [{"Conv2d": {"out_channels": 8, "kernel_size": 4, "stride": 4}}, "Flatten", "Linear"]})
    assert not reads_maps(patches, zeros(), "image")
    assert choose_map(patches, zeros(), "image", "0").map.shape == (1, 8, 8, 8)


def test_a_map_as_fine_as_the_picture_is_not_taken_unasked() -> None:
    fine = built({"layers": [conv(4, activation="ReLU"), {"AdaptiveAvgPool2d": 1}, "Flatten", "Linear"]})
    coarse = built({"layers": [conv(4, stride=2, activation="ReLU"), {"AdaptiveAvgPool2d": 1}, "Flatten", "Linear"]})
    assert not reads_maps(fine, zeros(), "image")
    assert reads_maps(coarse, zeros(), "image")


def test_a_layer_is_named_by_number_name_or_path() -> None:
    network = built({"torchvision": "resnet18"}, {"image": PICTURE})
    unit = next(unit for unit in network.units if unit.name == "layer2.0")
    for name in ("layer2.0", str(unit.index), "layer2.0.bn2", "layer2"):
        assert choose_map(network, zeros(), "image", name).map.shape == (1, 128, 4, 4)


def test_a_layer_that_is_not_there_or_gives_no_map_is_refused_with_a_hint() -> None:
    network = built({"torchvision": "resnet18"}, {"image": PICTURE})
    with pytest.raises(ConfigError, match=r"no such layer; did you mean layer4\.0"):
        choose_map(network, zeros(), "image", "layer4.l")
    with pytest.raises(ConfigError, match=r"needs a map .*; it answers \(4,\)"):
        choose_map(network, zeros(), "image", "fc")
