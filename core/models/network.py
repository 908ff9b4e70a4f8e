"""A network between named inputs and named outputs. Knows nothing of losses, heads or devices.

The training step speaks in columns (`{"image": ...} -> {"digit": ...}`), modules in tensors; this is the one place
where the two meet, and it costs one dictionary per batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ft.core.models.units import Unit


@dataclass(frozen=True)
class Network:
    """A module, its units, and the columns it reads and answers.

    code_sha256: of the user's file for a `python:` model, None otherwise.
    heads: where each output's last layer lies in the state dict, () where it has none of its own; None where the whole
        network is one list, whose last unit with parameters it then is.
    stems: names of the weights that read a picture's channels, which weights for other channels may be brought to.
    memory_format: of its convolutions, and of the inputs with four axes that suit them.
    """

    module: nn.Module
    units: list[Unit]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    code_sha256: str | None = None
    heads: Mapping[str, tuple[str, ...]] | None = None
    stems: tuple[str, ...] = ()
    memory_format: torch.memory_format = torch.contiguous_format

    def __call__(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each input (B, ...) -> each output (B, K). One input is passed by position, several by their names."""
        return named_outputs(call(self.module, inputs, self.inputs), self.outputs)

    @property
    def last_unit(self) -> int:
        """The index of the last unit that has parameters, with several heads of the first of them; 0 when none has."""
        heads = {prefix for prefixes in (self.heads or {}).values() for prefix in prefixes}
        last = [unit.index for unit in self.units if unit.name in heads]
        learning = [unit.index for unit in self.units if any(True for m in unit.modules for _ in m.parameters())]
        return last[0] if last else learning[-1] if learning else 0

    def last_layer(self, output: str) -> tuple[str, ...]:
        """Where the layer lies that another set of this output's classes replaces; () where that cannot be told."""
        if self.heads is not None:
            return self.heads[output]
        return self._last_unit_prefixes() if len(self.outputs) == 1 else ()

    def _last_unit_prefixes(self) -> tuple[str, ...]:
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
