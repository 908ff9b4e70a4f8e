"""Small real parts for the engine's tests: a picture-free problem, a loader, a head, a loop."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ft.core.config.schema import CategoryOutput, VectorInput
from ft.core.data.columns import fit_column
from ft.core.data.loader import Examples, Loader
from ft.core.data.table import Values
from ft.core.engine.balance import Balance
from ft.core.engine.ema import Ema
from ft.core.engine.loop import Loop, LoopSettings
from ft.core.models.heads import make_head
from ft.core.models.heads.base import Head
from ft.core.models.network import Network
from ft.core.optim.groups import parameter_groups
from ft.core.optim.optimizers import make_optimizer
from ft.core.optim.schedules import make_schedule
from ft.core.runtime.precision import Precision

CPU = torch.device("cpu")
CLASSES = ["no", "yes", "maybe"]


def problem(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points (N, 6) and classes (N,) that a small network can learn."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(count, 6, generator=generator)
    weights = torch.randn(6, 3, generator=torch.Generator().manual_seed(99))
    return points, (points @ weights).argmax(1)


def loader(points: Tensor, classes: Tensor, batch_size: int, *, shuffle: bool = True, seed: int = 7) -> Loader:
    """Batches of the problem, normalised by nothing."""
    values = Values(points.numpy(), "x", "train")
    column, stored = fit_column(VectorInput(type="vector", normalize="none"), values)
    examples = Examples({"x": stored}, {"y": classes}, None, len(points))
    return Loader(examples, {"x": column}, CPU, seed=seed, batch_size=batch_size, shuffle=shuffle)


def head(**settings: Any) -> Head:
    """Three classes by cross-entropy."""
    return make_head("y", CategoryOutput(type="category", **settings), {"classes": CLASSES})


def module(seed: int = 0, dropout: float = 0.0, norm: bool = True) -> nn.Sequential:
    """A small network with batch norm and, if asked, dropout."""
    torch.manual_seed(seed)
    middle = nn.BatchNorm1d(16) if norm else nn.Identity()
    return nn.Sequential(nn.Linear(6, 16), middle, nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3))


def network(inner: nn.Module) -> Network:
    """The module between the columns x and y."""
    return Network(inner, [], ("x",), ("y",))


def loop(
    *,
    seed: int = 0,
    dropout: float = 0.0,
    norm: bool = True,
    examples: int = 50,
    batch_size: int = 8,
    optimizer: Any = "adam",
    lr: float = 1e-2,
    schedule: Any = "constant",
    warmup_steps: int = 0,
    ema: float | None = None,
    validated: bool = True,
    **settings: Any,
) -> Loop:
    """A loop over the problem; the last keywords are LoopSettings'."""
    net = network(module(seed, dropout, norm))
    data = loader(*problem(examples), batch_size)
    wanted = LoopSettings(**{"epochs": 3, "monitor": "accuracy", "direction": "max", "log_every_steps": 3, **settings})
    steps_per_epoch = -(-data.batches_per_epoch // wanted.accumulate)
    average = Ema(net.module, ema) if ema else None
    return Loop(
        wanted,
        net,
        [head()],
        data,
        loader(*problem(30, seed=1), 16, shuffle=False) if validated else None,
        make_optimizer(optimizer, parameter_groups(net.module, 1e-3), lr, CPU),
        make_schedule(schedule, wanted.epochs * steps_per_epoch, steps_per_epoch, warmup_steps),
        Precision("fp32", CPU),
        train_mode=lambda: net.module.train() and None,
        ema=average,
        shipped=network(average.module) if average else None,
    )


class TwoAnswers(nn.Module):
    """The small network, answering two outputs."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body, self.y, self.z = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        inner = self.body(x).relu()
        return {"y": self.y(inner), "z": self.z(inner)}


def loop_of_two(
    *, seed: int = 0, batch_size: int = 8, optimizer: Any = "adam", epochs: int = 3, **settings: Any
) -> Loop:
    """A loop over the problem with its classes twice, as y and, half as heavy, as z; their weights are learned."""
    net = Network(TwoAnswers(seed), [], ("x",), ("y", "z"))
    heads = [
        make_head(name, CategoryOutput(type="category", weight=weight), {"classes": CLASSES})
        for name, weight in (("y", 1.0), ("z", 0.5))
    ]
    balance = Balance(heads, CPU)
    groups = parameter_groups(net.module, 1e-3)
    groups.append({"params": [("balance.log_variances", balance.log_variances)], "weight_decay": 0.0})
    data, validation = _of_two(problem(48), batch_size, shuffle=True), _of_two(problem(30, seed=1), 16, shuffle=False)
    wanted = LoopSettings(epochs=epochs, log_every_steps=3, **settings)
    steps = -(-data.batches_per_epoch // wanted.accumulate)
    return Loop(
        wanted,
        net,
        heads,
        data,
        validation,
        make_optimizer(optimizer, groups, 1e-2, CPU),
        make_schedule("constant", epochs * steps, steps, 0),
        Precision("fp32", CPU),
        train_mode=lambda: net.module.train() and None,
        balance=balance,
    )


def _of_two(data: tuple[Tensor, Tensor], batch_size: int, *, shuffle: bool) -> Loader:
    points, classes = data
    column, stored = fit_column(VectorInput(type="vector", normalize="none"), Values(points.numpy(), "x", "train"))
    examples = Examples({"x": stored}, {"y": classes, "z": classes.flip(0)}, None, len(points))
    return Loader(examples, {"x": column}, CPU, seed=7, batch_size=batch_size, shuffle=shuffle)
