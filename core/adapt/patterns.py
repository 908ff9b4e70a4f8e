"""Names for parts of a network: a pattern -> the modules and parameters it means. Changes nothing in the network.

A pattern is
    0, 0-2, "0,1,2"     units by number, as `ft layers` prints them
    stem                a unit by name
    4.1, residual_4.1   a part inside a unit, by number or name; `4.1.*` is the same
    conv*, 4.*.1        a glob over units and the parts inside of them; * also crosses dots
    *.bias              a glob over parameters, or one parameter's name
    until:layer3        all that comes before the first thing of that name or number, and not the thing itself
    all but fc, 4.1     everything else than these

and, where nothing in the network has that name, one of three words: `head`, the last layer of each output; `body`, all
but that; `biases`, every parameter that is a bias. `all but biases` leaves the head aside too, as BitFit does (Ben
Zaken et al. 2022): a head that is new must learn.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from ft.core.config.patterns import ALL_BUT, split_text
from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem, TreePath

Pattern = int | str
Patterns = Pattern | Sequence[Pattern]
HEAD, BODY, BIASES = "head", "body", "biases"
_UNTIL = re.compile(r"until\s*:\s*", re.IGNORECASE)
_BIAS = re.compile(r"(.*\.)?(bias(_\w+)?|\w+_bias)")  # in_proj_bias, bias_ih_l0; not position_bias_table


class UnitLike(Protocol):
    """The part of models.units.Unit that patterns need."""

    @property
    def index(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def prefixes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Match:
    """shown: for people. modules: meant wholly. parameters: all names that are meant, those of the modules too.

    False when it is empty.
    """

    shown: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.shown)


def split_patterns(patterns: Patterns, path: TreePath = ("finetune", "freeze")) -> Iterator[str]:
    """`[0, "2,stem"]` -> "0", "2", "stem". Raises ConfigError for a pattern that names nothing."""
    for pattern in [patterns] if isinstance(patterns, int | str) else patterns:
        parts = split_text(str(pattern))
        if not parts:  # an empty variable, say: freezing nothing in silence would be the worst answer
            raise ConfigError(Problem(f"{path[1] if path else 'freeze'} has a blank in it, which names no unit", path))
        yield from parts


class Parts:
    """Everything in a network that has a name a pattern may use. heads: where the outputs' last layers lie."""

    def __init__(self, units: Sequence[UnitLike], module: nn.Module, heads: Iterable[str] = ()) -> None:
        self.units = units
        self.parameters = dict(module.named_parameters(remove_duplicate=False))
        self._module, self._heads = module, tuple(heads)
        self._modules = [name for name, _ in module.named_modules(remove_duplicate=False) if name]

    def match_all(self, patterns: Patterns, path: TreePath, what: str = "freeze") -> list[tuple[str, Match]]:
        """Each pattern and what it matches. Raises ConfigError, with the table of units, for those without a match."""
        matches = [(pattern, self.match(pattern)) for pattern in split_patterns(patterns, path)]
        problems = [self.no_match(pattern, path, what) for pattern, match in matches if not match]
        if problems:
            raise ConfigError(*problems[:-1], self.with_table(problems[-1]))
        return matches

    def match(self, pattern: str) -> Match:
        """What a pattern means; an empty match when that is nothing."""
        if until := _UNTIL.match(pattern):
            return self._until(pattern[until.end() :])
        if but := ALL_BUT.match(pattern):
            return self._all_but(split_text(pattern[but.end() :]))
        return self._named(pattern) or self._word(pattern)

    # ------------------------------------------------------------ names

    def _named(self, pattern: str) -> Match:
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
        return Match(tuple(shown), tuple(modules), (*owned, *single))

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

    # ------------------------------------------------------------ words, until, all but

    def _word(self, word: str) -> Match:
        if word == BIASES:
            names = tuple(name for name in self.parameters if _BIAS.fullmatch(name))
            return Match(names, (), names)
        if word == BODY and self._heads:
            return self._all_but([HEAD])
        return self._whole(self._heads) if word == HEAD else Match()

    def _whole(self, paths: Sequence[str]) -> Match:
        """These modules and all inside, shown as units where they are such."""
        modules = [name for name in self._modules if name in paths]
        owned = tuple(name for name in self.parameters if _inside(name, paths))
        units = [unit for unit in self.units if unit.prefixes and all(p in paths for p in unit.prefixes)]
        covered = [prefix for unit in units for prefix in unit.prefixes]
        others = [path for path in paths if path not in covered]
        return Match((*(unit.name for unit in units), *others), tuple(modules), owned)

    def _until(self, target: str) -> Match:
        """The units before the first one that has anything of the target, and in that one what comes before it."""
        found = self._named(target) or self._word(target)
        places = [(unit.index, path) for path in found.modules for unit in self.units if _meet(unit.prefixes, path)]
        if not places:
            return Match()
        index, path = min(places, key=lambda place: place[0])
        before = [prefix for unit in self.units[:index] for prefix in unit.prefixes]
        above = next((prefix for prefix in self.units[index].prefixes if path.startswith(f"{prefix}.")), None)
        single: list[str] = []
        while above is not None and above != path:
            inside = path.removeprefix(f"{above}.").partition(".")[0]
            outer = self._module.get_submodule(above)
            single += [f"{above}.{name}" for name, _ in outer.named_parameters(recurse=False)]
            children = [name for name, _ in outer.named_children()]
            before += [f"{above}.{name}" for name in children[: children.index(inside)]]
            above = f"{above}.{inside}"
        match = self._whole(before)
        return Match((*match.shown, *single), match.modules, (*match.parameters, *single))

    def _all_but(self, kept: Sequence[str]) -> Match:
        """Every parameter that is not kept, and every module that has no kept module inside: its mode rests too."""
        matches = [self._named(pattern) or self._word(pattern) for pattern in kept]
        if not matches or not all(matches):
            return Match()
        if BIASES in kept and not self._named(BIASES):
            matches.append(self._named(HEAD) or self._word(HEAD))
        free = [name for match in matches for name in match.modules]
        modules: list[str] = []
        for name in self._modules:  # outer ones come first
            above = _inside(name, [*modules, *free])
            if not above and not any(other.startswith(f"{name}.") for other in free):
                modules.append(name)
        learning = {name for match in matches for name in match.parameters}
        parameters = tuple(name for name in self.parameters if name not in learning)
        return Match(self._whole(modules).shown if parameters else (), tuple(modules), parameters)

    # ------------------------------------------------------------ sizes

    def is_idle(self, match: Match) -> bool:
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

    def no_match(self, pattern: str, path: TreePath, what: str = "freeze") -> Problem:
        """Why a pattern means nothing. what: the setting it stands in."""
        until, but = _UNTIL.match(pattern), ALL_BUT.match(pattern)
        wanted = [pattern[until.end() :]] if until else split_text(pattern[but.end() :]) if but else [pattern]
        unknown = [name for name in wanted if not (self._named(name) or self._word(name))]
        if not unknown:
            nothing = "nothing is left over" if but else f"no layer comes before {wanted[0]}"
            return Problem(f"{what}: {pattern}: {nothing}", path)
        hint = did_you_mean(unknown[0], [*(unit.name for unit in self.units), *((HEAD, BODY) if self._heads else ())])
        told = ", ".join(unknown) if unknown == wanted and not (until or but) else f"{pattern}: {', '.join(unknown)}"
        verb = "match" if len(unknown) > 1 else "matches"
        return Problem(f"{what}: {told} {verb} no layer and no parameter{hint}", path)

    def with_table(self, problem: Problem) -> Problem:
        """The problem, followed by what could have been written."""
        width = max((len(unit.name) for unit in self.units), default=0)
        rows = [f"  {unit.index:>3}  {unit.name:<{width}}  {unit.kind}" for unit in self.units]
        return Problem("\n".join([problem.message, "the layers are:", *rows]), problem.path)


def _inside(name: str, prefixes: Sequence[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _meet(prefixes: Sequence[str], path: str) -> bool:
    """Whether a unit lies in a path, or the path in the unit."""
    return _inside(path, prefixes) or any(_inside(prefix, [path]) for prefix in prefixes)
