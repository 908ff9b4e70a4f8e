"""The rows of `ft layers`: what each unit is, what it answers, and how much of it learns. Prints nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from torch import nn

from ft.core.models.network import Network
from ft.core.models.units import Unit

State = Literal["trainable", "frozen", "partly", "-"]


@dataclass(frozen=True)
class UnitRow:
    """One unit. parameters, trainable: numbers of values. state: "-" has nothing that could learn."""

    index: int
    name: str
    kind: str
    output_shape: tuple[int, ...] | None
    parameters: int
    trainable: int
    state: State


@dataclass(frozen=True)
class Parameters:
    """Numbers of values in a network; what two names share is counted once."""

    total: int
    trainable: int


def describe(network: Network, frozen: Collection[str] = ()) -> list[UnitRow]:
    """A row for each unit. Parameters that units share count for the first, so that the rows add up to the whole.

    frozen: paths of the modules that stay in eval mode (FreezeReport.modules). Without it a frozen unit that has no
    parameters, as Dropout, cannot be told from a free one and shows "-".
    """
    seen: set[nn.Parameter] = set()
    rows = []
    for unit in network.units:
        own = unit_parameters(network.module, unit)
        new = [parameter for parameter in own if parameter not in seen]
        seen.update(new)
        total = sum(parameter.numel() for parameter in new)
        trainable = sum(parameter.numel() for parameter in new if parameter.requires_grad)
        state = _state(own, unit, frozen)
        rows.append(UnitRow(unit.index, unit.name, unit.kind, unit.output_shape, total, trainable, state))
    return rows


def count_parameters(module: nn.Module) -> Parameters:
    """All parameters of a module, and those that learn."""
    own = list(module.parameters())
    return Parameters(sum(p.numel() for p in own), sum(p.numel() for p in own if p.requires_grad))


def unit_parameters(module: nn.Module, unit: Unit) -> list[nn.Parameter]:
    """The unit's parameters, each once, those it shares with others among them."""
    found = (p for name, p in module.named_parameters(remove_duplicate=False) if unit.owns(name))
    return list(dict.fromkeys(found))


def _state(own: list[nn.Parameter], unit: Unit, frozen: Collection[str]) -> State:
    free = sum(parameter.requires_grad for parameter in own)
    if not own:
        return "frozen" if set(unit.prefixes) <= set(frozen) and unit.prefixes else "-"
    if free == 0:
        return "frozen"
    return "trainable" if free == len(own) else "partly"
