"""Which parameters learn, and which of them decay."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ft.core.errors import ConfigError
from ft.core.optim.groups import parameter_groups


def _net() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))


def _names(group: dict[str, Any]) -> set[str]:
    return {name for name, _ in group["params"]}


def test_all_decays_everything_in_one_group() -> None:
    (group,) = parameter_groups(_net(), 0.1)
    assert _names(group) == {"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"}
    assert group["weight_decay"] == 0.1


def test_weights_spares_biases_and_norm_layers() -> None:
    decayed, spared = parameter_groups(_net(), 0.1, "weights")
    assert (_names(decayed), decayed["weight_decay"]) == ({"0.weight", "3.weight"}, 0.1)
    assert (_names(spared), spared["weight_decay"]) == ({"0.bias", "1.weight", "1.bias", "3.bias"}, 0.0)


def test_no_group_is_empty() -> None:
    assert len(parameter_groups(nn.Linear(2, 2, bias=False), 0.1, "weights")) == 1
    assert len(parameter_groups(nn.LayerNorm(2), 0.1, "weights")) == 1


def test_a_frozen_parameter_is_left_out_so_that_decay_does_not_move_it() -> None:
    net = _net()
    net[0].requires_grad_(False)
    before = [p.clone() for p in net[0].parameters()]
    optimizer = torch.optim.SGD(parameter_groups(net, 0.5), lr=0.1, momentum=0.9)
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, net[0].parameters(), strict=True))
    torch.testing.assert_close(net[1].weight, torch.full((4,), 1 - 0.1 * 0.5))  # those that learn did decay


def test_tied_weights_are_moved_once() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    (group,) = parameter_groups(net, 0.0)
    assert _names(group) == {"0.weight", "0.bias", "1.bias"}


def test_a_model_with_nothing_to_learn_is_an_error() -> None:
    with pytest.raises(ConfigError, match="nothing is left to learn"):
        parameter_groups(_net().requires_grad_(False), 0.0)
    with pytest.raises(ConfigError, match="nothing is left to learn"):
        parameter_groups(nn.Flatten(), 0.0)


def test_rates_and_epochs_have_groups_of_their_own_and_what_learns_first_with_the_largest_rate_comes_first() -> None:
    net = _net()
    net[0].requires_grad_(False)
    rates = {"0.weight": 0.5, "0.bias": 0.5, "1.weight": 0.1, "1.bias": 0.1, "3.weight": 0.2, "3.bias": 0.1}
    groups = parameter_groups(net, 0.1, "all", rates, {"0.weight": 3, "0.bias": 2})
    assert [(group["lr"], _names(group)) for group in groups] == [
        (0.2, {"3.weight"}),
        (0.1, {"1.weight", "1.bias", "3.bias"}),
        (0.5, {"0.bias"}),
        (0.5, {"0.weight"}),
    ]
