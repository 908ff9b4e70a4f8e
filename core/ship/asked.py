"""What loaders, judging and answering take for a network and its columns, where a file answers instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from torch import Tensor, nn

from ft.core.data.augment import Draws
from ft.core.data.columns import Column
from ft.core.models.network import Network

Ask: TypeAlias = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]  # inputs as kept -> raw answers


class AsKept:
    """A column that encodes as another does and prepares nothing: the file does that."""

    prepares_nothing = True

    def __init__(self, inner: Column) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def prepare(self, stored: Tensor, draws: Draws | None = None) -> Tensor:  # noqa: ARG002
        return stored


def as_kept(columns: Mapping[str, Column]) -> dict[str, Column]:
    """The same columns, of which none prepares."""
    return {name: cast(Column, AsKept(column)) for name, column in columns.items()}


def as_network(ask: Ask, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Network:
    """A network without units or weights that asks."""
    return Network(_Asking(ask, inputs), [], inputs, outputs)


class _Asking(nn.Module):
    """By position with one input, by their names with several, as `Network` calls its module."""

    def __init__(self, ask: Ask, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.ask, self.inputs = ask, inputs

    def forward(self, *alone: Tensor, **named: Tensor) -> dict[str, Tensor]:
        return self.ask(dict(zip(self.inputs, alone, strict=True)) if alone else named)
