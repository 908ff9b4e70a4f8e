"""Optimizers come by name, do what their papers say, and refuse what cannot work with words that help."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ft.core.errors import ConfigError
from ft.core.optim.groups import parameter_groups
from ft.core.optim.optimizers import OPTIMIZERS, check, make_optimizer

CPU = torch.device("cpu")
ETA, LAMBDA = 0.1, 0.01


def _net(dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1)).to(dtype)


def _gradients(net: nn.Module, step: int) -> list[Tensor]:
    """Fresh gradients of a small regression, also left in `.grad`."""
    net.zero_grad()
    inputs = torch.randn(8, 5, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
    net(inputs).square().mean().backward()
    return [p.grad.clone() for p in net.parameters() if p.grad is not None]


def _make(named: Any, net: nn.Module, weight_decay: float = 0.0, device: torch.device = CPU) -> torch.optim.Optimizer:
    return make_optimizer(named, parameter_groups(net, weight_decay), ETA, device)


def _moves(named: Any, weight_decay: float) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Parameters before, gradients, and parameters after one step from a state that is already warm."""
    net = _net()
    optimizer = _make(named, net, weight_decay)
    for step in range(3):
        _gradients(net, step)
        optimizer.step()
    before = [p.detach().clone() for p in net.parameters()]
    gradients = _gradients(net, 3)
    optimizer.step()
    return before, gradients, [p.detach().clone() for p in net.parameters()]


def test_sgd_is_the_guides_update() -> None:
    for theta, gradient, after in zip(*_moves("sgd", LAMBDA), strict=True):
        expected = theta - ETA * gradient - ETA * LAMBDA * theta
        torch.testing.assert_close(after, expected, rtol=0, atol=1e-15)


def test_adamw_decays_by_eta_lambda_theta_beside_the_step_of_adam_without_decay() -> None:
    """One step from the start, where Adam's moments are known in closed form: m/(1-b1) = g and v/(1-b2) = g^2."""
    net = _net()
    before = [p.detach().clone() for p in net.parameters()]
    optimizer = _make("adamw", net, LAMBDA)
    gradients = _gradients(net, 0)
    optimizer.step()
    for theta, gradient, after in zip(before, gradients, net.parameters(), strict=True):
        adam = ETA * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(after.detach(), theta - adam - ETA * LAMBDA * theta, rtol=0, atol=1e-13)


def test_adam_adds_lambda_theta_to_the_gradient_instead() -> None:
    net = _net()
    before = [p.detach().clone() for p in net.parameters()]
    optimizer = _make("adam", net, LAMBDA)
    gradients = _gradients(net, 0)
    optimizer.step()
    for theta, gradient, after in zip(before, gradients, net.parameters(), strict=True):
        coupled = gradient + LAMBDA * theta
        expected = theta - ETA * coupled / (coupled.abs() + 1e-8)
        torch.testing.assert_close(after.detach(), expected, rtol=0, atol=1e-13)


def test_momentum_of_sgd_is_heavy_ball() -> None:
    net = _net()
    optimizer = _make({"sgd": {"momentum": 0.9}}, net, LAMBDA)
    thetas = [p.detach().clone() for p in net.parameters()]
    velocities = [torch.zeros_like(p) for p in thetas]
    for step in range(4):
        gradients = _gradients(net, step)
        optimizer.step()
        velocities = [0.9 * v + g + LAMBDA * p for v, g, p in zip(velocities, gradients, thetas, strict=True)]
        thetas = [p - ETA * v for p, v in zip(thetas, velocities, strict=True)]
    for expected, p in zip(thetas, net.parameters(), strict=True):
        torch.testing.assert_close(p.detach(), expected, rtol=0, atol=1e-14)


def test_weight_decay_left_out_is_none_also_where_torch_has_a_default() -> None:
    net = _net()
    optimizer = _make("adamw", net)
    before = [p.detach().clone() for p in net.parameters()]
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


@pytest.mark.parametrize("name", [*OPTIMIZERS, "SGD", "Adam", "NAdam", "RAdam", "Adagrad", "Adadelta", "Adamax"])
def test_short_names_and_the_classes_of_torch_optim_train(name: str) -> None:
    check(name, LAMBDA)
    net = _net()
    optimizer = _make(name, net, LAMBDA)
    first = net(torch.ones(1, 5, dtype=torch.float64)).square().item()
    for _ in range(30):
        net.zero_grad()
        net(torch.ones(1, 5, dtype=torch.float64)).square().mean().backward()
        optimizer.step()
    assert net(torch.ones(1, 5, dtype=torch.float64)).square().item() < first


def test_arguments_lr_and_decay_reach_the_optimizer() -> None:
    net = _net()
    (group,) = _make({"adamw": {"betas": [0.8, 0.95], "amsgrad": True}}, net, 0.3).param_groups
    assert (group["betas"], group["amsgrad"], group["lr"], group["weight_decay"]) == ((0.8, 0.95), True, ETA, 0.3)


def test_each_group_keeps_its_own_decay() -> None:
    optimizer = make_optimizer("adam", parameter_groups(_net(), 0.3, "weights"), ETA, CPU)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "Adagrad"])
def test_the_fused_form_is_taken_on_a_cpu_and_moves_as_the_plain_one(name: str) -> None:
    nets = [_net(), _net()]
    plain = {**OPTIMIZERS, "Adagrad": torch.optim.Adagrad}[name](nets[1].parameters(), lr=ETA, weight_decay=LAMBDA)
    optimizers = [_make(name, nets[0], LAMBDA), plain]
    assert optimizers[0].defaults["fused"] is True
    for step in range(5):
        for net, optimizer in zip(nets, optimizers, strict=True):
            _gradients(net, step)
            optimizer.step()
    for fused, reference in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(fused, reference, rtol=1e-12, atol=1e-14)


def test_where_there_is_no_fused_form_torch_chooses() -> None:
    assert _make("adam", _net().to("meta"), device=torch.device("meta")).defaults["fused"] is None
    assert "fused" not in _make("rmsprop", _net()).defaults


def test_the_state_of_an_optimizer_resumes_it_bit_by_bit() -> None:
    nets = [_net(), _net()]
    whole, half = (_make("adamw", net, LAMBDA) for net in nets)
    for step in range(3):
        _gradients(nets[0], step)
        whole.step()
        _gradients(nets[1], step)
        half.step()
    resumed = _make("adamw", nets[1], LAMBDA)
    resumed.load_state_dict(half.state_dict())
    for net, optimizer in zip(nets, [whole, resumed], strict=True):
        _gradients(net, 9)
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True))


@pytest.mark.parametrize(
    ("named", "words", "path"),
    [
        ("adm", "did you mean adam", ()),
        ("nadam", "did you mean NAdam", ()),
        ("Sgdd", "did you mean sgd", ()),
        ("gradient_descent", "known are sgd, adam", ()),
        ("LBFGS", "several times in a step", ()),
        ("SparseAdam", "sparse gradients only", ()),
        ("Optimizer", "is the base", ()),
        ("lr_scheduler", "is not an optimizer", ()),
        ({"adam": {}, "sgd": {}}, "one name with its arguments, not adam and sgd", ()),
        ({}, "not nothing", ()),
        ({"sgd": {"momentun": 0.9}}, "did you mean momentum", ("sgd", "momentun")),
        ({"sgd": {"wings": 2}}, "it takes momentum, dampening, nesterov", ("sgd", "wings")),
        ({"adam": {"lr": 0.1}}, "say train.lr", ("adam", "lr")),
        ({"adam": {"weight_decay": 0.1}}, "say train.weight_decay", ("adam", "weight_decay")),
        ({"adam": {"fused": True}}, "speed: {fused: false}", ("adam", "fused")),
        ({"adam": {"maximize": True}}, "the loss is made small", ("adam", "maximize")),
        ({"sgd": {"momentum": "0.9"}}, "takes a number, not '0.9'", ("sgd", "momentum")),
        ({"sgd": {"nesterov": 1}}, "takes true or false, not 1", ("sgd", "nesterov")),
        ({"sgd": {"momentum": True}}, "takes a number, not True", ("sgd", "momentum")),
        ({"adam": {"betas": [0.9]}}, "a list of 2 numbers", ("adam", "betas")),
        ({"adam": {"betas": 0.9}}, "a list of 2 numbers", ("adam", "betas")),
        ({"Muon": {"ns_steps": 4.5}}, "a whole number", ("Muon", "ns_steps")),
        ({"adam": {"betas": [0.9, 1.5]}}, "1.5", ()),
        ({"sgd": {"nesterov": True}}, "requires a momentum", ()),
    ],
)
def test_what_cannot_be_says_why_and_where(named: Any, words: str, path: tuple[str, ...]) -> None:
    for ask in (lambda: check(named), lambda: _make(named, _net())):
        with pytest.raises(ConfigError) as raised:
            ask()
        assert words in str(raised.value)
        assert raised.value.problems[0].path == ("train", "optimizer", *path)


def test_every_problem_of_the_arguments_is_told_at_once_at_the_place_it_has() -> None:
    with pytest.raises(ConfigError) as raised:
        check({"sgd": {"momentun": 0.9, "lr": 0.1, "nesterov": 3}}, path=("finetune", "optimizer"))
    assert [problem.path[-1] for problem in raised.value.problems] == ["momentun", "lr", "nesterov"]
    assert raised.value.problems[0].path[:2] == ("finetune", "optimizer")
    assert "say finetune.lr" in str(raised.value)


def test_a_decay_for_an_optimizer_without_one_is_an_error() -> None:
    check("Rprop")
    for ask in (lambda: check("Rprop", LAMBDA), lambda: _make("Rprop", _net(), LAMBDA)):
        with pytest.raises(ConfigError, match="Rprop has no weight decay") as raised:
            ask()
        assert raised.value.problems[0].path == ("train", "weight_decay")


def test_none_is_kept_where_torch_itself_has_none() -> None:
    check({"Adafactor": {"eps": [None, 1e-3]}})
    with pytest.raises(ConfigError, match="a list of 2 numbers"):
        check({"Adafactor": {"eps": [None, None]}})


def test_muon_names_the_parameters_that_are_no_matrices() -> None:
    with pytest.raises(ConfigError, match=r"also learns 0\.bias \(4,\), 2\.bias \(1,\)"):
        _make("Muon", _net())
    net = nn.Linear(3, 2, bias=False)
    _make("Muon", net, LAMBDA)
