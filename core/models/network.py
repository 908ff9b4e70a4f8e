"""A network between named inputs and named outputs. Knows nothing of losses, heads or devices.

The training step speaks in columns (`{"image": ...} -> {"digit": ...}`), modules in tensors; this is the one place
where the two meet, and it costs one dictionary per batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from ft.core.models.units import Unit


@dataclass(frozen=True)
class Network:
    """A module, its units, and the columns it reads and answers.

    code_sha256: of the user's file for a `python:` model, None otherwise.
    """

    module: nn.Module
    units: list[Unit]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    code_sha256: str | None = None

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each input (B, ...) -> each output (B, K). One input is passed by position, several by their names."""
        return named_outputs(call(self.module, inputs, self.inputs), self.outputs)

    @property
    def last_unit(self) -> int:
        """The index of the last unit that has parameters; 0 when none has."""
        learning = [unit.index for unit in self.units if any(True for m in unit.modules for _ in m.parameters())]
        return learning[-1] if learning else 0

    @property
    def last_prefixes(self) -> tuple[str, ...]:
        """Where the last unit that has parameters keeps them: the layer that another set of classes replaces."""
        for unit in reversed(self.units):
            if any(next(module.parameters(), None) is not None for module in unit.modules):
                return unit.prefixes
        return ()


def call(module: nn.Module, inputs: Mapping[str, Tensor], names: tuple[str, ...]) -> Tensor | dict[str, Tensor]:
    """The module's own answer. One input is passed by position, several by their names."""
    if len(names) == 1:
        return module(inputs[names[0]])  # type: ignore[no-any-return]
    return module(**{name: inputs[name] for name in names})  # type: ignore[no-any-return]


def named_outputs(answer: Tensor | dict[str, Tensor], names: tuple[str, ...]) -> dict[str, Tensor]:
    """A tensor belongs to the only output; a dictionary is taken as it is."""
    return {names[0]: answer} if isinstance(answer, Tensor) else answer
