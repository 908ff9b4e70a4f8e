"""What a `layers` list says, read but not built: a small tree of entries. Holds no checks (`layer_reader.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from ft.core.errors import TreePath
from ft.core.models.layer_arguments import parameters
from ft.core.models.layer_rules import SIZE_ARGUMENTS


@dataclass(frozen=True)
class Layer:
    """One module of torch.nn. open_size: the size argument that was left out, for the output column to fill."""

    make: type[nn.Module]
    arguments: Mapping[str, Any]
    open_size: str | None = None


@dataclass(frozen=True)
class Repeat:
    """The same entries several times, each time with weights of its own."""

    times: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Residual:
    """A branch and what is added to it; no shortcut means the input itself."""

    entries: tuple[Entry, ...]
    shortcut: tuple[Entry, ...]


@dataclass(frozen=True)
class Parallel:
    """Branches that read the same input."""

    branches: tuple[tuple[Entry, ...], ...]
    merge: str
    dim: int


@dataclass(frozen=True)
class Entry:
    """One entry of the file. path: where its arguments stand, for messages. kind: its name as written."""

    path: TreePath
    kind: str
    body: Layer | Repeat | Residual | Parallel
    name: str | None = None
    activation: Entry | None = None

    @property
    def label(self) -> str:
        """For people: `Conv2d + ReLU`."""
        return self.kind if self.activation is None else f"{self.kind} + {self.activation.kind}"


def sized_last(entries: Sequence[Entry]) -> Entry | None:
    """The last entry of the outermost list that has a size; the one whose size the output column may fill."""
    for entry in reversed(entries):
        if isinstance(entry.body, Layer) and set(SIZE_ARGUMENTS) & set(parameters(entry.body.make)):
            return entry
    return None


def unit_name(entry: Entry, index: int) -> str:
    """The name of a unit in the state dict: the user's, else kind and number."""
    return entry.name or f"{entry.kind.lower()}_{index}"
