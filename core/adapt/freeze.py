"""Which parts of a network do not learn: patterns -> frozen modules and parameters. Builds no optimizer.

A pattern is
    0, 0-2, "0,1,2"     units by number, as `ft layers` prints them
    stem                a unit by name
    4.1, residual_4.1   a part inside a unit, by number or name; `4.1.*` is the same
    conv*, 4.*.1        a glob over units and the parts inside of them; * also crosses dots
    *.bias              a glob over parameters, or one parameter's name

The rule of modes: a unit or part that a pattern names is frozen wholly. Its parameters leave the optimizer, and it
stays in eval mode, so that dropout does not drop and batch norm's statistics do not move. A pattern that names only
parameters freezes those alone and leaves the mode as it is: `*.bias` does not switch dropout off.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem, TreePath

Pattern = int | str


class UnitLike(Protocol):
    """The part of models.units.Unit that freezing needs."""

    @property
    def index(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def prefixes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class FreezeRow:
    """What one pattern matched: units by name, parts and parameters by path, and how many values that froze.

    idle: freezing that changes nothing, for it has no values, no statistics and no dropout.
    """

    pattern: str
    matched: tuple[str, ...]
    parameters: int
    idle: bool = False

    def line(self) -> str:
        """For people."""
        matched = ", ".join(self.matched)
        if self.idle:
            return f"nothing to freeze in {matched}: {'they have' if len(self.matched) > 1 else 'it has'} no parameters"
        return f"{self.pattern}: {matched} ({self.parameters:,} values)"


@dataclass(frozen=True)
class FreezeReport:
    """What was frozen.

    modules: paths of the modules that stay in eval mode, for set_train_mode and describe; units without parameters too.
    tied: "a is b" for each frozen parameter that has a second name outside of what the patterns named.
    frozen_parameters, total_parameters: numbers of values, each counted once.
    """

    rows: tuple[FreezeRow, ...]
    modules: tuple[str, ...]
    tied: tuple[str, ...]
    frozen_parameters: int
    total_parameters: int

    def lines(self) -> list[str]:
        """For people: a line per pattern, one per tie, and the sum."""
        shown = [row.line() for row in self.rows]
        tied = [f"{tie}: tied, frozen together" for tie in self.tied]
        return [*shown, *tied, f"frozen: {self.frozen_parameters:,} of {self.total_parameters:,} values"]


def freeze(
    units: Sequence[UnitLike],
    module: nn.Module,
    patterns: Pattern | Sequence[Pattern],
    path: TreePath = ("finetune", "freeze"),
) -> FreezeReport:
    """Set requires_grad False on what the patterns match, and say what that was. No patterns, nothing frozen.

    Every parameter's requires_grad is left as it was elsewhere; modes change only in set_train_mode.

    Raises ConfigError for a blank pattern; and, with the table of units, when a pattern matches nothing, a range goes
    beyond the last unit, none of what they match can learn or be held still, or nothing would be left to learn.
    """
    parts = _Parts(units, module)
    wanted = list(split_patterns(patterns, path))
    matches = [parts.match(pattern) for pattern in wanted]
    problems = [parts.no_match(text, path) for text, match in zip(wanted, matches, strict=True) if not match]
    if problems:
        raise ConfigError(*problems[:-1], parts.with_table(problems[-1]))
    modules = tuple(dict.fromkeys(name for match in matches for name in match.modules))
    named = {name for match in matches for name in match.parameters}
    rows = tuple(
        FreezeRow(text, match.shown, parts.size(match.parameters), parts.is_idle(match))
        for text, match in zip(wanted, matches, strict=True)
    )
    if rows and all(row.idle for row in rows):
        raise ConfigError(parts.with_table(Problem("; ".join(row.line() for row in rows), path)))
    frozen = {parts.parameters[name] for name in named}
    every = list(module.parameters())
    if frozen and not any(p.requires_grad and p not in frozen for p in every):
        raise ConfigError(parts.with_table(Problem("freezing all of this leaves nothing to learn", path)))
    for parameter in frozen:
        parameter.requires_grad_(False)
    return FreezeReport(rows, modules, parts.ties(named), parts.size(named), sum(p.numel() for p in every))


def set_train_mode(module: nn.Module, frozen: Iterable[str] = ()) -> None:
    """module.train(), but the modules at the frozen paths (FreezeReport.modules) stay in eval mode, parts included.

    To be called again after whatever called module.eval() or module.train(). Costs one walk over the modules.
    """
    module.train()
    for name in frozen:
        module.get_submodule(name).eval()


def split_patterns(patterns: Pattern | Sequence[Pattern], path: TreePath = ("finetune", "freeze")) -> Iterator[str]:
    """`[0, "2,stem"]` -> "0", "2", "stem". Raises ConfigError for a pattern that names nothing."""
    for pattern in [patterns] if isinstance(patterns, int | str) else patterns:
        parts = [part.strip() for part in str(pattern).split(",") if part.strip()]
        if not parts:  # an empty variable, say: freezing nothing in silence would be the worst answer
            raise ConfigError(Problem("freeze has a blank in it, which names no unit; ft layers shows them", path))
        yield from parts


# ---------------------------------------------------------------- matching


@dataclass(frozen=True)
class _Match:
    """shown: for people. modules: frozen wholly. parameters: all names that get frozen, those of the modules too."""

    shown: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.shown)


class _Parts:
    """Everything in a network that has a name a pattern may use."""

    def __init__(self, units: Sequence[UnitLike], module: nn.Module) -> None:
        self.units = units
        self.parameters = dict(module.named_parameters(remove_duplicate=False))
        self._module = module
        self._modules = [name for name, _ in module.named_modules(remove_duplicate=False) if name]

    def match(self, pattern: str) -> _Match:
        """The units of that number, range or name; parts inside of others; and parameters inside of none of these."""
        whole = pattern.removesuffix(".*")
        units = self._units(whole)
        prefixes = [prefix for unit in units for prefix in unit.prefixes]
        inner = [name for name in self._modules if self._is(name, whole) and not _inside(name, prefixes)]
        parts = [name for name in inner if not _inside(name, [other for other in inner if other != name])]
        owned = [name for name in self.parameters if _inside(name, [*prefixes, *parts])]
        single = [name for name in self.parameters if self._is(name, pattern) and name not in owned]
        modules = [name for name in self._modules if name in prefixes or name in parts]
        shown = [*(unit.name for unit in units), *parts, *single]
        return _Match(tuple(shown), tuple(modules), (*owned, *single))

    def _units(self, pattern: str) -> list[UnitLike]:
        """The units that a number, range, name or glob means as a whole."""
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", pattern)
        if not span:
            return [unit for unit in self.units if fnmatchcase(unit.name, pattern)]
        first, last = int(span[1]), int(span[2] or span[1])
        return list(self.units[first : last + 1]) if last < len(self.units) else []

    def _is(self, name: str, pattern: str) -> bool:
        """Whether a path matches, by its name or with its unit's number in front."""
        return any(fnmatchcase(form, pattern) for form in (name, *self._numbered(name)))

    def _numbered(self, name: str) -> Iterator[str]:
        for unit in self.units:
            for prefix in unit.prefixes:
                if name == prefix:
                    yield f"{unit.index}.{name}"  # a parameter of the network's own, or an activation
                elif name.startswith(f"{prefix}."):
                    yield f"{unit.index}.{name.removeprefix(f'{prefix}.')}"

    def is_idle(self, match: _Match) -> bool:
        """Whether freezing it changes nothing. A dropout that is frozen drops nothing, so it is not idle."""
        inside = [module for name in match.modules for module in self._module.get_submodule(name).modules()]
        held = any(isinstance(module, _DropoutNd) or any(True for _ in module.buffers()) for module in inside)
        return not (match.parameters or held)

    def size(self, names: Iterable[str]) -> int:
        """Number of values, each counted once."""
        return sum(parameter.numel() for parameter in {self.parameters[name] for name in names})

    def ties(self, named: Collection[str]) -> tuple[str, ...]:
        """The names outside of `named` of parameters inside of it."""
        inside = {self.parameters[name]: name for name in sorted(named, reverse=True)}
        outside = [name for name in self.parameters if name not in named]
        return tuple(f"{inside[it]} is {name}" for name in outside if (it := self.parameters[name]) in inside)

    # ------------------------------------------------------------ messages

    def no_match(self, pattern: str, path: TreePath) -> Problem:
        hint = did_you_mean(pattern, [unit.name for unit in self.units])
        return Problem(f"freeze: {pattern} matches no layer and no parameter{hint}", path)

    def with_table(self, problem: Problem) -> Problem:
        """The problem, followed by what could have been written."""
        width = max((len(unit.name) for unit in self.units), default=0)
        rows = [f"  {unit.index:>3}  {unit.name:<{width}}  {unit.kind}" for unit in self.units]
        return Problem("\n".join([problem.message, "the layers are:", *rows]), problem.path)


def _inside(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
