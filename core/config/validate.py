"""A plain tree -> `Experiment`, or every problem in it, said for people.

pydantic finds what is wrong; this file says it: what was there, what was expected, which name was probably meant. Paths
lead to the setting as the file spells it: pydantic's names for the forms of a union are taken out of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ft.core.config.belongs import where_it_belongs
from ft.core.config.known import (
    JsonSchema,
    below,
    describe,
    discriminator,
    kinds,
    listing,
    members,
    schema_at,
    step,
    value_at,
    whole,
)
from ft.core.config.schema import Experiment
from ft.core.config.suggest import did_you_mean
from ft.core.config.yaml import scalar
from ft.core.errors import Problem, TreePath


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a tree.

    path: the setting. kind: pydantic's word for what is wrong. message: what a check of ours says, for `value_error`.
    form: whether this is about one of several forms the value may take.
    """

    path: TreePath
    kind: str
    message: str = ""
    form: bool = False


def validate(tree: Mapping[str, Any]) -> Experiment | list[Fault]:
    """The typed experiment, or what is wrong with `tree`."""
    try:
        return Experiment.model_validate(tree)
    except ValidationError as error:
        return _telling([_fault(found, tree) for found in error.errors(include_url=False)])


def problem_of(fault: Fault, tree: Mapping[str, Any], shown: Mapping[str, Any]) -> Problem:
    """A fault of `tree` in words. shown: the tree as messages may print it, without what the environment brought."""
    name, path = dotted(fault.path), fault.path
    schema = schema_at(tree, path) or {}
    match fault.kind:
        case "extra_forbidden":
            return Problem(f"{name} is not a setting{where_it_belongs(tree, path)}", path)
        case "missing":
            return Problem(f"{name} is missing; expected {describe(schema)}", path)
        case "value_error":
            return Problem(f"{name} {fault.message}", path)
        case "union_tag_not_found" | "union_tag_invalid":
            return _unknown_kind(path, schema, value_at(shown, path))
    said = show(value_at(shown, path))
    return Problem(f"{name} is {said}; expected {describe(schema)}{_hint(schema, value_at(shown, path))}", path)


def dotted(path: TreePath) -> str:
    """A path as messages and overrides spell it: `model.layers.0`."""
    return ".".join(map(str, path)) or "the experiment"


def show(value: Any) -> str:
    """A value in a message: text in quotes, long things by what they are."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 60 else f"{value[:57]}...")
        case dict():
            names = f"a mapping with {', '.join(map(str, value))}" if value else "an empty mapping"
            return names if len(value) <= 5 else "a mapping"
        case list() | tuple():
            items = f"[{', '.join(map(show, value))}]" if len(value) <= 5 else "a list"
            return items if len(items) <= 60 else "a list"
    return str(value)


def _fault(found: Any, tree: Mapping[str, Any]) -> Fault:
    if found["loc"][-1:] == ("[key]",):  # a name in a mapping that is none of those there are
        path, _ = _path(found["loc"][:-1], tree)
        known = re.findall(r"'([^']+)'", str(found.get("ctx", {}).get("expected", "")))
        return Fault(path, "value_error", f"is none that there is{_meant(str(path[-1]), known)}")
    path, form = _path(found["loc"], tree)
    message = str(found.get("ctx", {}).get("error", ""))
    if found["type"] == "missing" and isinstance(path[-1], int):
        return Fault(path[:-1], "too_short", form=True)  # of a list with a fixed length
    return Fault(path, found["type"], message, form)


def _meant(name: str, known: list[str]) -> str:
    return did_you_mean(name, known) or f"; there are {listing(known)}"


def _path(loc: Sequence[str | int], tree: Any) -> tuple[TreePath, bool]:
    """pydantic's location without its names for forms, and whether it ends at such a name."""
    path: list[str | int] = []
    schema: JsonSchema | None = whole()
    items = iter(loc)
    for item in items:
        if schema is not None and _has_forms(schema):
            following = next(items, None)
            if following is None:
                return tuple(path), True
            item = following
        path.append(item)
        if schema is not None:
            schema = below(schema, tree, item)
        tree = step(tree, item)
    return tuple(path), False


def _has_forms(schema: JsonSchema) -> bool:
    return discriminator(schema) is not None or len(members(schema)) > 1


def _telling(faults: list[Fault]) -> list[Fault]:
    """Without what pydantic says of forms that were not meant: faults inside one form are the point."""
    return [fault for fault in faults if not (fault.form and any(_inside(other.path, fault.path) for other in faults))]


def _inside(path: TreePath, outer: TreePath) -> bool:
    return len(path) > len(outer) and path[: len(outer)] == outer


def _unknown_kind(above: TreePath, schema: JsonSchema, mapping: Any) -> Problem:
    key, known = str(discriminator(schema)), kinds(schema)
    path, value = (*above, key), step(mapping, key)
    if value is None:
        return Problem(f"{dotted(path)} is missing; expected {listing(known)}", path)
    meant = did_you_mean(value, known) if isinstance(value, str) else ""
    return Problem(f"{dotted(path)} is {show(value)}; expected {listing(known)}{meant}", path)


def _hint(schema: JsonSchema, value: Any) -> str:
    """What to do about text in the wrong place: the choice that was meant, or quotes that are too many."""
    if not isinstance(value, str):
        return ""
    listed = [choice for form in members(schema) for choice in _texts(form)]
    if listed:
        return did_you_mean(value, listed)
    counts = any(form.get("type") in ("integer", "number", "boolean") for form in members(schema))
    return "; it is text, write it without quotes" if counts and value and not isinstance(scalar(value), str) else ""


def _texts(form: JsonSchema) -> list[str]:
    listed = [form["const"]] if "const" in form else form.get("enum", [])
    return [choice for choice in listed if isinstance(choice, str)]
