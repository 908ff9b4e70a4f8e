"""The `layers` list builds what a person would write by hand in torch: the same bits, shapes and names."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ft.core.config.schema import ModelSection
from ft.core.models.build import build_network
from ft.core.models.forms import InputForm
from ft.core.models.network import Network

CPU = torch.device("cpu")

GUIDE: list[Any] = [
    {"Conv2d": {"out_channels": 32, "kernel_size": 3, "activation": "ReLU"}},
    {"MaxPool2d": 2},
    "Flatten",
    "Linear",
]


def build(
    layers: list[Any],
    shape: tuple[int, ...],
    outputs: int = 10,
    device: torch.device = CPU,
    cardinality: int | None = None,
) -> Network:
    return build_network(
        ModelSection(layers=layers), {"x": InputForm("vector", shape, cardinality)}, {"y": outputs}, device
    )


def guide_by_hand() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5408, 10))


def test_the_guides_network_has_the_bits_of_the_one_written_by_hand() -> None:
    torch.manual_seed(3)
    by_hand = guide_by_hand()
    state_after = torch.get_rng_state()
    torch.manual_seed(3)
    network = build(GUIDE, (1, 28, 28))
    assert torch.equal(torch.get_rng_state(), state_after), "finding the shapes consumed random numbers"
    assert list(network.module.state_dict()) == ["conv2d_0.weight", "conv2d_0.bias", "linear_3.weight", "linear_3.bias"]
    for ours, theirs in zip(network.module.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    x = torch.rand(5, 1, 28, 28)
    assert torch.equal(network({"x": x})["y"], by_hand(x))


def test_nothing_stands_between_the_modules_but_a_sequential() -> None:
    network = build(GUIDE, (1, 28, 28))
    kinds = [type(module) for module in network.module.modules()]
    assert kinds == [nn.Sequential, nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.Flatten, nn.Linear]


def test_each_entry_is_one_unit_and_its_activation_belongs_to_it() -> None:
    units = build(GUIDE, (1, 28, 28)).units
    assert [(unit.index, unit.name, unit.kind) for unit in units] == [
        (0, "conv2d_0", "Conv2d + ReLU"),
        (1, "maxpool2d_1", "MaxPool2d"),
        (2, "flatten_2", "Flatten"),
        (3, "linear_3", "Linear"),
    ]
    assert [unit.output_shape for unit in units] == [(32, 26, 26), (32, 13, 13), (5408,), (10,)]
    assert units[0].prefixes == ("conv2d_0", "conv2d_0_act")
    assert [type(module) for module in units[0].modules] == [nn.Conv2d, nn.ReLU]


def test_random_layers_leave_the_generator_as_the_same_layers_by_hand_do() -> None:
    layers = [
        {"Conv2d": {"out_channels": 4, "kernel_size": 3, "activation": "RReLU"}},
        {"FractionalMaxPool2d": {"kernel_size": 2, "output_size": 5}},
        {"Dropout": 0.5},
        "Flatten",
        {"Softmax": -1},
        "Linear",
    ]
    torch.manual_seed(0)
    network = build(layers, (1, 12, 12))
    torch.manual_seed(0)
    conv, linear = nn.Conv2d(1, 4, 3), nn.Linear(100, 10)
    expected = torch.get_rng_state()
    torch.manual_seed(0)
    build(layers, (1, 12, 12))
    assert torch.equal(torch.get_rng_state(), expected)
    assert torch.equal(network.module.get_parameter("conv2d_0.weight"), conv.weight)
    assert torch.equal(network.module.get_parameter("linear_5.weight"), linear.weight)


def test_batch_norm_has_counted_nothing_and_every_module_is_in_training_mode() -> None:
    network = build(["BatchNorm2d", "Flatten", {"BatchNorm1d": {"momentum": None}}, "Linear"], (3, 4, 4))
    state = network.module.state_dict()
    assert state["batchnorm2d_0.num_batches_tracked"] == 0
    assert torch.equal(state["batchnorm2d_0.running_mean"], torch.zeros(3))
    assert torch.equal(state["batchnorm1d_2.running_var"], torch.ones(48))
    assert all(module.training for module in network.module.modules())


def test_on_meta_it_draws_and_stores_nothing_and_knows_the_same_shapes() -> None:
    before = torch.get_rng_state()
    network = build([*GUIDE[:-1], {"Dropout": 0.2}, "Linear"], (1, 28, 28), device=torch.device("meta"))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(parameter.is_meta for parameter in network.module.parameters())
    assert [unit.output_shape for unit in network.units][-1] == (10,)


def test_the_default_device_of_the_caller_does_not_matter() -> None:
    torch.manual_seed(0)
    expected = build(GUIDE, (1, 28, 28)).module.state_dict()
    torch.manual_seed(0)
    with torch.device("meta"):
        found = build(GUIDE, (1, 28, 28)).module.state_dict()
    assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_a_network_can_be_copied_and_trained_apart_from_its_copy() -> None:
    network = build([{"residual": [{"Linear": 6}]}, {"parallel": [["Identity"], [{"Linear": 6}]]}, "Linear"], (6,))
    twin = copy.deepcopy(network)
    x = torch.rand(3, 6)
    assert torch.equal(network({"x": x})["y"], twin({"x": x})["y"])
    with torch.no_grad():
        for parameter in twin.module.parameters():
            parameter.zero_()
    assert network({"x": x})["y"].abs().sum() > 0
    assert twin.units[0].modules[0] is twin.module.get_submodule("residual_0"), "the copy's units mean the copy"


# ---------------------------------------------------------------- kinds of input


def test_a_vector_goes_through_linear_layers() -> None:
    network = build([{"Linear": {"out_features": 7, "activation": {"LeakyReLU": 0.2}}}, "Linear"], (13,), outputs=1)
    first, act, second = network.module.children()
    assert (first.in_features, first.out_features) == (13, 7)
    assert act.negative_slope == 0.2
    assert (second.in_features, second.out_features) == (7, 1)


def test_a_category_reaches_embedding_as_an_index() -> None:
    network = build([{"Embedding": 8}, "Linear"], (), outputs=3, cardinality=11)
    table = network.module.get_submodule("embedding_0")
    assert (table.num_embeddings, table.embedding_dim) == (11, 8)
    assert network({"x": torch.tensor([0, 10])})["y"].shape == (2, 3)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_answer_the_whole_sequence_as_torchs_do(kind: str) -> None:
    torch.manual_seed(1)
    network = build([{kind: {"hidden_size": 6, "bidirectional": True}}, "Flatten", "Linear"], (5, 3))
    torch.manual_seed(1)
    by_hand = getattr(nn, kind)(3, 6, bidirectional=True, batch_first=True)
    x = torch.rand(4, 5, 3)
    layer, *_ = network.units[0].modules
    assert torch.equal(layer(x), by_hand(x)[0])
    assert [f"{kind.lower()}_0.{name}" for name in by_hand.state_dict()] == list(network.module.state_dict())[:8]


def test_attention_is_self_attention_over_the_steps_of_one_example() -> None:
    torch.manual_seed(1)
    network = build([{"MultiheadAttention": 2}, "Flatten", "Linear"], (5, 6))
    torch.manual_seed(1)
    by_hand = nn.MultiheadAttention(6, 2, batch_first=True)
    x = torch.rand(4, 5, 6)
    layer, *_ = network.units[0].modules
    assert torch.allclose(layer(x), by_hand(x, x, x)[0], atol=1e-6)
    changed = x.clone()
    changed[0] = 0
    assert torch.allclose(layer(changed)[1:], layer(x)[1:], atol=1e-6), "an example sees no other example"


def test_a_transformer_layer_keeps_its_own_activation_argument() -> None:
    network = build(
        [{"TransformerEncoderLayer": {"nhead": 2, "activation": "gelu"}}, "LayerNorm", "Flatten", "Linear"], (5, 6)
    )
    layer, *_ = network.units[0].modules
    assert layer.activation is nn.functional.gelu
    assert layer.self_attn.batch_first
    assert network.units[1].modules[0].normalized_shape == (6,)


def test_sizes_are_inferred_all_along_a_network() -> None:
    layers = [
        {"Conv2d": {"out_channels": 8, "kernel_size": 3, "padding": "same", "activation": "GELU"}},
        {"GroupNorm": 4},
        {"InstanceNorm2d": {"affine": True}},
        {"ConvTranspose2d": {"out_channels": 6, "kernel_size": 2, "stride": 2}},
        "BatchNorm2d",
        {"AvgPool2d": [2, 4]},
        {"LayerNorm": [6, 8, 4]},
        {"Unflatten": {"dim": 1, "unflattened_size": [2, 3]}},
        {"Conv3d": {"out_channels": 2, "kernel_size": [1, 3, 3]}},
        {"AdaptiveAvgPool3d": 1},
        "Flatten",
        "RMSNorm",
        "Linear",
    ]
    network = build(layers, (3, 8, 8))
    assert [unit.output_shape for unit in network.units] == [
        (8, 8, 8),
        (8, 8, 8),
        (8, 8, 8),
        (6, 16, 16),
        (6, 16, 16),
        (6, 8, 4),
        (6, 8, 4),
        (2, 3, 8, 4),
        (2, 3, 6, 2),
        (2, 1, 1, 1),
        (2,),
        (2,),
        (10,),
    ]
    assert network({"x": torch.rand(3, 3, 8, 8)})["y"].shape == (3, 10)


def test_a_convolution_may_be_the_last_layer_with_a_size() -> None:
    network = build([{"Conv2d": {"kernel_size": 3}}, {"AdaptiveAvgPool2d": 1}, "Flatten"], (3, 8, 8), outputs=4)
    assert network.module.get_submodule("conv2d_0").out_channels == 4


def test_an_entry_may_have_its_own_name() -> None:
    network = build([{"Flatten": None}, {"Linear": {"name": "head"}}], (1, 4, 4))
    assert [unit.name for unit in network.units] == ["flatten_0", "head"]
    assert list(network.module.state_dict()) == ["head.weight", "head.bias"]


# ---------------------------------------------------------------- repeat, residual, parallel


def test_repeat_builds_each_round_anew_with_the_sizes_that_reach_it() -> None:
    torch.manual_seed(0)
    network = build([{"repeat": {"times": 2, "layers": [{"Linear": 5}, "Tanh"]}}, "Linear"], (3,))
    torch.manual_seed(0)
    by_hand = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 10))
    x = torch.rand(4, 3)
    assert torch.equal(network({"x": x})["y"], by_hand(x))
    assert list(network.module.state_dict())[::2] == ["repeat_0.0.0.weight", "repeat_0.1.0.weight", "linear_1.weight"]


class BasicBlock(nn.Module):
    """ResNet's block, written independently (He et al. 2016)."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.down: nn.Module | None = None
        if stride != 1 or channels_in != channels:
            self.down = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.down is None else self.down(x)))


def conv(channels: int, size: int, stride: int = 1) -> dict[str, Any]:
    padding = size // 2
    return {
        "Conv2d": {"out_channels": channels, "kernel_size": size, "stride": stride, "padding": padding, "bias": False}
    }


def block(channels: int, stride: int = 1) -> dict[str, Any]:
    layers = [conv(channels, 3, stride), {"BatchNorm2d": {"activation": "ReLU"}}, conv(channels, 3), "BatchNorm2d"]
    options: dict[str, Any] = {"layers": layers, "activation": "ReLU"}
    if stride > 1:
        options["shortcut"] = [conv(channels, 1, stride), "BatchNorm2d"]
    return {"residual": options}


def test_a_resnet_written_in_layers_equals_the_one_written_in_torch() -> None:
    layers = [
        conv(8, 3),
        {"BatchNorm2d": {"activation": "ReLU"}},
        {"repeat": {"times": 2, "layers": [block(8)]}},
        block(16, stride=2),
        {"AdaptiveAvgPool2d": 1},
        "Flatten",
        "Linear",
    ]
    torch.manual_seed(0)
    network = build(layers, (3, 12, 12))
    torch.manual_seed(0)
    by_hand = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        BasicBlock(8, 8, 1),
        BasicBlock(8, 8, 1),
        BasicBlock(8, 16, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )
    for ours, theirs in zip(network.module.parameters(), by_hand.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    x, target = torch.randn(6, 3, 12, 12), torch.arange(6)
    ours, theirs = network({"x": x})["y"], by_hand(x)
    assert torch.equal(ours, theirs)
    nn.functional.cross_entropy(ours, target).backward()
    nn.functional.cross_entropy(theirs, target).backward()
    for mine, other in zip(network.module.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad)
    assert len(network.units) == 7
    assert "residual_3.shortcut.0.weight" in network.module.state_dict()


def test_parallel_joins_its_branches_along_the_channels() -> None:
    branches = [[conv(4, 1)], [conv(4, 3), {"Conv2d": {"out_channels": 6, "kernel_size": 1}}], ["Identity"]]
    torch.manual_seed(0)
    network = build([{"parallel": branches}, {"AdaptiveAvgPool2d": 1}, "Flatten", "Linear"], (3, 5, 5))
    torch.manual_seed(0)
    a, b, c = nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.Conv2d(4, 6, 1)
    x = torch.rand(2, 3, 5, 5)
    joined, *_ = network.units[0].modules
    assert torch.equal(joined(x), torch.cat([a(x), c(b(x)), x], 1))
    assert network.units[0].output_shape == (13, 5, 5)
    assert list(network.module.state_dict())[:2] == ["parallel_0.0.0.weight", "parallel_0.1.0.weight"]


def test_parallel_may_sum_its_branches_or_join_another_axis() -> None:
    torch.manual_seed(0)
    summed = build([{"parallel": {"branches": [[{"Linear": 4}], [{"Linear": 4}]], "merge": "sum"}}, "Linear"], (3,))
    torch.manual_seed(0)
    a, b = nn.Linear(3, 4), nn.Linear(3, 4)
    x = torch.rand(5, 3)
    layer, *_ = summed.units[0].modules
    assert torch.equal(layer(x), a(x) + b(x))
    longer = build([{"parallel": {"branches": [["Identity"], ["Tanh"]], "dim": 2}}, "Flatten", "Linear"], (4, 3))
    assert longer.units[0].output_shape == (4, 6)


def test_the_answer_has_the_size_of_a_hand_count() -> None:
    """Output sizes by the formula of the documentation, not by torch's run."""
    side = math.floor((28 + 2 * 1 - 2 * (5 - 1) - 1) / 3 + 1)
    layers = [{"Conv2d": {"out_channels": 2, "kernel_size": 5, "stride": 3, "padding": 1, "dilation": 2}}, "Flatten"]
    network = build([*layers, "Linear"], (1, 28, 28))
    assert network.units[0].output_shape == (2, side, side)
