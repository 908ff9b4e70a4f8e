"""What the schema says of one setting: its forms, its choices, what to print after "expected". For error messages.

Answers come from the JSON Schema of the settings, the same one editors read: plain data, and made only once there is
an error to explain (30 ms).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from ft.core.config.schema import Experiment
from ft.core.config.section import NAMES
from ft.core.errors import TreePath

JsonSchema = dict[str, Any]


@cache
def whole() -> JsonSchema:
    """The JSON Schema of the settings, as pydantic writes it."""
    return Experiment.model_json_schema()


def resolve(schema: JsonSchema) -> JsonSchema:
    """A schema without the reference it may consist of."""
    reference = schema.get("$ref")
    return whole()["$defs"][reference.rsplit("/", 1)[1]] if reference else schema


def members(schema: JsonSchema) -> list[JsonSchema]:
    """The alternatives to null of a schema: itself when it has one form."""
    schema = resolve(schema)
    forms = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return [resolve(form) for form in forms if form.get("type") != "null"]


def forms_of(schema: JsonSchema) -> list[JsonSchema]:
    """All forms, those of a union inside a union too."""
    return [form for member in members(schema) for form in members(member)]


def discriminator(schema: JsonSchema) -> str | None:
    """The key whose value says which form of a mapping this is, where there is one."""
    schema = resolve(schema)
    found = [form["discriminator"] for form in (schema, *schema.get("anyOf", ())) if "discriminator" in form]
    return str(found[0]["propertyName"]) if found else None


def choose(schema: JsonSchema, value: Any) -> list[JsonSchema]:
    """The forms of `schema` that `value` can have been meant as: by its discriminator, else by mapping or list."""
    forms, key = forms_of(schema), discriminator(schema)
    if key is not None and isinstance(value, Mapping):
        return [form for form in forms if value.get(key) in choices(form["properties"][key])] or forms
    kind = "object" if isinstance(value, Mapping) else "array" if isinstance(value, list | tuple) else None
    return [form for form in forms if kind is None or form.get("type") == kind] or forms


def below(schema: JsonSchema, value: Any, key: str | int) -> JsonSchema | None:
    """The schema of an entry of `value`; None where anything goes or nothing is known."""
    for form in choose(schema, value):
        if isinstance(key, int):
            fixed = form.get("prefixItems", [])
            found = fixed[key] if key < len(fixed) else form.get("items")
        else:
            found = form.get("properties", {}).get(key, form.get("additionalProperties"))
        if isinstance(found, dict):
            return found
    return None


def schema_at(tree: Any, path: TreePath) -> JsonSchema | None:
    """The schema of the setting at `path` of an experiment; None where anything goes or nothing is known."""
    schema: JsonSchema | None = whole()
    for key in path:
        if schema is None:
            return None
        schema, tree = below(schema, tree, key), step(tree, key)
    return schema


def step(value: Any, key: str | int) -> Any:
    """`value[key]`, or None where there is no such entry."""
    if isinstance(value, Mapping):
        return value.get(key)
    if isinstance(value, list | tuple) and isinstance(key, int) and key < len(value):
        return value[key]
    return None


def value_at(tree: Any, path: Sequence[str | int]) -> Any:
    """The value at a path, or None where there is none."""
    for key in path:
        tree = step(tree, key)
    return tree


def choices(schema: JsonSchema) -> list[Any]:
    """The values that a schema lists one by one."""
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def kinds(schema: JsonSchema) -> list[str]:
    """What the discriminator of a mapping with several forms may be."""
    key = discriminator(schema)
    return [str(choice) for form in forms_of(schema) if key for choice in choices(form["properties"][key])]


def describe(schema: JsonSchema) -> str:
    """What a setting may be, for the end of "expected": `a whole number >= 1`."""
    forms, key = members(schema), discriminator(schema)
    if key is not None:
        return f"a mapping with {key}: {listing(kinds(schema))}"
    words = [str(choice) for form in forms for choice in (choices(form) or form.get(NAMES, ()))]
    for form in forms:
        words += (
            ["true", "false"] if form.get("type") == "boolean" else [_describe_form(form)] if not choices(form) else []
        )
    return listing(words)


def listing(words: Sequence[str]) -> str:
    """`a, b or c`."""
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _describe_form(form: JsonSchema) -> str:
    match form.get("type"):
        case "integer":
            return "a whole number" + _range(form)
        case "number":
            return "a number" + _range(form)
        case "string":
            return f"text like {listing(form['examples'])}" if "examples" in form else "text"
        case "array" if "prefixItems" in form:
            return f"[{', '.join(map(describe, form['prefixItems']))}]"
        case "array":
            return f"a list of {form['minItems']} or more" if "minItems" in form else "a list"
        case "object" if "properties" in form:
            return f"a mapping with {', '.join(form['properties'])}"
        case "object" if form.get("maxProperties") == 1:
            values = form.get("additionalProperties", {})
            return "{column: [values]}" if values.get("type") == "array" else "{name: {arguments}}"
    return "a mapping with an entry or more" if "minProperties" in form else "a mapping"


def _range(form: JsonSchema) -> str:
    bounds = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
    said = [f"{sign} {form[bound]:g}" for bound, sign in bounds if bound in form]
    return f" {' and '.join(said)}" if said else ""
