"""Reads a `layers` list: names, arguments and nesting, without building anything. Finds every slip it can at once.

Entry forms: `Flatten` · `MaxPool2d: 2` · `Conv2d: {out_channels: 32, kernel_size: 3, activation: ReLU, name: stem}` ·
`repeat: {times, layers}` · `residual: [...]` or `{layers, shortcut}` · `parallel: {branches, merge, dim}`.
`activation` and `name` go with every entry; names only in the outermost list, inner parts are numbered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem, TreePath
from ft.core.models.layer_arguments import bare_argument, check_arguments, open_size, parameters
from ft.core.models.layer_entries import Entry, Layer, Parallel, Repeat, Residual, sized_last, unit_name
from ft.core.models.layer_rules import is_activation, layer_class, layer_names, refusal

_OPTIONS: Mapping[str, tuple[str, ...]] = {  # of the composites; the first is what a bare list means
    "repeat": ("layers", "times"),
    "residual": ("layers", "shortcut"),
    "parallel": ("branches", "merge", "dim"),
}


@dataclass(frozen=True)
class _Scope:
    """Where an entry stands: the outermost list may name its entries; a branch may not change its input in place."""

    outermost: bool = False
    branch: bool = False


def read_entries(
    items: Sequence[Any], path: TreePath, *, sized: bool = True, outermost: bool = True
) -> tuple[Entry, ...]:
    """The entries of the list at `path`. sized: the last layer's size is known and may be left out. outermost: entries
    have names, else numbers. Raises ConfigError with every problem of every entry.
    """
    reader = _Reader()
    entries = reader.entries(items, path, _Scope(outermost=outermost))
    reader.check_sizes(sized_last(entries) if sized else None, sized=sized)
    if not reader.problems and outermost:
        reader.check_names(entries)
    if reader.problems:
        raise ConfigError(*reader.problems)
    return entries


class _Reader:
    """Collects problems while it reads; an entry it cannot read is left out of its list."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._open: list[Entry] = []

    def report(self, message: str, path: TreePath) -> None:
        self.problems.append(Problem(message, path))

    def entries(self, items: Any, path: TreePath, scope: _Scope) -> tuple[Entry, ...]:
        if not isinstance(items, list) or not items:
            self.report(f"this should be a list of layers, not {items!r}", path)
            return ()
        read = (self.entry(item, (*path, index), scope) for index, item in enumerate(items))
        return tuple(entry for entry in read if entry is not None)

    def entry(self, item: Any, path: TreePath, scope: _Scope) -> Entry | None:
        split = self._split(item, path)
        if split is None:
            return None
        kind, value, path = split
        return self._composite(kind, value, path, scope) if kind in _OPTIONS else self._layer(kind, value, path, scope)

    def _split(self, item: Any, path: TreePath) -> tuple[str, Any, TreePath] | None:
        """The entry's name, its value, and the path of that value."""
        if isinstance(item, str):
            return item, None, path
        if isinstance(item, dict) and len(item) == 1 and isinstance(next(iter(item)), str):
            kind, value = next(iter(item.items()))
            return kind, value, (*path, kind)
        if isinstance(item, dict) and len(item) > 1:
            first, *others = map(str, item)
            self.report(f"one entry is one layer; put {', '.join(others)} inside {first}: {{...}}", path)
        else:
            self.report(f"an entry is a layer's name, or its name and arguments; this is {item!r}", path)
        return None

    # ------------------------------------------------------------ one module

    def _layer(self, kind: str, value: Any, path: TreePath, scope: _Scope) -> Entry | None:
        make = layer_class(kind)
        if make is None:
            self.report(_no_layer(kind), path)
            return None
        given = self._arguments(kind, make, value, path)
        if given is None:
            return None
        own = parameters(make)  # TransformerEncoderLayer has an activation of its own
        given, common = _pick(given, [key for key in ("name", "activation") if key not in own])
        problems = check_arguments(kind, make, given, path)
        if scope.branch and given.get("inplace") is True:
            message = f"{kind} in place would change what the other branch reads; leave inplace out"
            problems.append(Problem(message, (*path, "inplace")))
        self.problems += problems
        body = Layer(make, {key: _tuples(each) for key, each in given.items()}, open_size(make, given))
        entry = self._common(Entry(path, kind, body), common, scope)
        if body.open_size and not problems:  # a misspelled size is reported once, as misspelled
            self._open.append(entry)
        return entry

    def _arguments(self, kind: str, make: type[nn.Module], value: Any, path: TreePath) -> dict[str, Any] | None:
        """The value of an entry as arguments by name."""
        if value is None:
            return {}
        if isinstance(value, dict):
            return {str(key): each for key, each in value.items()}
        bare = bare_argument(make)
        if bare is None:
            self.report(f"{kind} takes no arguments, it was given {value!r}", path)
            return None
        return {bare: value}

    # ------------------------------------------------------------ composites

    def _composite(self, kind: str, value: Any, path: TreePath, scope: _Scope) -> Entry | None:
        main, *_ = _OPTIONS[kind]
        place = path
        if isinstance(value, list):
            value = {main: value}
        else:
            place = (*path, main)
        if not isinstance(value, dict) or main not in value:
            self.report(f"{kind} needs {main}: a list", path)
            return None
        options, common = _pick({str(key): each for key, each in value.items()}, ("name", "activation"))
        for name in options:
            if name not in _OPTIONS[kind]:
                known = [*_OPTIONS[kind], "activation", "name"]
                hint = did_you_mean(name, known) or f"; it has {', '.join(known)}"
                self.report(f"{kind} has no argument {name}{hint}", (*path, name))
        body: Repeat | Residual | Parallel
        if kind == "repeat":
            body = self._repeat(options, path, place, scope)
        elif kind == "residual":
            body = self._residual(options, path, place)
        else:
            body = self._parallel(options, path, place)
        return self._common(Entry(path, kind, body), common, scope)

    def _repeat(self, options: Mapping[str, Any], path: TreePath, place: TreePath, scope: _Scope) -> Repeat:
        times = options.get("times")
        if not isinstance(times, int) or isinstance(times, bool) or times < 1:
            where = (*path, "times") if "times" in options else path
            self.report("repeat needs times: how often, an integer of at least 1", where)
            times = 1
        return Repeat(times, self.entries(options["layers"], place, replace(scope, outermost=False)))

    def _residual(self, options: Mapping[str, Any], path: TreePath, place: TreePath) -> Residual:
        inner = _Scope(branch=True)
        entries = self.entries(options["layers"], place, inner)
        shortcut = options.get("shortcut")
        return Residual(entries, () if shortcut is None else self.entries(shortcut, (*path, "shortcut"), inner))

    def _parallel(self, options: Mapping[str, Any], path: TreePath, place: TreePath) -> Parallel:
        branches, merge, dim = options["branches"], options.get("merge", "concat"), options.get("dim", 1)
        if not isinstance(branches, list) or len(branches) < 2:
            self.report("parallel needs at least two branches, each a list of layers; Identity passes on", place)
            branches = []
        if merge not in ("concat", "sum"):
            self.report(f"merge is concat or sum, not {merge!r}", (*path, "merge"))
        if not isinstance(dim, int) or isinstance(dim, bool) or dim == 0:
            self.report(f"dim is an axis, 1 for the channels; 0 is the batch. It is {dim!r}", (*path, "dim"))
        if merge == "sum" and "dim" in options:
            self.report("dim is for merge: concat; a sum has none", (*path, "dim"))
        read = (self.entries(each, (*place, index), _Scope(branch=True)) for index, each in enumerate(branches))
        return Parallel(tuple(read), merge, dim)

    # ------------------------------------------------------------ what every entry may have

    def _common(self, entry: Entry, common: Mapping[str, Any], scope: _Scope) -> Entry:
        name, activation = common.get("name"), common.get("activation")
        if name is not None and not scope.outermost:
            message = "inner parts are numbered; only entries of model.layers and model.body have a name"
            self.report(message, (*entry.path, "name"))
        elif name is not None and (not isinstance(name, str) or not name.isidentifier()):
            self.report(f"a name is letters, digits and _, not {name!r}", (*entry.path, "name"))
        elif name is not None and hasattr(nn.Sequential(), name):
            self.report(f"{name} has a meaning in torch already; choose another name", (*entry.path, "name"))
        if activation is not None:
            inner = replace(scope, outermost=False)
            entry = replace(entry, activation=self._activation(activation, (*entry.path, "activation"), inner))
        return replace(entry, name=name)

    def _activation(self, item: Any, path: TreePath, scope: _Scope) -> Entry | None:
        split = self._split(item, path)
        if split is None:
            return None
        kind, value, path = split
        if not is_activation(kind):
            hint = did_you_mean(kind, filter(is_activation, layer_names()))
            self.report(f"{kind} is not an activation of torch.nn{hint or ', as ReLU, GELU or Sigmoid are'}", path)
            return None
        return self._layer(kind, value, path, scope)

    # ------------------------------------------------------------ the list as a whole

    def check_sizes(self, last: Entry | None, *, sized: bool) -> None:
        """Only the last layer's size comes from the data, and in a part of a network not even that."""
        for entry in self._open:
            assert isinstance(entry.body, Layer)
            if entry is not last:
                why = "only the last layer's size is known" if sized else "its size is for you to choose"
                self.report(f"{entry.kind} needs {entry.body.open_size}; {why}", entry.path)

    def check_names(self, entries: Sequence[Entry]) -> None:
        taken: set[str] = set()
        for index, entry in enumerate(entries):
            name = unit_name(entry, index)
            names = {name} if entry.activation is None else {name, f"{name}_act"}
            for twice in sorted(names & taken):
                self.report(f"two layers are called {twice}; give one of them another name", entry.path)
            taken |= names


def _no_layer(kind: str) -> str:
    reason = refusal(kind)
    if reason:
        return f"{kind} {reason}"
    hint = did_you_mean(kind, [*layer_names(), *_OPTIONS])
    return f"{kind} is not a layer of torch.nn{hint}"


def _pick(given: Mapping[str, Any], keys: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rest, and the named keys."""
    return {k: v for k, v in given.items() if k not in keys}, {k: v for k, v in given.items() if k in keys}


def _tuples(value: Any) -> Any:
    """YAML has lists only; torch wants tuples, some classes nothing else."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
