"""Plain values -> YAML that `yaml.py` reads back to the same values. Short lists and mappings stay on one line."""

from __future__ import annotations

import math
from typing import Any

import yaml

from ft.core.config.yaml import scalar

_LINE = 100  # characters a list or mapping may fill before it goes over several lines


def dump(tree: dict[str, Any]) -> str:
    """An experiment as YAML text; the keys keep their order."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def one_line(value: Any) -> str:
    """One value as YAML, on one line."""
    text = yaml.dump(value, Dumper=_OneLine, allow_unicode=True, width=math.inf)
    return str(text).removesuffix("\n").removesuffix("\n...")


_RARE_BREAKS = frozenset("\x85\u2028\u2029")  # PyYAML's emitter writes them plainly and its parser folds them


class _Dumper(yaml.SafeDumper):
    """PyYAML's, with text in quotes that YAML 1.2 would read as a number, and no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Text; in quotes where it would come back as something else."""
        style = "'" if not isinstance(scalar(data), str) else '"' if _RARE_BREAKS.intersection(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        """A mapping, on one line when it is short and holds no other."""
        node = super().represent_mapping(tag, mapping, flow_style)
        node.flow_style = _short([part for pair in node.value for part in pair])
        return node

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        """A list, on one line when it is short and holds only scalars."""
        node = super().represent_sequence(tag, sequence, flow_style)
        node.flow_style = _short(node.value)
        return node


_Dumper.add_representer(str, _Dumper.represent_str)


class _OneLine(_Dumper):
    """The same, with nothing on a line of its own."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Text; in quotes that hold their line breaks as escapes."""
        if "\n" in data:
            return self.represent_scalar("tag:yaml.org,2002:str", data, style='"')
        return super().represent_str(data)

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        """A mapping in braces."""
        node = super().represent_mapping(tag, mapping, flow_style)
        node.flow_style = True
        return node

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        """A list in brackets."""
        node = super().represent_sequence(tag, sequence, flow_style)
        node.flow_style = True
        return node


_OneLine.add_representer(str, _OneLine.represent_str)


def _short(parts: list[yaml.Node]) -> bool:
    plain = all(isinstance(part, yaml.ScalarNode) or not part.value for part in parts)  # `[]` and `{}` are short too
    return plain and sum(len(str(part.value)) + 2 for part in parts) <= _LINE
