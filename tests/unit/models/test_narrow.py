"""Structured pruning: channels that say nothing go, whatever lies between them and their readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ft.core.errors import ConfigError
from ft.core.models.forms import InputForm
from ft.core.models.layers import build_layers
from ft.core.models.narrow import Narrowed, narrow
from ft.core.models.rewrite import rewrite

CPU = torch.device("cpu")


def conv(out: int, **more: Any) -> dict[str, Any]:
    return {"Conv2d": {"out_channels": out, "kernel_size": 3, "padding": 1, **more}}


def build(layers: Sequence[Any], shape: tuple[int, ...], size: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    module = build_layers(list(layers), InputForm("image", shape), size, CPU)[0]
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            assert part.running_mean is not None
            assert part.running_var is not None
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias)
    return module.eval()


def cut(layers: Sequence[Any], module: nn.Module, shape: tuple[int, ...], share: float) -> Narrowed:
    settings = {"model": {"layers": list(layers)}}
    return narrow(settings, module, module.state_dict(), torch.zeros(2, *shape), share)


def silence(module: nn.Module, names: Sequence[str], channels: Sequence[int]) -> None:
    """These channels of these layers give zero, whatever comes."""
    for name in names:
        part = module.get_submodule(name)
        with torch.no_grad():
            part.weight[list(channels)] = 0  # type: ignore[index]
            part.bias[list(channels)] = 0  # type: ignore[index]


PLAIN = [conv(6, activation="ReLU"), {"MaxPool2d": 2}, "Flatten", {"Linear": 8}, "ReLU", "Linear"]
NORMS = [
    conv(6, bias=False),
    {"BatchNorm2d": {"num_features": 6, "activation": "ReLU"}},
    conv(4),
    "BatchNorm2d",
    "ReLU",
    {"AdaptiveAvgPool2d": 2},
    "Flatten",
    "Linear",
]
TRUNK = [
    conv(6),
    {"repeat": {"times": 2, "layers": [{"residual": {"layers": [conv(4, activation="ReLU"), conv(6)]}}]}},
    {
        "residual": {
            "layers": [conv(8, stride=2)],
            "shortcut": [{"Conv2d": {"out_channels": 8, "kernel_size": 1, "stride": 2}}],
        }
    },
    "Flatten",
    "Linear",
]
BESIDE = [conv(4), {"parallel": [["Identity"], [conv(6)]]}, conv(10, groups=10), "Flatten", "Linear"]
SUMMED = [{"parallel": {"branches": [[conv(4)], [conv(4)]], "merge": "sum"}}, "Flatten", "Linear"]

CASES: Mapping[str, tuple[list[Any], dict[tuple[str, ...], list[int]]]] = {
    "plain": (PLAIN, {("conv2d_0",): [1, 2, 5], ("linear_3",): [0, 3, 4, 7]}),
    "norms": (NORMS, {("batchnorm2d_1",): [0, 1, 3], ("batchnorm2d_3",): [2, 3]}),
    "trunk": (
        TRUNK,
        {
            ("conv2d_0", "repeat_1.0.0.1", "repeat_1.1.0.1"): [0, 2, 5],
            ("repeat_1.0.0.0",): [1, 2],
            ("repeat_1.1.0.0",): [0, 3],
            ("residual_2.0", "residual_2.shortcut.0"): [1, 4, 5, 7],
        },
    ),
    "beside": (BESIDE, {("conv2d_0",): [0, 3], ("parallel_1.1.0",): [1, 2, 4]}),
    "summed": (SUMMED, {("parallel_0.0.0", "parallel_0.1.0"): [1, 2]}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("fast", [False, True])
def test_without_the_channels_that_say_nothing_the_answers_are_the_same(case: str, fast: bool) -> None:
    layers, silent = CASES[case]
    shape = (3, 8, 8)
    module = build(layers, shape)
    for names, channels in silent.items():
        silence(module, names, channels)
    if case == "beside":  # the depthwise layer would speak by its bias where it hears nothing
        silence(module, ["conv2d_2"], [0, 3, 5, 6, 8])
    x = torch.randn(5, *shape)
    expected: Tensor = module(x)
    if fast:
        rewrite(module)
    less = cut(layers, module, shape, 0.5)
    small = build(less.settings["model"]["layers"], shape)
    small.load_state_dict(less.weights)
    assert torch.allclose(small(x), expected, atol=1e-5)
    gone = sum(len(channels) for channels in silent.values())
    assert less.before - less.after == gone
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in module.parameters())


def test_a_quarter_of_a_plain_network_leaves_the_sizes_worked_out_by_hand() -> None:
    less = cut(PLAIN, build(PLAIN, (1, 8, 8)), (1, 8, 8), 0.25)
    shapes = {name: tuple(tensor.shape) for name, tensor in less.weights.items()}
    assert shapes == {  # 6 - 1 channels of 4 x 4, 8 - 2 features
        "conv2d_0.weight": (5, 1, 3, 3),
        "conv2d_0.bias": (5,),
        "linear_3.weight": (6, 80),
        "linear_3.bias": (6,),
        "linear_5.weight": (4, 6),
        "linear_5.bias": (4,),
    }


def test_a_channel_counts_by_how_strongly_it_speaks_times_how_strongly_it_is_heard() -> None:
    layers = [{"Linear": 3}, {"Linear": 2}]
    module = build(layers, (1,), 2)
    module.load_state_dict(
        {
            "linear_0.weight": torch.tensor([[3.0], [2.0], [5.0]]),
            "linear_0.bias": torch.zeros(3),
            "linear_1.weight": torch.tensor([[1.0, 3.0, 0.0], [0.0, 4.0, 0.1]]),  # worth 3 * 1, 2 * 5, 5 * 0.1
            "linear_1.bias": torch.zeros(2),
        }
    )
    less = cut(layers, module, (1,), 0.34)
    assert less.weights["linear_0.weight"].tolist() == [[3.0], [2.0]]


def test_what_a_layer_reads_in_a_way_of_its_own_stays_whole_and_is_named() -> None:
    layers = [conv(4), {"GroupNorm": {"num_groups": 2}}, conv(6), "Flatten", "Linear"]
    module = build(layers, (3, 6, 6))
    less = cut(layers, module, (3, 6, 6), 0.5)
    assert (less.before, less.after) == (6, 3)
    assert any("groupnorm_1 (GroupNorm)" in line for line in less.kept_whole)
    small = build(less.settings["model"]["layers"], (3, 6, 6))
    small.load_state_dict(less.weights)


def test_where_one_round_of_a_repeat_must_stay_whole_every_round_does() -> None:
    """The first round's shortcut is the picture itself, the settings have one size for both."""
    layers = [{"repeat": {"times": 2, "layers": [{"residual": [conv(3)]}]}}, conv(6), "Flatten", "Linear"]
    less = cut(layers, build(layers, (3, 6, 6)), (3, 6, 6), 0.5)
    assert (less.before, less.after) == (6, 3)


@pytest.mark.parametrize(
    ("layers", "share", "words"),
    [
        (["Flatten", "Linear"], 0.5, "nothing to cut"),
        ([conv(4), "Flatten", "Linear"], 0.1, "less than one channel"),
        ([conv(4), {"GroupNorm": 2}, "Flatten", "Linear"], 0.5, r"groupnorm_1 \(GroupNorm\)"),
    ],
)
def test_a_network_of_which_nothing_can_go_is_refused_and_says_why(layers: list[Any], share: float, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        cut(layers, build(layers, (3, 6, 6)), (3, 6, 6), share)


def test_a_network_that_is_no_list_of_layers_is_refused_by_its_kind() -> None:
    with pytest.raises(ConfigError, match="this one is torchvision"):
        narrow({"model": {"torchvision": "resnet18"}}, nn.Linear(1, 1), {}, torch.zeros(2, 1), 0.5)
