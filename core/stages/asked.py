"""Mistakes in what the command line asks of an evaluation, told by the option that was typed.

A checkpoint's settings and the options become one `eval:`; a problem of it would else be told at a place in the
checkpoint, where nothing of the kind stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ft.core.errors import ConfigError, Problem

OPTIONS = {"slices": "--slice", "python": "--metric"}


@contextmanager
def as_typed(split: str | None, gates: Mapping[str, Any]) -> Iterator[None]:
    """Name the option in every ConfigError inside that is about one. split, gates (of `eval:`, by key): what they say.

    A key of `eval:` has the option of its name, `max_drop` --max-drop, but for those in OPTIONS.
    """
    said = {**gates, **({} if split is None else {"split": split})}
    try:
        yield
    except ConfigError as error:
        told = [_typed(problem, said) for problem in error.problems]
        if told == list(error.problems):
            raise
        raise ConfigError(*told) from error.__cause__


def _typed(problem: Problem, said: Mapping[str, Any]) -> Problem:
    if problem.path[:1] != ("eval",) or len(problem.path) < 2 or not said.get(str(problem.path[1])):
        return problem
    key, *name = problem.path[1:]
    value = said[str(key)]
    option = OPTIONS.get(str(key), f"--{str(key).replace('_', '-')}")
    if isinstance(value, Mapping):
        if name and name[0] not in value:
            return problem
        shown = [_shown(str(each), value[each]) for each in (name[:1] or value)]
    else:
        shown = [str(value)]
    return replace(problem, path=(), where=" ".join([f"command line: {option}", *shown]))


def _shown(name: str, value: Any) -> str:
    """As it is typed: `accuracy=0.9`, `age=18,65`, `sex`."""
    if value == "all":
        return name
    parts = value if isinstance(value, list) else [value]
    return f"{name}={','.join(f'{part:g}' if isinstance(part, float) else str(part) for part in parts)}"
