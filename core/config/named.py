"""`adam` or `{adam: {betas: [0.9, 0.95]}}`: the form that optimizers, schedules and transforms share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem, TreePath

Named = str | Mapping[str, Mapping[str, Any]]


def split_named(named: Named, path: TreePath) -> tuple[str, dict[str, Any], TreePath]:
    """The name, its arguments, and the path of the arguments. Raises ConfigError when there is not exactly one name."""
    if isinstance(named, str):
        return named, {}, path
    if len(named) != 1:
        there = " and ".join(named) or "nothing"
        raise ConfigError(Problem(f"{path[-1]} takes one name with its arguments, not {there}", path))
    [(name, arguments)] = named.items()
    return name, dict(arguments), (*path, name)


def unknown_argument(owner: str, argument: str, known: Iterable[str], path: TreePath) -> Problem:
    """`momentun is not an argument of SGD; did you mean momentum?`, or the list of those there are."""
    known = list(known)
    hint = did_you_mean(argument, known) or ("; it takes " + ", ".join(known) if known else "; it takes none")
    return Problem(f"{argument} is not an argument of {owner}{hint}", (*path, argument))
