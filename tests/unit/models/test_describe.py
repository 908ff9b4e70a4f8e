"""The rows of `ft layers` add up to the network and say what learns."""

from __future__ import annotations

from typing import Any

import torch

from ft.core.config.schema import ModelSection
from ft.core.models.build import build_network
from ft.core.models.describe import count_parameters, describe
from ft.core.models.forms import InputForm
from ft.core.models.network import Network


def build(layers: list[Any], shape: tuple[int, ...] = (1, 28, 28), device: str = "cpu") -> Network:
    return build_network(
        ModelSection(layers=layers), {"x": InputForm("vector", shape)}, {"y": 10}, torch.device(device)
    )


GUIDE: list[Any] = [
    {"Conv2d": {"out_channels": 32, "kernel_size": 3, "activation": "PReLU"}},
    {"MaxPool2d": 2},
    "Flatten",
    "Linear",
]


def test_rows_count_what_a_person_counts_by_hand() -> None:
    rows = describe(build(GUIDE))
    conv, linear = 32 * (9 + 1) + 1, 5408 * 10 + 10  # PReLU's slope is the activation's, so the unit's
    assert [row.parameters for row in rows] == [conv, 0, 0, linear]
    assert [row.state for row in rows] == ["trainable", "-", "-", "trainable"]
    assert [row.output_shape for row in rows] == [(32, 26, 26), (32, 13, 13), (5408,), (10,)]


def test_a_network_on_meta_is_described_in_the_same_way() -> None:
    assert describe(build(GUIDE, device="meta")) == describe(build(GUIDE))


def test_states_tell_what_learns() -> None:
    network = build(GUIDE)
    network.module.get_submodule("conv2d_0").requires_grad_(False)
    network.module.get_parameter("linear_3.bias").requires_grad_(False)
    rows = describe(network, frozen=("flatten_2",))
    assert [row.state for row in rows] == ["partly", "-", "frozen", "partly"]
    assert [row.trainable for row in rows] == [1, 0, 0, 54080]
    network.module.get_parameter("conv2d_0_act.weight").requires_grad_(False)
    assert describe(network)[0].state == "frozen"


def test_shared_parameters_are_counted_once() -> None:
    network = build([{"Linear": 6}, {"Linear": 6}, "Linear"], (6,))
    first, second = network.module.get_submodule("linear_0"), network.module.get_submodule("linear_1")
    second.weight = first.weight
    rows = describe(network)
    assert [row.parameters for row in rows] == [36 + 6, 6, 70]
    assert count_parameters(network.module).total == sum(row.parameters for row in rows) == 118
