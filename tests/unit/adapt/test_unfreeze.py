"""Gradual unfreezing and rates by layer give the bits of loops written by hand, and go on from anywhere with them."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from engine_parts import CPU, head, loader, module, network, problem
from torch import nn

from ft.core.adapt.freeze import freeze
from ft.core.adapt.patterns import Parts
from ft.core.adapt.rates import rates_by_decay, rates_by_pattern
from ft.core.adapt.unfreeze import Frozen, plan_unfreezing
from ft.core.data.order import permutation
from ft.core.engine.ema import Ema
from ft.core.engine.events import Stepped, Unfrozen
from ft.core.engine.loop import Loop
from ft.core.engine.state import LoopSettings
from ft.core.errors import ConfigError
from ft.core.models.units import Unit
from ft.core.optim.groups import parameter_groups
from ft.core.optim.optimizers import make_optimizer
from ft.core.optim.schedules import make_schedule
from ft.core.runtime.precision import Precision

EPOCHS, STEPS = 4, 7
UNFREEZE: dict[int, Any] = {2: "1", 3: "0"}  # the batch norm, then the first linear layer


def units(net: nn.Module) -> list[Unit]:
    children = list(net.named_children())
    return [Unit(i, name, type(child).__name__, (child,), (name,), None) for i, (name, child) in enumerate(children)]


def gradual(
    *,
    seed: int = 0,
    optimizer: Any = "adamw",
    schedule: Any = "constant",
    ema: bool = False,
    decay: float | None = None,
) -> tuple[Loop, Frozen]:
    """Linear, BatchNorm1d, ReLU, Dropout, Linear over 50 points; all but the last frozen at first."""
    net = network(module(seed))
    report = freeze(units(net.module), net.module, "all but 4")
    frozen = Frozen(net.module, report, plan_unfreezing(units(net.module), net.module, report, UNFREEZE))
    joining = {name: joining.epoch for joining in frozen.joins for name in joining.learning}
    parts, rates = Parts(units(net.module), net.module), None
    if decay is not None:
        rates = rates_by_decay(parts, list(parts.parameters), 1e-2, decay, ["4"], ())
    groups = parameter_groups(net.module, 0.1, "all", rates, joining)
    average = Ema(net.module, 0.9) if ema else None
    loop = Loop(
        LoopSettings(epochs=EPOCHS, monitor="accuracy", direction="max", log_every_steps=3),
        net,
        [head()],
        loader(*problem(50), 8),
        loader(*problem(30, seed=1), 16, shuffle=False),
        make_optimizer(optimizer, groups, 1e-2, CPU),
        make_schedule(schedule, EPOCHS * STEPS, STEPS, 0),
        Precision("fp32", CPU),
        train_mode=frozen.train_mode,
        ema=average,
        shipped=network(average.module) if average else None,
        enter=frozen.enter,
    )
    return loop, frozen


def bits(net: nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in net.state_dict().items()}


MADE_BY_HAND = {
    "adamw": lambda params: torch.optim.AdamW(params, 1e-2, weight_decay=0.1, fused=True),
    "sgd": lambda params: torch.optim.SGD(params, 1e-2, momentum=0.9, weight_decay=0.1, fused=True),
}


@pytest.mark.parametrize("kind", MADE_BY_HAND)
def test_gradual_unfreezing_gives_the_bits_of_a_loop_written_by_hand(kind: str) -> None:
    ours, _ = gradual(optimizer={"sgd": {"momentum": 0.9}} if kind == "sgd" else kind)
    for _ in ours.run():
        pass

    net, (points, classes) = module(0), problem(50)
    net[0].requires_grad_(False), net[1].requires_grad_(False)
    optimizer = MADE_BY_HAND[kind](net[4].parameters())
    for epoch in range(EPOCHS):
        net.train()
        for index, joins in ((1, 1), (0, 2)):  # the batch norm with the second epoch, the linear layer with the third
            if epoch == joins:
                net[index].requires_grad_(True)
                optimizer.add_param_group({"params": list(net[index].parameters())})
            if epoch < joins:
                net[index].eval()
        for rows in permutation(7, epoch, 50).split(8):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(points[rows]), classes[rows], reduction="sum").div(len(rows)).backward()
            optimizer.step()

    assert bits(ours.network.module) == bits(net)


def test_before_its_epoch_nothing_moves_a_frozen_part_and_after_it_all_does() -> None:
    it, _ = gradual(ema=True)
    start = bits(copy.deepcopy(it.network.module))
    told = []
    for event in it.run():
        if isinstance(event, Unfrozen):
            told.append((event.step, event.epoch, event.units, event.values))
            now, averaged = bits(it.network.module), bits(it.shipped.module)
            still = [name for name in start if name.startswith(("0.", "1.") if event.epoch == 2 else "0.")]
            assert len(still) > 1
            assert all(start[name] == now[name] == averaged[name] for name in still)
            assert it.network.module[1].training
    assert told == [(7, 2, ("1",), 32), (14, 3, ("0",), 112)]
    assert all(start[name] != value for name, value in bits(it.network.module).items())


ELABORATE: dict[str, Any] = {"schedule": "cosine", "ema": True, "decay": 0.5}


@pytest.mark.fault(3)
@pytest.mark.parametrize("stop_after", [3, 7, 8, 10, 14, 15, 20])
def test_stopping_anywhere_and_going_on_gives_the_same_bits(stop_after: int) -> None:
    whole, _ = gradual(**ELABORATE)
    expected = [str(event) for event in whole.run() if isinstance(event, Unfrozen)]

    first, _ = gradual(**ELABORATE)
    seen = []
    for event in first.run():
        seen += [str(event)] if isinstance(event, Unfrozen) else []
        if isinstance(event, Stepped) and event.step == stop_after:
            break
    saved = io.BytesIO()
    torch.save(first.state_dict(), saved)
    saved.seek(0)

    second, _ = gradual(**ELABORATE, seed=5)
    second.load_state_dict(torch.load(saved, weights_only=True))
    seen += [str(event) for event in second.run() if isinstance(event, Unfrozen)]
    assert seen == expected
    assert bits(second.network.module) == bits(whole.network.module)
    assert bits(second.shipped.module) == bits(whole.shipped.module)
    assert str(second.optimizer.state_dict()) == str(whole.optimizer.state_dict())


def test_rates_by_layer_and_a_schedule_give_the_bits_of_a_loop_with_parameter_groups() -> None:
    net = network(module(0))
    parts = Parts(units(net.module), net.module)
    rates = rates_by_pattern(parts, list(parts.parameters), 1e-3, {"4": 1e-2, "0": 1e-4}, ())
    loop = Loop(
        LoopSettings(epochs=2, monitor="loss"),
        net,
        [head()],
        loader(*problem(50), 8),
        None,
        make_optimizer("adam", parameter_groups(net.module, 0.0, "all", rates), 1e-3, CPU),
        make_schedule({"step": {"every_epochs": 1, "factor": 0.1}}, 14, 7, 0),
        Precision("fp32", CPU),
        train_mode=lambda: net.module.train() and None,
    )
    for _ in loop.run():
        pass

    by_hand, (points, classes) = module(0), problem(50)
    groups = [
        {"params": list(by_hand[index].parameters()), "lr": lr} for index, lr in ((4, 1e-2), (1, 1e-3), (0, 1e-4))
    ]
    optimizer = torch.optim.Adam(groups, fused=True)
    for epoch in range(2):
        for rows in permutation(7, epoch, 50).split(8):
            optimizer.zero_grad()
            nn.functional.cross_entropy(by_hand(points[rows]), classes[rows], reduction="sum").div(len(rows)).backward()
            optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] *= 0.1
    assert bits(net.module) == bits(by_hand)


def test_a_factor_between_layers_counts_from_the_head_and_over_frozen_ones() -> None:
    net = module()
    parts = Parts(units(net), net)
    rates = rates_by_decay(parts, ["4.weight", "0.bias"], 1.0, 0.5, ["4"], ())
    assert rates == {"4.weight": 1.0, "0.bias": 0.25}  # the batch norm between them has a rate of 0.5


def test_encoders_stand_side_by_side_and_so_do_heads() -> None:
    names = ("encoders.a", "encoders.b", "body", "heads.y", "heads.z")
    net = nn.ModuleDict({name.replace(".", "_"): nn.Linear(2, 2) for name in names})
    own = [Unit(i, name, "Linear", (), (name.replace(".", "_"),), None) for i, name in enumerate(names)]
    parts = Parts(own, net)
    rates = rates_by_decay(parts, list(parts.parameters), 1.0, 0.5, ["heads_y", "heads_z"], ())
    assert [rates[f"{name.replace('.', '_')}.weight"] for name in names] == [0.25, 0.25, 0.5, 1.0, 1.0]


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"9": 1.0}, "layer_lr: 9 matches no layer"),
        ({"2": 1.0}, "layer_lr: nothing of 2 ever learns"),
        ({"0": 1.0, "*.bias": 2.0}, "layer_lr: 0.bias has two rates: 1 by 0, 2 by *.bias"),
    ],
)
def test_rates_that_contradict_or_change_nothing_are_refused_with_the_table(
    wishes: dict[str, float], message: str
) -> None:
    net = module()
    parts = Parts(units(net), net)
    with pytest.raises(ConfigError) as caught:
        rates_by_pattern(parts, list(parts.parameters), 1.0, wishes, ("train", "layer_lr"))
    assert str(caught.value).startswith(message)
    assert "the layers are:" in str(caught.value)


# ---------------------------------------------------------------- what may join


def plan(net: nn.Module, patterns: Any, wishes: dict[int, Any]) -> Frozen:
    report = freeze(units(net), net, patterns)
    return Frozen(net, report, plan_unfreezing(units(net), net, report, wishes))


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({2: "4"}, "unfreeze: 4 in epoch 2 is not frozen then"),
        ({2: "0", 3: "0"}, "unfreeze: 0 in epoch 3 is not frozen then"),
        ({2: "2"}, "unfreeze: 2 in epoch 2 is not frozen then"),
        ({2: "layer9"}, "unfreeze: layer9 matches no layer"),
    ],
)
def test_what_is_not_frozen_cannot_join(wishes: dict[int, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(module(), "0-1", wishes)
    assert str(caught.value).startswith(message)
    assert "the layers are:" in str(caught.value)
    assert caught.value.problems[0].path[:2] == ("finetune", "unfreeze")


def test_a_tied_weight_learns_once_it_is_frozen_under_none_of_its_names() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    frozen = plan(net, "0-1", {2: "1", 3: "0"})
    assert [joining.values for joining in frozen.joins] == [3, 9 + 3]
    frozen.enter(2)
    assert (net[1].bias.requires_grad, net[1].weight.requires_grad) == (True, False)
    assert set(frozen.tensors()) == {"0.weight", "1.weight", "0.bias"}
    frozen.enter(3)
    assert net[1].weight.requires_grad
    assert frozen.tensors() == []


def test_a_layer_whose_only_weight_is_tied_to_a_frozen_one_cannot_join() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3, bias=False), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    with pytest.raises(ConfigError, match=r"1 in epoch 2 frees nothing: 1.weight is 0.weight, which stays frozen"):
        plan(net, "0-1", {2: "1"})


def test_what_the_users_own_code_froze_stays_so() -> None:
    net = module()
    net[0].bias.requires_grad_(False)
    frozen = plan(net, "0-1", {2: "0"})
    frozen.enter(2)
    assert net[0].weight.requires_grad
    assert not net[0].bias.requires_grad


def test_a_part_of_a_frozen_layer_joins_alone() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), nn.Linear(3, 2))
    frozen = plan(net, "0", {2: "0.1"})
    frozen.enter(2)
    frozen.train_mode()
    assert (net[0][1].training, net[0][0].training) == (True, False)
    assert set(frozen.tensors()) == {"0.0.weight", "0.0.bias"}


OPTIMIZERS = [
    name
    for name, cls in vars(torch.optim).items()
    if isinstance(cls, type) and name not in ("LBFGS", "SparseAdam", "Optimizer", "Muon")
]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_passes_by_what_waits_and_takes_it_up_later(name: str) -> None:
    waiting, learning = nn.Linear(3, 3), nn.Linear(3, 3)
    decay = {"weight_decay": 0.0 if name == "Rprop" else 0.5}  # which has none
    groups = [{"params": list(part.parameters()), **decay} for part in (learning, waiting)]
    optimizer = make_optimizer(name, groups, 0.1, CPU)
    before = copy.deepcopy(waiting)
    waiting.requires_grad_(False)
    for step in range(4):
        waiting.requires_grad_(step > 1)
        optimizer.zero_grad()
        waiting(learning(torch.ones(2, 3))).square().sum().backward()
        optimizer.step()
        assert torch.equal(waiting.weight, before.weight) == (step < 2)
