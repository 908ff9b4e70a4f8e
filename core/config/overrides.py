"""`key.sub=value` from the command line, laid over the tree of the files.

The value is read as YAML; the key is spelled as messages spell it: names and list indices joined by dots. An override
assigns: after `train={epochs: 3}` that is the whole of train. `key=null` takes a value away. A plain name becomes a
mapping when the key goes below it: `model.layers.3.Linear.bias=false` makes `{Linear: {bias: false}}` of `Linear`, and
`train.optimizer.sgd.momentum=0.9` makes the optimizer sgd, whatever it was before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ft.core.config.compose import is_named, kind_keys, merge, shadows
from ft.core.config.nodes import Node, Position, child, entries, find, with_entry, without_entry
from ft.core.config.yaml import parse_value
from ft.core.errors import ConfigError, Problem, TreePath

LONG = 60  # characters, from which on an override is called by its key alone


def called(override: str) -> str:
    """An override as the place of a problem."""
    short = override if len(override) <= LONG else f"{override.partition('=')[0]}=…"
    return f"command line: {short}"


def apply_overrides(root: Node, overrides: Sequence[str], problems: list[Problem]) -> Node:
    """The tree with every override in it. What cannot be applied is added to `problems` and left out.

    The choice of a kind (`data.source=mnist`) goes first wherever it stands, because it replaces its whole mapping and
    must not take away what the line says about the new kind.
    """
    parsed = [found for text in overrides if (found := _parse(text, problems)) is not None]
    for keys, new in sorted(parsed, key=lambda found: not _chooses_kind(found[0])):
        try:
            root = _assign(root, keys, new, ())
        except ConfigError as error:
            problems += error.problems
    return root


def overridden_paths(overrides: Sequence[str], tree: Node) -> tuple[TreePath, ...]:
    """What each override assigns, in their order. tree: the experiment with all of them in it."""
    return tuple(_path(override.partition("=")[0].strip().split("."), tree) for override in overrides)


def _path(keys: list[str], tree: Node) -> TreePath:
    """Keys as a path: numbers for the entries of lists."""
    path: TreePath = ()
    for key in keys:
        above, depth = find(tree, path)
        inside = depth == len(path) and isinstance(above.value, list)
        path = (*path, int(key) if inside and key.isdecimal() else key)
    return path


def _parse(override: str, problems: list[Problem]) -> tuple[list[str], Node] | None:
    """An override as keys and value; None, and a problem, for what is not one."""
    at = Position(called(override))
    key, equals, text = override.partition("=")
    keys = key.strip().split(".")
    if not equals or not all(keys):
        problems.append(Problem("is not an override; expected key.sub=value", where=str(at)))
        return None
    if not text.strip():
        problems.append(Problem(f"has no value; {key}=null brings the default back", where=str(at)))
        return None
    try:
        node, found = parse_value(text, str(at))
    except ConfigError as error:
        node, found = None, list(error.problems)
    problems += [replace(problem, where=str(at)) for problem in found]
    return None if node is None else (keys, _stand(node, at))


def _stand(node: Node, at: Position) -> Node:
    """The same values, all standing at the override."""
    if isinstance(node.value, dict):
        return Node({key: _stand(item, at) for key, item in node.value.items()}, at)
    if isinstance(node.value, list):
        return Node([_stand(item, at) for item in node.value], at)
    return replace(node, at=at)


def _chooses_kind(keys: list[str]) -> bool:
    return keys[-1] in kind_keys(tuple(keys[:-1]))


def _assign(node: Node, keys: list[str], new: Node, path: TreePath) -> Node:
    """`node`, which stands at `path`, with `new` put at `keys` below it."""
    if not keys:
        return new
    if isinstance(node.value, list):
        index = _index(node.value, keys[0], new.at, path)
        return with_entry(node, index, _assign(node.value[index], keys[1:], new, (*path, index)))
    key, node = keys[0], _opened(node, keys[0], new.at, path)
    if len(keys) > 1:
        below = child(node, key) or Node({}, new.at)
        return with_entry(node, key, _assign(below, keys[1:], new, (*path, key)))
    if new.value is None and key in entries(node) and not shadows(path):
        return without_entry(node, key)
    if key in kind_keys(path):
        return merge(node, Node({key: new}, new.at), path)
    return with_entry(node, key, new)


def _index(items: list[Node], key: str, at: Position, path: TreePath) -> int:
    if key.isdecimal() and int(key) < len(items):
        return int(key)
    there = f"0 to {len(items) - 1}" if items else "none"
    raise _refused(f"{_dotted(path)} is a list; {key} is none of its entries ({there})", at, path)


def _opened(node: Node, key: str, at: Position, path: TreePath) -> Node:
    """`node` as a mapping that may take `key`. Elsewhere than in `model` the schema judges what comes of it."""
    if isinstance(node.value, dict):
        if is_named(path) and key not in node.value:
            return Node({}, at)
        if _is_layer(path) and node.value and key not in node.value:
            raise _refused(_other_layer(path, next(iter(node.value)), key), at, path)
        return node
    if node.value == key:
        return Node({key: Node({}, node.at)}, node.at)
    if _is_layer(path) and isinstance(node.value, str):
        raise _refused(_other_layer(path, node.value, key), at, path)
    if path[:1] == ("model",) and node.value is not None:
        name = _dotted(path)
        message = f"{name} is {node.value}, without a name; say {name}={{...}} with every argument named"
        raise _refused(message, at, path)
    return Node({}, at)


def _is_layer(path: TreePath) -> bool:
    return path[:2] == ("model", "layers") and isinstance(path[-1], int)


def _other_layer(path: TreePath, there: str, key: str) -> str:
    return f"{_dotted(path)} is {there}, not {key}; {_dotted(path)}={key} would replace it"


def _dotted(path: TreePath) -> str:
    return ".".join(map(str, path))


def _refused(message: str, at: Position, path: TreePath) -> ConfigError:
    return ConfigError(Problem(message, path, str(at)))
