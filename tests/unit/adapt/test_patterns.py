"""`until`, `all but`, and the words head, body and biases: what each reaches, and what it does to the modes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ft.core.adapt.freeze import freeze, set_train_mode
from ft.core.adapt.patterns import Parts
from ft.core.config.patterns import split_text
from ft.core.errors import ConfigError
from ft.core.models.units import Unit


class Net(nn.Module):
    """Four units; `body` is the second's name and has blocks inside, the second of them with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv1d(1, 4, 3, bias=False), nn.BatchNorm1d(4))
        self.trunk = nn.ModuleDict({"first": nn.Linear(16, 8), "second": nn.Linear(8, 8), "third": nn.LayerNorm(8)})
        self.trunk.register_parameter("token", nn.Parameter(torch.zeros(8)))
        self.mix = nn.MultiheadAttention(8, 2, batch_first=True)
        self.answer = nn.Linear(8, 3)


NAMES = ("stem", "trunk", "mix", "answer")
HEADS = ("answer",)
ALL = {name for name, _ in Net().named_parameters()}
STEM = {"stem.0.weight", "stem.1.weight", "stem.1.bias"}
HEAD = {"answer.weight", "answer.bias"}


def units(net: nn.Module) -> list[Unit]:
    return [Unit(index, name, "Part", (net.get_submodule(name),), (name,), None) for index, name in enumerate(NAMES)]


def frozen_by(patterns: Any, net: Net | None = None) -> set[str]:
    net = net or Net()
    freeze(units(net), net, patterns, heads=HEADS)
    return {name for name, parameter in net.named_parameters() if not parameter.requires_grad}


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("until:trunk", STEM),
        ("until: 1", STEM),
        ("until:mix", {name for name in ALL if name.startswith(("stem", "trunk"))}),
        ("until:head", ALL - HEAD),
        ("until:trunk.second", STEM | {"trunk.token", "trunk.first.weight", "trunk.first.bias"}),
        ("until:1.first", STEM | {"trunk.token"}),
        ("until:stem.1", {"stem.0.weight"}),
        ("all but head", ALL - HEAD),
        ("body", ALL - HEAD),
        ("head", HEAD),
        ("all but 0, answer", ALL - HEAD - STEM),
        ("all but trunk.second, head", ALL - HEAD - {"trunk.second.weight", "trunk.second.bias"}),
        ("all but *.bias,head", {name for name in ALL - HEAD if not name.endswith(".bias")}),
        (["all but head, 1", "trunk.third"], ALL - HEAD - {n for n in ALL if n.startswith("trunk")}
            | {"trunk.third.weight", "trunk.third.bias"}),
    ],
)  # fmt: skip
def test_until_and_all_but_reach_what_they_say(patterns: Any, expected: set[str]) -> None:
    assert frozen_by(patterns) == expected


def test_all_but_biases_is_bitfit_and_the_head_stays_free_unless_told() -> None:
    biases = {name for name in ALL if "bias" in name}
    assert "mix.in_proj_bias" in biases
    assert frozen_by("all but biases") == ALL - biases - HEAD
    assert frozen_by(["all but biases", "answer.weight"]) == ALL - biases


def test_a_table_of_relative_positions_is_no_bias() -> None:
    net = Net()
    net.trunk.register_parameter("relative_position_bias_table", nn.Parameter(torch.zeros(3)))
    assert "trunk.relative_position_bias_table" in frozen_by("all but biases", net)


def test_what_all_but_leaves_over_rests_in_eval_mode_partly_frozen_parts_too() -> None:
    net = Net()
    report = freeze(units(net), net, "all but trunk.second, head", heads=HEADS)
    set_train_mode(net, report.modules)
    resting = {"stem", "stem.1", "trunk.first", "trunk.third", "mix", "mix.out_proj"}
    assert {name for name, module in net.named_modules() if not module.training} >= resting
    assert all(net.get_submodule(name).training for name in ("trunk", "trunk.second", "answer"))


def test_a_batch_norm_whose_bias_learns_keeps_its_statistics() -> None:
    net = Net()
    report = freeze(units(net), net, "all but biases", heads=HEADS)
    set_train_mode(net, report.modules)
    before = net.stem[1].running_mean.clone()
    net.stem(torch.randn(5, 1, 9)).square().sum().backward()
    assert net.stem[1].bias.grad is not None
    assert torch.equal(before, net.stem[1].running_mean)


def test_a_unit_called_head_is_meant_before_the_word() -> None:
    net = nn.ModuleDict({"head": nn.Linear(2, 2), "last": nn.Linear(2, 2)})
    own = [Unit(i, name, "Linear", (net[name],), (name,), None) for i, name in enumerate(net)]
    assert Parts(own, net, ("last",)).match("head").modules == ("head",)


def test_blocks_that_are_units_of_their_own_are_reached_by_the_layer_above_them() -> None:
    """torchvision's layer3 is units layer3.0 and layer3.1."""
    layers = {f"layer{n}": nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)) for n in (1, 2, 3)}
    net = nn.ModuleDict(layers)
    names = [f"layer{n}.{block}" for n in (1, 2, 3) for block in (0, 1)]
    own = [Unit(i, name, "Block", (net.get_submodule(name),), (name,), None) for i, name in enumerate(names)]
    assert Parts(own, net).match("until:layer3").shown == ("layer1.0", "layer1.1", "layer2.0", "layer2.1")
    assert Parts(own, net).match("all but layer3").modules == ("layer1", "layer2")


@pytest.mark.fault(28)
@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("until:stem", "freeze: until:stem: no layer comes before stem"),
        ("until:nowhere", "freeze: until:nowhere: nowhere matches no layer and no parameter"),
        ("all but haed", "freeze: all but haed: haed matches no layer and no parameter; did you mean head?"),
        ("all but head, 7", "freeze: all but head, 7: 7 matches no layer and no parameter"),
        ("all but 0-3", "freeze: all but 0-3: nothing is left over"),
        ("bodies", "freeze: bodies matches no layer and no parameter"),
    ],
)
def test_what_they_cannot_mean_is_an_error_with_the_table(pattern: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        frozen_by(pattern)
    assert str(caught.value).startswith(message)
    assert "\n    1  trunk   Part\n" in str(caught.value)


def test_a_comma_after_all_but_belongs_to_it() -> None:
    assert split_text("0, 2-3 ,all but fc, layer4") == ["0", "2-3", "all but fc, layer4"]
    assert split_text("all  but fc,4.1") == ["all  but fc,4.1"]
    assert split_text("wall but") == ["wall but"]
    assert split_text(" , ") == []
