"""YAML text -> a tree with positions, with the scalars of YAML 1.2 and no way to run code or to explode.

PyYAML parses; from its events on everything is done here, because its own loader reads `1e-3` as text, `no` as False,
`12:30:00` as 45000 and `010` as 8, lets a repeated key win, and follows nesting and aliases without bound.
Keys are text as written. Tags other than `!!str`, merge keys (`<<`) and several documents in a file are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from ft.core.config.nodes import Node, Position, Scalar
from ft.core.config.suggest import nearest
from ft.core.errors import ConfigError, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 100
MAX_NODES = 50_000  # aliases count as what they stand for; ImageNet's 21,841 class names fit twice

_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times faster where it was built in
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STR_TAG = "tag:yaml.org,2002:str"

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MAX_DIGITS = 400  # beyond any number that means something; Python itself refuses 4,301

# What PyYAML says about frequent slips, and what a person can do about them.
_HINTS = (
    ("mapping values are not allowed", "a second `:` on this line, which wants quotes, or a wrong indentation"),
    ("could not find expected ':'", "a `:` is missing after this key"),
    ("did not find expected key", "this does not fit the lines above; check the indentation and the brackets"),
    ("expected <block end>", "this does not fit the lines above; check the indentation and the brackets"),
    ("did not find expected ',' or", "a comma or a closing bracket is missing before this"),
    ("expected ',' or", "a comma or a closing bracket is missing before this"),
    ("cannot start any token", "quote the text: it begins with a character that means something in YAML"),
    ("unexpected end of stream", "a closing quote is missing"),
    ("undefined alias", "no anchor of this name stands above"),
)


def scalar(text: str) -> Scalar:
    """The value of an unquoted scalar by YAML 1.2's core schema: `010` is 10, `0o17` 15, `1e-3` a float, `no` text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text) and len(text) <= _MAX_DIGITS:
        return int(text, 0) if text[1:2] in ("o", "x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


def read_file(path: Path) -> str:
    """A file's text. Raises ConfigError for a file that is missing, a folder, unreadable, over 1 MB or not UTF-8."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path}{_near(path)}") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path} is larger than 1 MB; an experiment is not: was a data file named?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="replace")
        where = str(_place(str(path), before, len(before)))
        raise ConfigError(Problem("is not UTF-8 text; save the file as UTF-8", where=where)) from None


def parse(text: str, file: str) -> tuple[Node, list[Problem]]:
    """The tree of a file's text, and what is wrong with it although it could be read (repeated keys, tags).

    Raises ConfigError, with file:line:column, for what cannot be read at all, and for an empty file.
    """
    root, problems = parse_value(text, file)
    if root is None or root.value is None:
        raise ConfigError(*problems, Problem("is empty; `ft config init` writes a file to start from", where=file))
    if not isinstance(root.value, dict):
        found = "a list" if isinstance(root.value, list) else "a single value"
        message = f"the file holds {found}; expected settings, `key: value`"
        raise ConfigError(*problems, Problem(message, where=str(root.at)))
    return root, problems


def parse_value(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """Any YAML value; None for a text without one. Raises ConfigError for what cannot be read at all."""
    found = _UNPRINTABLE.search(text)
    if found:
        place = _place(file, text, found.start())
        raise ConfigError(Problem(f"the character {found[0]!a} cannot stand in YAML", where=str(place)))
    builder = _Builder(text, file)
    try:
        root = builder.document()
    except yaml.YAMLError as error:
        raise ConfigError(*builder.problems, _syntax(error, text, file)) from None
    return root, builder.problems


class _Builder:
    """Events of PyYAML's parser (untyped) -> nodes. `problems` holds what did not stop it."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.events: Iterator[Any] = yaml.parse(text, Loader=_PARSER)
        self.anchors: dict[str, Node] = {}
        self.nodes = 0

    def document(self) -> Node | None:
        """The first document, if there is one; a second one is refused."""
        next(self.events)  # the stream's start
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        root = self.value(next(self.events), 0)
        next(self.events)  # the document's end
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            self.stop("a second document (`---`) begins; a file holds one experiment", after)
        return root

    def value(self, event: Any, depth: int) -> Node:
        """The node that begins with `event`, `depth` levels below the root."""
        self.count(event, depth)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, depth)
        self.check_tag(event)
        at = self.at(event)
        if isinstance(event, yaml.SequenceStartEvent):
            node = Node(self.sequence(depth), at)
        elif isinstance(event, yaml.MappingStartEvent):
            node = Node(self.mapping(depth), at)
        elif event.implicit[0] and event.tag is None:
            node = Node(scalar(event.value), at, text=event.value)
        else:
            node = Node(event.value, at)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def sequence(self, depth: int) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.value(event, depth + 1))
        return items

    def mapping(self, depth: int) -> dict[str, Node]:
        items: dict[str, Node] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key, at = self.key(event), self.at(event)
            if key in items:
                self.problems.append(
                    Problem(f"{key} is given twice; first in line {items[key].at.line}", where=str(at))
                )
            items[key] = replace(self.value(next(self.events), depth + 1), at=at)
        return items

    def key(self, event: Any) -> str:
        """A key's text; anything but a scalar is refused."""
        if not isinstance(event, yaml.ScalarEvent):
            self.stop("a key is text; a list, mapping or alias cannot be one", event)
        self.check_tag(event)
        if event.value == "<<" and event.implicit[0]:
            self.stop("merge keys (<<) are not read; `base: other.yaml` inherits from another file", event)
        return str(event.value)

    def alias(self, event: Any, depth: int) -> Node:
        """What an anchor stands for, shared and not copied; counted as if it were written out."""
        if event.anchor not in self.anchors:
            self.stop(f"*{event.anchor}: no anchor of this name stands above", event)
        node = self.anchors[event.anchor]
        self.count_below(node, event, depth)
        return replace(node, at=self.at(event))

    def count_below(self, node: Node, event: Any, depth: int) -> None:
        """Count what lies inside `node`. Ends with an error long before an alias bomb has been walked."""
        below = node.value.values() if isinstance(node.value, dict) else node.value
        for item in below if not isinstance(below, Scalar) else ():
            self.count(event, depth + 1)
            self.count_below(item, event, depth + 1)

    def count(self, event: Any, depth: int) -> None:
        self.nodes += 1
        if depth > MAX_DEPTH:
            self.stop(f"is nested more than {MAX_DEPTH} levels deep", event)
        if self.nodes > MAX_NODES:
            self.stop(f"the file holds more than {MAX_NODES:,} values, aliases counted as what they stand for", event)

    def check_tag(self, event: Any) -> None:
        tag = event.tag
        if tag is not None and not (isinstance(event, yaml.ScalarEvent) and tag in ("!", _STR_TAG)):
            short = tag.replace("tag:yaml.org,2002:", "!!")
            message = f"the tag {short} is refused: an experiment holds plain text, numbers, lists and mappings"
            self.problems.append(Problem(message, where=str(self.at(event))))

    def at(self, event: Any) -> Position:
        return Position(self.file, event.start_mark.line + 1, event.start_mark.column + 1)

    def stop(self, message: str, event: Any) -> NoReturn:
        raise ConfigError(*self.problems, Problem(message, where=str(self.at(event))))


def _syntax(error: yaml.YAMLError, text: str, file: str) -> Problem:
    """PyYAML's complaint in a person's words, at its place."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(f"is not YAML: {error}", where=file)
    mark, said = error.problem_mark, str(error.problem)
    where = str(Position(file, mark.line + 1, mark.column + 1))
    line = text.split("\n")[mark.line] if mark.line <= text.count("\n") else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Problem("a tab cannot indent YAML; use spaces", where=where)
    hint = next((hint for said_part, hint in _HINTS if said_part in said), said)
    return Problem(f"is not YAML: {hint}", where=where)


def _place(file: str, text: str, offset: int) -> Position:
    """Line and column of a character."""
    return Position(file, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def _near(path: Path) -> str:
    """A file beside the missing one that was perhaps meant."""
    if not path.parent.is_dir():
        return f": there is no folder {path.parent}"
    names = [item.name for item in path.parent.iterdir() if item.suffix in (".yaml", ".yml")]
    found = nearest(path.name, sorted(names))
    return f"; did you mean {path.parent / found}?" if found else ""
