"""Which layers of a network get an adapter: patterns -> paths of modules. Adapts none of them (`lora.py`).

A pattern is what `--freeze` takes for a layer: a unit's number, range or name, the path of a module, a glob over either
(`*` also crosses dots). It means every layer at or below what it names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from torch import nn

from ft.core.adapt.lora import ADAPTED
from ft.core.adapt.patterns import UnitLike
from ft.core.errors import ConfigError, Problem, TreePath

_SPAN = re.compile(r"(\d+)-(\d+)")
LOOK_LIKE = (nn.Linear, nn.EmbeddingBag, nn.Embedding, nn.modules.conv._ConvNd)


@dataclass(frozen=True)
class Candidate:
    """A layer that has a matrix. path: of the module. kind: for people. why_not: empty where it can be adapted."""

    path: str
    kind: str
    why_not: str = ""
    depthwise: bool = False

    def line(self) -> str:
        """A row of the table, without the path."""
        return f"{self.kind}  (not this one: {self.why_not})" if self.why_not else self.kind


def candidates(module: nn.Module, heads: Collection[str], frozen: Collection[str]) -> list[Candidate]:
    """Every layer that looks like one to adapt, in the network's order. heads: paths of layers that learn wholly.

    frozen: paths of modules that stay as they are.
    """
    owners = Counter(
        parameter for each in module.modules() for parameter in each._parameters.values() if parameter is not None
    )
    found = []
    for path, layer in module.named_modules():
        if not path or not isinstance(layer, LOOK_LIKE):
            continue
        own = layer._parameters.get("weight")
        candidate = Candidate(path, _kind(layer), depthwise=_is_depthwise(layer))
        if _inside(path, frozen):
            candidate = replace(candidate, why_not="it is frozen")
        elif path in heads:
            candidate = replace(candidate, why_not="it is the last layer, and learns wholly")
        elif type(layer) not in ADAPTED:
            candidate = replace(candidate, why_not=f"adapters are for {_names()} themselves")
        elif own is None:
            candidate = replace(candidate, why_not="its weight is computed from others")
        elif owners[own] > 1:
            candidate = replace(candidate, why_not="another layer shares its weight")
        elif isinstance(layer, nn.Embedding) and layer.max_norm is not None:
            candidate = replace(candidate, why_not="max_norm changes its weight in every forward pass")
        found.append(candidate)
    return found


def choose(
    units: Sequence[UnitLike],
    module: nn.Module,
    every: Sequence[Candidate],
    patterns: Sequence[str] | None,
    path: TreePath,
) -> list[Candidate]:
    """Those of the candidates that the patterns name; None: all that can be adapted, depthwise convolutions aside.

    In the answer are also named ones that cannot be adapted, where their pattern has others. Raises ConfigError, with
    the table of candidates, for a pattern that names nothing or none that can be adapted.
    """
    if patterns is None:
        chosen = [each for each in every if not each.why_not and not each.depthwise]
        if not chosen:
            raise ConfigError(with_table(Problem("there is no layer for an adapter", path), every))
        return chosen
    names = {name: _forms(name, units) for name, _ in module.named_modules() if name}
    problems, found = [], set()
    for pattern in patterns:
        named = [each for each in every if _hits(pattern, names[each.path], len(units))]
        found |= {each.path for each in named}
        if not any(not each.why_not for each in named):
            problems.append(Problem(_nothing(pattern, named, module, names, len(units)), path))
    if problems:
        raise ConfigError(*problems[:-1], with_table(problems[-1], every))
    return [each for each in every if each.path in found]


def with_table(problem: Problem, every: Sequence[Candidate]) -> Problem:
    """The problem, followed by what could have been written."""
    width = max((len(each.path) for each in every), default=0)
    rows = [f"  {each.path:<{width}}  {each.line()}" for each in every] or ["  none"]
    return Problem("\n".join([problem.message, f"layers for adapters ({_names()}):", *rows]), problem.path)


# ---------------------------------------------------------------- matching


def _forms(name: str, units: Sequence[UnitLike]) -> tuple[str, ...]:
    """How a module and each that it lies in may be called: by path, or with its unit's number in front."""
    parts = name.split(".")
    paths = [".".join(parts[: end + 1]) for end in range(len(parts))]
    numbered = [form for path in paths for unit in units for form in _numbered(path, unit)]
    return tuple(dict.fromkeys([*paths, *numbered]))


def _numbered(path: str, unit: UnitLike) -> Iterator[str]:
    for prefix in unit.prefixes:
        if path == prefix:
            yield from (str(unit.index), unit.name)
        elif path.startswith(f"{prefix}."):
            yield f"{unit.index}.{path.removeprefix(f'{prefix}.')}"


def _hits(pattern: str, forms: Sequence[str], count: int) -> bool:
    """count: of units; a range that goes beyond the last hits nothing."""
    if span := _SPAN.fullmatch(pattern):
        return int(span[2]) < count and any(
            form.isdecimal() and int(span[1]) <= int(form) <= int(span[2]) for form in forms
        )
    return any(fnmatchcase(form, pattern) for form in forms)


def _inside(path: str, prefixes: Collection[str]) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}.") for prefix in prefixes)


# ---------------------------------------------------------------- words


def _nothing(
    pattern: str, named: Sequence[Candidate], module: nn.Module, names: dict[str, tuple[str, ...]], count: int
) -> str:
    """Why a pattern gives no adapter."""
    if named:
        reasons = dict.fromkeys(f"{each.path}: {each.why_not}" for each in named)
        return f"target {pattern} names no layer that takes an adapter ({'; '.join(reasons)})"
    others = [name for name, forms in names.items() if _hits(pattern, forms, count)]
    if others:
        kinds = dict.fromkeys(type(module.get_submodule(name)).__name__ for name in others)
        return f"target {pattern} names {', '.join(others[:3])} ({', '.join(kinds)}), which takes no adapter"
    return f"target {pattern} matches no layer"


def _kind(layer: nn.Module) -> str:
    """`Conv2d 3 -> 64`."""
    kind = type(layer).__name__
    for first, last in (
        ("in_features", "out_features"),
        ("in_channels", "out_channels"),
        ("num_embeddings", "embedding_dim"),
    ):
        if hasattr(layer, first):
            return f"{kind} {getattr(layer, first)} -> {getattr(layer, last)}"
    return kind


def _names() -> str:
    return ", ".join(kind.__name__ for kind in ADAPTED)


def _is_depthwise(layer: nn.Module) -> bool:
    """A kernel for each channel: a change of low rank has more values than the kernels."""
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1
