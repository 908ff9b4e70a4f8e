"""Frozen is frozen: what a pattern names does not move by a bit, buffers and dropout included."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from blocks import Block
from torch import nn

from ft.core.adapt.freeze import FreezeReport, freeze, set_train_mode
from ft.core.adapt.patterns import split_patterns
from ft.core.config.schema import ModelSection
from ft.core.errors import ConfigError
from ft.core.models.build import build_network
from ft.core.models.describe import describe
from ft.core.models.forms import InputForm


class Net(nn.Module):
    """Six units; the fourth has parts."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, bias=False)
        self.stem_act = nn.PReLU()
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.flat = nn.Flatten()
        self.body = nn.Sequential(
            nn.Sequential(nn.Linear(4 * 16, 8), nn.BatchNorm1d(8)), nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
        )
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.norm(self.stem_act(self.stem(x))))
        return self.head(self.body(self.flat(x)))  # type: ignore[no-any-return]


UNITS = [
    Block(0, "stem", "Conv2d + PReLU", ("stem", "stem_act")),
    Block(1, "norm", "BatchNorm2d", ("norm",)),
    Block(2, "drop", "Dropout", ("drop",)),
    Block(3, "flat", "Flatten", ("flat",)),
    Block(4, "body", "Sequential", ("body",)),
    Block(5, "head", "Linear", ("head",)),
]


def frozen(net: nn.Module) -> set[str]:
    return {name for name, parameter in net.named_parameters() if not parameter.requires_grad}


def train(net: nn.Module, report: FreezeReport, steps: int = 4) -> None:
    """Real steps with decay and momentum, and a validation in between."""
    learning = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(steps):
        set_train_mode(net, report.modules)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(torch.rand(6, 1, 6, 6)), torch.arange(6) % 3).backward()
        optimizer.step()
        net.eval()


STEM = {"stem.weight", "stem_act.weight"}
BODY0 = {"body.0.0.weight", "body.0.0.bias", "body.0.1.weight", "body.0.1.bias"}
BODY1 = {name.replace("body.0", "body.1") for name in BODY0}
NORM = {"norm.weight", "norm.bias"}
HEAD = {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (0, STEM),
        ("0-2", STEM | NORM),
        ("0,1,2", STEM | NORM),
        ([0, "1,2"], STEM | NORM),
        ("stem", STEM),
        ("s*", STEM),
        ("4.1", BODY1),
        ("4.1.*", BODY1),
        ("body.1", BODY1),
        ("4.0.1", {"body.0.1.weight", "body.0.1.bias"}),
        ("4.*.1", {"body.0.1.weight", "body.0.1.bias", "body.1.1.weight", "body.1.1.bias"}),
        ("4.*", BODY0 | BODY1),
        ("stem_act", {"stem_act.weight"}),
        ("5.bias", {"head.bias"}),
        ("head.bias", {"head.bias"}),
        ("*.bias", {"norm.bias", "body.0.0.bias", "body.0.1.bias", "body.1.0.bias", "body.1.1.bias", "head.bias"}),
        ([], set()),
    ],
)
def test_patterns_reach_units_parts_and_parameters(patterns: Any, expected: set[str]) -> None:
    net = Net()
    report = freeze(UNITS, net, patterns)
    assert frozen(net) == expected
    assert report.frozen_parameters == sum(p.numel() for name, p in net.named_parameters() if name in expected)
    assert report.total_parameters == sum(p.numel() for p in net.parameters())


def test_no_frozen_bit_moves_over_real_steps_buffers_included() -> None:
    torch.manual_seed(0)
    net = Net()
    report = freeze(UNITS, net, "0-3,4.0")
    before = copy.deepcopy(net.state_dict())
    train(net, report)
    after = net.state_dict()
    still = [key for key in before if not key.startswith(("body.1", "head"))]
    assert "norm.running_mean" in still
    assert "body.0.1.num_batches_tracked" in still
    assert all(torch.equal(before[key], after[key]) for key in still)
    moved = [key for key in before if key.startswith(("body.1", "head"))]
    assert not any(torch.equal(before[key], after[key]) for key in moved), "the rest does learn"


def test_the_test_above_could_fail_a_free_norm_moves_its_buffers() -> None:
    torch.manual_seed(0)
    net = Net()
    report = freeze(UNITS, net, "norm.weight,norm.bias")
    assert report.modules == ()
    before = copy.deepcopy(net.state_dict())
    train(net, report)
    assert torch.equal(before["norm.weight"], net.state_dict()["norm.weight"])
    assert not torch.equal(before["norm.running_mean"], net.state_dict()["norm.running_mean"])


def test_a_frozen_dropout_drops_nothing_in_training() -> None:
    net = Net()
    report = freeze(UNITS, net, "drop")
    set_train_mode(net, report.modules)
    x = torch.rand(5, 7)
    assert torch.equal(net.drop(x), x)
    set_train_mode(net)
    assert not torch.equal(net.drop(x), x)


def test_modes_follow_units_and_parts_and_never_bare_parameters() -> None:
    net = Net()
    report = freeze(UNITS, net, ["1", "4.0.*", "*.bias"])
    net.eval()
    set_train_mode(net, report.modules)
    resting = {name for name, module in net.named_modules() if not module.training}
    assert resting == {"norm", "body.0", "body.0.0", "body.0.1"}


def test_the_report_says_what_each_pattern_matched() -> None:
    report = freeze(UNITS, Net(), "2,4.0.1,head.bias")
    assert [(row.pattern, row.matched, row.parameters) for row in report.rows] == [
        ("2", ("drop",), 0),
        ("4.0.1", ("body.0.1",), 16),
        ("head.bias", ("head.bias",), 3),
    ]
    assert report.lines()[1] == "4.0.1: body.0.1 (16 values)"
    assert report.lines()[-1] == f"frozen: 19 of {report.total_parameters:,} values"


def test_tied_weights_freeze_together_and_are_said() -> None:
    net = Net()
    net.body[1][0].weight = nn.Parameter(torch.rand(8, 8))
    net.head = nn.Linear(8, 8)
    net.head.weight = net.body[1][0].weight
    report = freeze(UNITS, net, "head")
    assert not net.body[1][0].weight.requires_grad
    assert report.tied == ("head.weight is body.1.0.weight",)
    assert "head.weight is body.1.0.weight: tied, frozen together" in report.lines()
    assert report.frozen_parameters == 64 + 8


@pytest.mark.fault(28)
@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (7, "freeze: 7 matches no layer and no parameter"),
        ("4-9", "freeze: 4-9 matches no layer"),
        ("2-0", "freeze: 2-0 matches no layer"),
        ("-1", "freeze: -1 matches no layer"),
        ("haed", "freeze: haed matches no layer and no parameter; did you mean head?"),
        ("4.7", "freeze: 4.7 matches no layer"),
        ("*", "freezing all of this leaves nothing to learn"),
        ("0-5", "freezing all of this leaves nothing to learn"),
    ],
)
def test_what_cannot_be_frozen_is_an_error_with_the_table_of_layers(patterns: Any, message: str) -> None:
    net = Net()
    with pytest.raises(ConfigError) as caught:
        freeze(UNITS, net, patterns)
    assert str(caught.value).startswith(message)
    assert "\n    4  body  Sequential\n" in str(caught.value)
    assert caught.value.problems[0].path == ("finetune", "freeze")
    assert not frozen(net), "an error leaves the network as it was"


def test_what_has_nothing_to_freeze_is_said_and_alone_it_is_an_error() -> None:
    report = freeze(UNITS, Net(), ["flat", "stem", "drop"])
    assert report.lines()[0] == "nothing to freeze in flat: it has no parameters"
    assert "nothing" not in " ".join(report.lines()[1:])  # a frozen dropout drops nothing, and that is something
    with pytest.raises(ConfigError, match="nothing to freeze in flat: it has no parameters"):
        freeze(UNITS, Net(), "flat")


@pytest.mark.fault(28)
def test_every_pattern_without_a_match_is_reported() -> None:
    with pytest.raises(ConfigError) as caught:
        freeze(UNITS, Net(), "0,9,nothing")
    assert [problem.message.split(" matches")[0] for problem in caught.value.problems] == [
        "freeze: 9",
        "freeze: nothing",
    ]


def test_a_parameter_outside_of_any_child_freezes_with_its_unit() -> None:
    net = Net()
    net.token = nn.Parameter(torch.zeros(5))
    units = [Block(0, "stem", "Conv2d", ("stem", "stem_act", "token")), *UNITS[1:]]
    freeze(units, net, 0)
    assert frozen(net) == {*STEM, "token"}


def test_patterns_may_be_written_in_many_ways() -> None:
    assert list(split_patterns([0, "1, 2", " stem ,"])) == ["0", "1", "2", "stem"]
    assert list(split_patterns(3)) == ["3"]


@pytest.mark.parametrize("patterns", ["", " , ", [""], [0, " "]])
def test_a_blank_pattern_is_refused_and_does_not_freeze_nothing(patterns: Any) -> None:
    with pytest.raises(ConfigError, match="freeze has a blank in it, which names no unit") as caught:
        freeze(UNITS, Net(), patterns)
    assert caught.value.problems[0].path == ("finetune", "freeze")


def test_numbers_reach_the_parts_of_a_network_built_from_layers() -> None:
    layers = [
        {"residual": [{"Linear": 6}, "BatchNorm1d"]},
        {"Linear": {"out_features": 6, "activation": "PReLU"}},
        "Linear",
    ]
    network = build_network(
        ModelSection(layers=layers), {"x": InputForm("vector", (6,))}, {"y": 3}, torch.device("cpu")
    )
    report = freeze(network.units, network.module, "0.1,1")
    assert frozen(network.module) == {
        "residual_0.1.weight",
        "residual_0.1.bias",
        "linear_1.weight",
        "linear_1.bias",
        "linear_1_act.weight",
    }
    assert report.modules == ("residual_0.1", "linear_1", "linear_1_act")
    assert [row.state for row in describe(network, report.modules)] == ["partly", "frozen", "trainable"]


def test_the_guides_first_three_units_freeze_and_count_though_two_have_no_parameters() -> None:
    layers = [
        {"Conv2d": {"out_channels": 32, "kernel_size": 3, "activation": "ReLU"}},
        {"MaxPool2d": 2},
        "Flatten",
        "Linear",
    ]
    network = build_network(
        ModelSection(layers=layers), {"x": InputForm("image", (1, 28, 28))}, {"y": 10}, torch.device("cpu")
    )
    report = freeze(network.units, network.module, [0, 1, 2])
    assert [row.matched for row in report.rows] == [("conv2d_0",), ("maxpool2d_1",), ("flatten_2",)]
    assert (report.frozen_parameters, report.total_parameters) == (320, 54410)
    assert [row.state for row in describe(network, report.modules)] == ["frozen", "frozen", "frozen", "trainable"]
