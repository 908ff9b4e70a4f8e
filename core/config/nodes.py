"""An experiment as a tree that remembers where every value was written. Nothing here knows what a setting means.

A `Node` never changes: merging, overriding and expanding make new trees that share their unchanged parts, so each
value keeps the place it came from, whichever file or command line that was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ft.core.errors import TreePath

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file, counted from 1; for what no file holds, `file` alone says where it came from."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands: a mapping's entry at its key, a list's entry at its start.

    text: an unquoted scalar as it was written, for settings that want text where quoting was not in the user's hand.
    raw: a string before `${...}` in it was replaced; it is what the resolved copy shows.
    """

    value: Scalar | dict[str, Node] | list[Node]
    at: Position
    text: str | None = None
    raw: str | None = None


def from_plain(value: Any, at: Position) -> Node:
    """Plain values as a tree whose every node stands at `at`. Keys become text, as in a file."""
    if isinstance(value, dict):
        return Node({str(key): from_plain(item, at) for key, item in value.items()}, at)
    if isinstance(value, list | tuple):
        return Node([from_plain(item, at) for item in value], at)
    return Node(value, at)


def to_plain(node: Node, *, raw: bool = False) -> Any:
    """The values alone, as fresh dicts and lists. raw: as written, where the environment brought a value."""
    if isinstance(node.value, dict):
        return {key: to_plain(item, raw=raw) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [to_plain(item, raw=raw) for item in node.value]
    return node.raw if raw and node.raw is not None else node.value


def child(node: Node, key: str | int) -> Node | None:
    """The entry of a mapping or list; None where there is none."""
    if isinstance(node.value, dict):
        return node.value.get(str(key))
    if isinstance(node.value, list) and isinstance(key, int) and 0 <= key < len(node.value):
        return node.value[key]
    return None


def find(root: Node, path: TreePath) -> tuple[Node, int]:
    """The deepest existing node on the way to `path`, and how many steps of the path it lies below the root."""
    node = root
    for depth, key in enumerate(path):
        below = child(node, key)
        if below is None:
            return node, depth
        node = below
    return node, len(path)


def entries(node: Node | None) -> dict[str, Node]:
    """The entries of a mapping; none where there is no mapping."""
    return node.value if node is not None and isinstance(node.value, dict) else {}


def with_entry(node: Node, key: str | int, new: Node) -> Node:
    """A copy of a mapping or list with one entry replaced or added."""
    if isinstance(node.value, dict):
        return replace(node, value={**node.value, str(key): new})
    assert isinstance(node.value, list)
    assert isinstance(key, int)
    return replace(node, value=[new if i == key else old for i, old in enumerate(node.value)])


def without_entry(node: Node, key: str) -> Node:
    """A copy of a mapping that lacks one entry."""
    return replace(node, value={name: item for name, item in entries(node).items() if name != key})


def with_value(root: Node, path: TreePath, new: Node) -> Node:
    """A copy of the tree with an existing node exchanged."""
    if not path:
        return new
    below = child(root, path[0])
    assert below is not None
    return with_entry(root, path[0], with_value(below, path[1:], new))
