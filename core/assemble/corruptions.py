"""`eval.corruptions` as passes over the data: which corruptions, how severe, of which inputs; and a loader for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ft.core.assemble.parts import BatchLoader, LimitedLoader, Machine
from ft.core.config.schema.corruptions import SEVERITIES, Corruptions
from ft.core.data.columns import Column
from ft.core.data.corrupt import CORRUPTIONS
from ft.core.data.corrupt.columns import FROM_VALUES, changing, encode_corrupted
from ft.core.data.hashing import name_numbers
from ft.core.data.loader import Examples, Loader
from ft.core.data.table import Values
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.models.network import Network
from ft.core.runtime.seed import mix

PATH: TreePath = ("eval", "corruptions")


@dataclass(frozen=True)
class Planned:
    """One corruption. severities: rising, each once. inputs: the names of those it changes."""

    name: str
    severities: tuple[int, ...]
    inputs: tuple[str, ...]

    def needs_values(self, kinds: Mapping[str, str]) -> list[str]:
        """Inputs that are encoded again from the data. kinds: of all inputs."""
        return [name for name in self.inputs if kinds[name] in FROM_VALUES]


def plan_corruptions(wish: Corruptions, kinds: Mapping[str, str]) -> list[Planned]:
    """What the setting asks for. kinds: of the inputs' columns, by name.

    Raises ConfigError for a corruption that no input has, and where no input has any.
    """
    able = {kind: names for kind, names in CORRUPTIONS.items() if kind in kinds.values()}
    there = list(dict.fromkeys(name for names in able.values() for name in names))
    if not there:
        told = f"no input can be corrupted; those of type {', '.join(CORRUPTIONS)} can"
        raise ConfigError(Problem(told, PATH))
    if isinstance(wish, dict):
        asked = {str(name): tuple(sorted(set(severities))) for name, severities in wish.items()}
    else:
        asked = dict.fromkeys(there if wish == "all" else map(str, wish), SEVERITIES)
    problems = [
        Problem(f"{name} is for inputs of type {_kinds_of(name)}, and none is one; here: {', '.join(there)}", PATH)
        for name in asked
        if name not in there
    ]
    if problems:
        raise ConfigError(*problems)
    return [
        Planned(name, severities, tuple(each for each, kind in kinds.items() if name in able.get(kind, ())))
        for name, severities in asked.items()
    ]


def build_corrupted_loader(
    planned: Planned,
    severity: int,
    examples: Examples,
    inputs: Mapping[str, Column],
    values: Mapping[str, Values],
    network: Network,
    machine: Machine,
    *,
    batch_size: int,
    seed: int,
    smoke: bool = False,
) -> BatchLoader:
    """The examples with some inputs corrupted. values: of inputs that are encoded again, as they are in the data."""
    own_seed = mix(seed, int(name_numbers([planned.name])[0]))
    stored, columns = dict(examples.inputs), dict(inputs)
    for key, (name, column) in enumerate(inputs.items()):
        if name in planned.inputs and column.kind in FROM_VALUES:
            stored[name] = encode_corrupted(column, values[name], planned.name, severity, key, own_seed)
        elif name in planned.inputs:
            columns[name] = changing(column, planned.name, severity, key)
    loader = Loader(
        replace(examples, inputs=stored),
        columns,
        machine.device,
        batch_size=batch_size,
        seed=own_seed,
        augment=True,
        memory_format=network.memory_format,
    )
    return LimitedLoader(loader) if smoke else loader


def _kinds_of(name: str) -> str:
    return " or ".join(kind for kind, names in CORRUPTIONS.items() if name in names)
