"""`${env:NAME}` and `${env:NAME:-default}` in any string value of an experiment; `$${` stands for a plain `${`.

A string that is one such reference and nothing else becomes what YAML makes of the text: `${env:LR:-1e-3}` is a number.
As in a shell, `:-` stands in for a variable that is unset or empty. What was written is kept beside the value
(`Node.raw`), so that a resolved copy holds the name of a secret and never the secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace

from ft.core.config.nodes import Node, entries, find
from ft.core.config.yaml import scalar
from ft.core.errors import Problem, TreePath

_TELLING = 4  # characters a value has at least, for messages to hide it
_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_INSIDE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def expand(node: Node, problems: list[Problem]) -> Node:
    """The tree with every reference replaced. What cannot be is added to `problems`, at its place, and stays."""
    if isinstance(node.value, dict):
        return replace(node, value={key: expand(item, problems) for key, item in node.value.items()})
    if isinstance(node.value, list):
        return replace(node, value=[expand(item, problems) for item in node.value])
    if isinstance(node.value, str) and "${" in node.value and node.raw is None:
        return _expand_text(node, node.value, problems)
    return node


def unresolved(node: Node) -> bool:
    """Whether `expand` had to leave this value as it was written."""
    return isinstance(node.value, str) and "${" in node.value and node.raw is None


def hide(message: str, root: Node, path: TreePath) -> str:
    """A message about the setting at `path`, with the environment's values in it as the file writes them.

    root: the expanded tree. Short values, truth values, and what is part of a longer word, stay.
    """
    node, depth = find(root, path)
    about = [*(find(root, path[:above])[0] for above in range(depth)), *(_walk(node) if depth == len(path) else [node])]
    written = {value: item.raw for item in about if item.raw is not None for value in _values(item, item.raw)}
    if not written:
        return message
    longest_first = "|".join(re.escape(value) for value in sorted(written, key=len, reverse=True))
    return re.sub(rf"(?<!\w)(?:{longest_first})(?!\w)", lambda match: written[match[0]], message)


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for item in node.value if isinstance(node.value, list) else entries(node).values():
        yield from _walk(item)


def _values(node: Node, raw: str) -> Iterator[str]:
    """The forms in which messages may print a value, but for what its reference shows anyway."""
    if isinstance(node.value, bool):
        return
    plain = "" if node.value is None or isinstance(node.value, dict | list) else str(node.value)
    for value in (plain, repr(plain)[1:-1], node.text or ""):
        if len(value) >= _TELLING and value not in raw:
            yield value


def _expand_text(node: Node, written: str, problems: list[Problem]) -> Node:
    wrong: list[str] = []

    def value_of(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        found = _lookup(match)
        if isinstance(found, Problem):
            wrong.append(found.message)
            return match[0]
        return found

    text = _REFERENCE.sub(value_of, written)
    if wrong:
        problems += [Problem(message, where=str(node.at)) for message in wrong]
        return node
    whole = _REFERENCE.fullmatch(written)
    if whole is None or whole[0] == "$${" or not text:
        return replace(node, value=text, raw=written)
    return replace(node, value=scalar(text), text=text, raw=written)


def _lookup(match: re.Match[str]) -> str | Problem:
    inside = _INSIDE.fullmatch(match[1])
    if inside is None or not match[2]:
        return Problem(
            f"{match[0]} is no reference; expected ${{env:NAME}} or ${{env:NAME:-default}} ($${{ is plain text)"
        )
    name, default = inside[1], inside[2]
    value = os.environ.get(name)
    if default is not None:
        return value or str(default)
    if value is None:
        return Problem(f"the environment variable {name} is not set; ${{env:{name}:-default}} gives it a default")
    return value
