"""The form of all documents, a line a key, as it is recorded beside the tests: `python tests/helpers/schema_form.py`.

Refuses to record that a key went or changed its type: that is another SCHEMA_VERSION, with a record of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ft.cli.border import SCHEMA_VERSION
from ft.cli.schemas import DOCUMENTS, FILES, schema

RECORDED = Path(__file__).parents[1] / "unit" / "cli" / f"documents-{SCHEMA_VERSION}.txt"


def form() -> list[str]:
    """`eval gates[].p: number|null`, sorted; `?` behind a key that is not always there."""
    return sorted({line for kind in [*DOCUMENTS, *FILES] for line in form_of(kind, schema(kind))})


def form_of(kind: str, whole: Mapping[str, Any]) -> Iterator[str]:
    """The lines of one schema."""
    for path, what in _lines(whole, whole.get("$defs", {}), ""):
        yield f"{kind} {path}: {what}"


def _lines(node: Mapping[str, Any], defs: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    forms = list(_forms(node, defs))
    yield path or ".", "|".join(sorted({_type(form) for form in forms}))
    for form in forms:
        for key, inner in form.get("properties", {}).items():
            optional = "" if key in form.get("required", ()) else "?"
            yield from _lines(inner, defs, f"{path}.{key}{optional}".lstrip("."))
        if isinstance(inner := form.get("additionalProperties"), dict):
            yield from _lines(inner, defs, f"{path}.*".lstrip("."))
        if isinstance(inner := form.get("items"), dict):
            yield from _lines(inner, defs, f"{path}[]")


def _forms(node: Mapping[str, Any], defs: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a value may be, one by one, references followed."""
    if "$ref" in node:
        yield from _forms(defs[node["$ref"].rpartition("/")[2]], defs)
    elif several := node.get("anyOf", node.get("oneOf")):
        for each in several:
            yield from _forms(each, defs)
    else:
        yield node


def _type(form: Mapping[str, Any]) -> str:
    if "const" in form:
        return repr(form["const"])
    if "enum" in form:
        return "|".join(map(repr, form["enum"]))
    if "prefixItems" in form:
        return f"array of {len(form['prefixItems'])}"
    return str(form.get("type", "any"))


def main() -> int:
    """Write the record, if nothing in it went. The exit code."""
    now = form()
    gone = set(RECORDED.read_text(encoding="utf-8").splitlines()) - set(now) if RECORDED.exists() else set()
    if gone:
        sys.stderr.write("\n".join(["these went or changed: raise SCHEMA_VERSION", *sorted(gone), ""]))
        return 1
    RECORDED.write_text("\n".join(now) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
