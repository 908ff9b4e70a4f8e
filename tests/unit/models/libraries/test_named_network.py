"""A library's classifier is numbered, frozen and answered as any network; nothing of it lies outside of its units."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from forms import build
from torch import nn

from ft.core.errors import ConfigError
from ft.core.models.forms import InputForm
from ft.core.models.libraries.stem import other_channels

PHOTO = {"photo": InputForm("image", (3, 224, 224))}
SMALL = {"photo": InputForm("image", (3, 64, 64))}
# One of each family that torchvision has; those of 224 pixels and more run without values.
FAMILIES = [
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "swin_v2_t",
    "vgg11_bn",
    "vit_b_16",
    "wide_resnet50_2",
]


@pytest.mark.parametrize("name", FAMILIES)
def test_every_value_of_a_network_belongs_to_one_unit_and_the_last_unit_answers(name: str) -> None:
    side = 299 if name == "inception_v3" else 224
    network = build({"torchvision": name}, {"photo": InputForm("image", (3, side, side))}, {"y": 7}, device="meta")
    assert [unit.index for unit in network.units] == list(range(len(network.units)))
    for key in network.module.state_dict():
        assert sum(unit.owns(key) for unit in network.units) == 1, key
    assert network.last_layer("y") == (network.units[-1].name,) or name == "squeezenet1_1"  # pools behind its last one
    assert network.units[-1].output_shape is not None
    assert network.module(torch.zeros(2, 3, side, side, device="meta")).shape == (2, 7)


def test_a_resnet_is_its_stem_its_eight_blocks_and_its_head() -> None:
    network = build({"torchvision": "resnet18"}, SMALL)
    assert [unit.name for unit in network.units] == [
        *("conv1", "bn1", "maxpool"),
        *(f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)),
        *("avgpool", "fc"),
    ]
    assert network.units[3].kind == "BasicBlock"
    assert network.units[3].output_shape == (64, 16, 16)


def test_a_vision_transformer_is_numbered_by_its_layers_with_the_class_token_first() -> None:
    network = build({"torchvision": "vit_b_16"}, PHOTO, device="meta")
    names = [unit.name for unit in network.units]
    assert [name for name in names if "encoder_layer" in name] == [
        f"encoder.layers.encoder_layer_{number}" for number in range(12)
    ]
    assert network.units[0].owns("class_token")
    assert names[-1] == "heads.head"


def test_it_answers_as_torchvisions_own_with_the_same_weights() -> None:
    from ft.core.runtime.torchvision import import_torchvision

    network = build({"torchvision": {"name": "mobilenet_v3_small", "args": {"dropout": 0.0}}}, SMALL, {"y": 5})
    reference = import_torchvision().models.mobilenet_v3_small(num_classes=5)
    reference.load_state_dict(network.module.state_dict())
    x = torch.rand(3, 3, 64, 64)
    network.module.eval(), reference.eval()
    assert torch.equal(network({"photo": x})["y"], reference(x))


def test_two_outputs_share_the_network_and_have_a_layer_each() -> None:
    network = build({"torchvision": "shufflenet_v2_x0_5"}, SMALL, {"kind": 5, "age": 1})
    answers = network({"photo": torch.rand(2, 3, 64, 64)})
    assert {name: tuple(answer.shape) for name, answer in answers.items()} == {"kind": (2, 5), "age": (2, 1)}
    assert network.last_layer("kind") == ("fc.kind",)
    assert network.last_layer("age") == ("fc.age",)
    answers["age"].sum().backward()
    assert network.module.get_parameter("fc.kind.weight").grad is None
    assert network.module.get_parameter("conv1.0.weight").grad is not None


# ---------------------------------------------------------------- other channels


def test_grey_weights_answer_to_a_grey_picture_as_those_of_colour_to_the_same_in_colour() -> None:
    colour = nn.Conv2d(3, 8, 5, bias=False).double()
    grey = nn.Conv2d(1, 8, 5, bias=False).double()
    grey.weight.data = other_channels(colour.weight.detach(), 1)
    x = torch.rand(2, 1, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(grey(x), colour(x.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize("channels", [2, 3, 4, 7])
def test_other_channels_repeat_the_colours_and_keep_the_answers_size(channels: int) -> None:
    weight = torch.rand(4, 3, 3, 3, dtype=torch.float64)
    found = other_channels(weight, channels)
    assert found.shape == (4, channels, 3, 3)
    torch.testing.assert_close(found[:, channels - 1], weight[:, (channels - 1) % 3] * 3 / channels)
    even = weight.mean(1, keepdim=True).expand(-1, 3, -1, -1)  # where all channels are alike, so is the sum
    torch.testing.assert_close(other_channels(even, channels).sum(1), even.sum(1))


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "mobilenet_v3_small", "squeezenet1_1", "densenet121"])
def test_the_stem_takes_grey_pictures(name: str) -> None:
    network = build({"torchvision": name}, {"photo": InputForm("image", (1, 64, 64))})
    assert network({"photo": torch.rand(2, 1, 64, 64)})["digit"].shape == (2, 3)
    (stem,) = network.stems
    assert network.module.state_dict()[stem].shape[1] == 1


def test_an_encoder_of_torchvision_takes_grey_pictures_too() -> None:
    grey = {"photo": InputForm("image", (1, 64, 64))}
    network = build({"encoders": {"photo": {"torchvision": {"name": "resnet18"}}}}, grey)
    assert network({"photo": torch.rand(2, 1, 64, 64)})["digit"].shape == (2, 3)


def test_squeezenets_answers_may_be_negative() -> None:
    network = build({"torchvision": "squeezenet1_1"}, SMALL)
    network.module.eval()
    layer = network.module.get_submodule("classifier.1")
    assert isinstance(layer, nn.Conv2d)
    nn.init.constant_(layer.bias, -100.0)  # type: ignore[arg-type]
    assert (network({"photo": torch.rand(2, 3, 64, 64)})["digit"] < -1).all()


# ---------------------------------------------------------------- what does not fit


@pytest.mark.parametrize(
    ("model", "inputs", "path", "message"),
    [
        ("resnet81", SMALL, ("torchvision", "name"), "resnet81 is no classifier of torchvision; did you mean resnet1"),
        ("fcn_resnet50", SMALL, ("torchvision", "name"), "no classifier of torchvision"),
        ("vit_b_16", SMALL, ("torchvision",), "vit_b_16 cannot take pictures of 64 x 64"),
        (
            {"name": "resnet18", "args": {"weights": "DEFAULT"}},
            SMALL,
            ("torchvision", "args", "weights"),
            "not for here",
        ),
        (
            {"name": "resnet18", "args": {"num_classes": 3}},
            SMALL,
            ("torchvision", "args", "num_classes"),
            "outputs decide",
        ),
        ({"name": "resnet18", "args": {"widht": 3}}, SMALL, ("torchvision", "args"), "widht"),
        ({"name": "googlenet", "args": {"aux_logits": True}}, SMALL, ("torchvision", "args"), "more than once"),
        ("resnet18", {"x": InputForm("vector", (4,))}, ("torchvision",), "takes pictures; x is of type vector"),
        (
            "resnet18",
            {**SMALL, "age": InputForm("number", (1,))},
            ("torchvision",),
            "resnet18 has one input; this experiment has 2",
        ),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(
    model: Any, inputs: dict[str, InputForm], path: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        build({"torchvision": model}, inputs)
    problem = caught.value.problems[0]
    assert problem.path == ("model", *path)
    assert message in problem.message


def test_a_convolution_cannot_answer_several_outputs() -> None:
    with pytest.raises(ConfigError, match="ends with a convolution, which answers one output only"):
        build({"torchvision": "squeezenet1_1"}, SMALL, {"a": 2, "b": 3})
