"""One experiment from a file and the files it builds on (`base:`). Knows which values replace and which merge.

Mappings merge key by key; everything else, lists too, is replaced. A mapping that changes its kind (another
`data.source`, another column `type`, `python` instead of `layers`, another optimizer) replaces the whole, so that two
kinds never mix. `null` takes a value away: its default is back. `base:` is relative to the file that names it, and so
is `model.python`, which becomes absolute here; a list of bases is laid on one another in its order, the file on top.
"""

from __future__ import annotations

import os.path
from dataclasses import replace
from pathlib import Path

from ft.core.config.env import expand, unresolved
from ft.core.config.nodes import Node, child, entries, with_value, without_entry
from ft.core.config.yaml import parse, read_file
from ft.core.errors import ConfigError, Problem, TreePath


def compose(root: Node, folder: Path, problems: list[Problem], chain: tuple[Path, ...] = ()) -> Node:
    """`root` laid over its bases. folder: what its paths are relative to. chain: the files that led here.

    Raises ConfigError for a base that cannot be read; what can wait for the others is added to `problems`.
    """
    root = absolute_python(root, folder)
    named = child(root, "base")
    if named is None or named.value is None:
        return without_entry(root, "base")
    below: Node | None = None
    for name in named.value if isinstance(named.value, list) else [named]:
        base = _read_base(expand(name, problems), folder, problems, chain)
        below = base if below is None or base is None else merge(below, base)
    over = without_entry(root, "base")
    return over if below is None else merge(below, over)


def merge(base: Node, over: Node, path: TreePath = ()) -> Node:
    """`over` laid on `base`, both at `path` of the experiment."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict) or _changes_kind(base, over, path):
        return over
    merged = dict(base.value)
    for key, item in over.value.items():
        if item.value is None and key in merged and not shadows(path):
            del merged[key]
        else:
            merged[key] = merge(merged[key], item, (*path, key)) if key in merged else item
    return replace(over, value=merged)


def shadows(path: TreePath) -> bool:
    """Whether null in the mapping at `path` must stay: in finetune it says default where train says something else."""
    return path == ("finetune",)


def kind_keys(path: TreePath) -> tuple[str, ...]:
    """The keys that decide what kind of mapping stands at `path`; none where all are of one kind."""
    match path:
        case ("data",):
            return ("source",)
        case ("inputs" | "outputs", _):
            return ("type",)
        case ("model",):
            return ("layers", "python")
    return ()


def is_named(path: TreePath) -> bool:
    """Whether `{name: {arguments}}` stands at `path`."""
    return len(path) == 2 and path[0] in ("train", "finetune") and path[1] in ("optimizer", "schedule")


def _changes_kind(base: Node, over: Node, path: TreePath) -> bool:
    if is_named(path):
        return set(entries(base)) != set(entries(over))
    said, before = _kind(over, path), _kind(base, path)
    if path == ("model",):
        return bool(said and before) and set(said) != set(before)
    return bool(said and before) and said != before


def _kind(node: Node, path: TreePath) -> dict[str, object]:
    """What the mapping at `path` says about its kind."""
    return {
        key: entries(node)[key].value for key in kind_keys(path) if key in entries(node) and entries(node)[key].value
    }


def absolute_python(root: Node, folder: Path) -> Node:
    """`model.python: net.py:build`, and metrics of `eval.python`, with the path made absolute; a reference to the
    environment is left in it.
    """
    metrics = entries(entries(child(root, "eval")).get("python"))
    places: list[TreePath] = [("model", "python"), *(("eval", "python", name) for name in metrics)]
    for place in places:
        root = _absolute(root, place, folder)
    return root


def _absolute(root: Node, place: TreePath, folder: Path) -> Node:
    python: Node | None = root
    for key in place:
        python = entries(python).get(str(key))
    if python is None or not isinstance(python.value, str):
        return root
    known = expand(python, []).value
    if not isinstance(known, str) or Path(known).is_absolute():
        return root
    return with_value(root, place, replace(python, value=os.path.normpath(folder.absolute() / python.value)))


def _read_base(name: Node, folder: Path, problems: list[Problem], chain: tuple[Path, ...]) -> Node | None:
    if unresolved(name):
        raise ConfigError(*problems)
    if not isinstance(name.value, str):
        problems.append(Problem("base names a file, or is a list of files", ("base",), str(name.at)))
        return None
    path = folder / name.value
    if path.resolve() in (file.resolve() for file in chain):
        around = " -> ".join(str(file) for file in (*chain, path))
        raise ConfigError(*problems, Problem(f"base goes round in a circle: {around}", where=str(name.at)))
    try:
        root, found = parse(read_file(path), str(path))
    except ConfigError as error:
        named = (problem if problem.where else replace(problem, where=str(name.at)) for problem in error.problems)
        raise ConfigError(*problems, *named) from None
    problems += found
    return compose(root, path.parent, problems, (*chain, path))
