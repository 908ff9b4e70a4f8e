"""What the schema knows, as questions that error messages ask: what fits here, and where does a misplaced key belong?

Answers come from the JSON Schema of the settings, the same one editors read: plain data, and made only once there is
an error to explain (30 ms).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ft.core.config.schema import Experiment
from ft.core.config.suggest import nearest
from ft.core.errors import TreePath

JsonSchema = dict[str, Any]

# Words of other programs for settings of ft.
SYNONYMS = {
    "learning_rate": "lr",
    "wd": "weight_decay",
    "l2": "weight_decay",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "bs": "batch_size",
    "optim": "optimizer",
    "scheduler": "schedule",
    "lr_schedule": "schedule",
    "lr_scheduler": "schedule",
    "early_stopping": "patience",
    "grad_clip": "clip_norm",
    "max_grad_norm": "clip_norm",
    "gradient_accumulation_steps": "accumulate",
    "network": "model",
    "dataset": "data",
    "augmentation": "augment",
    "val_split": "val",
    "mixed_precision": "precision",
    "evaluate": "eval",
    "evaluation": "eval",
}
_ARGUMENTS = ("momentum", "nesterov", "dampening", "betas", "eps", "amsgrad", "alpha")


@dataclass(frozen=True)
class Home:
    """Where a setting lives. path: with NAME for a column's name. kinds: the kinds of that mapping that have it."""

    path: tuple[str, ...]
    kinds: tuple[str, ...] = ()


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


def _forms(schema: JsonSchema) -> list[JsonSchema]:
    """All forms, those of a union inside a union too."""
    return [form for member in members(schema) for form in members(member)]


def discriminator(schema: JsonSchema) -> str | None:
    """The key whose value says which form of a mapping this is, where there is one."""
    schema = resolve(schema)
    found = [form["discriminator"] for form in (schema, *schema.get("anyOf", ())) if "discriminator" in form]
    return str(found[0]["propertyName"]) if found else None


def choose(schema: JsonSchema, value: Any) -> list[JsonSchema]:
    """The forms of `schema` that `value` can have been meant as: by its discriminator, else by mapping or list."""
    forms, key = _forms(schema), discriminator(schema)
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
    return [str(choice) for form in _forms(schema) if key for choice in choices(form["properties"][key])]


def describe(schema: JsonSchema) -> str:
    """What a setting may be, for the end of "expected": `a whole number >= 1`."""
    forms, key = members(schema), discriminator(schema)
    if key is not None:
        return f"a mapping with {key}: {listing(kinds(schema))}"
    listed = [choice for form in forms for choice in choices(form)]
    words = [_words(choice) for choice in listed] + [_describe_form(form) for form in forms if not choices(form)]
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
        case "boolean":
            return "true or false"
        case "string":
            return f"text like {' or '.join(form['examples'])}" if "examples" in form else "text"
        case "array" if "prefixItems" in form:
            return f"[{', '.join(map(describe, form['prefixItems']))}]"
        case "array":
            return "a list"
        case "object" if "properties" in form:
            return f"a mapping with {', '.join(form['properties'])}"
        case "object" if form.get("maxProperties") == 1:
            return "{name: {arguments}}"
    return "a mapping"


def _range(form: JsonSchema) -> str:
    bounds = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
    said = [f"{sign} {form[bound]:g}" for bound, sign in bounds if bound in form]
    return f" {' and '.join(said)}" if said else ""


def _words(choice: Any) -> str:
    return str(choice).lower() if isinstance(choice, bool) else str(choice)


@cache
def homes() -> Mapping[str, list[Home]]:
    """Every setting's name -> the places it has in an experiment, in the schema's order."""
    found: dict[str, list[Home]] = {}
    for home in _walk(whole(), ()):
        found.setdefault(home.path[-1], []).append(home)
    return found


def _walk(schema: JsonSchema, path: tuple[str, ...]) -> Iterator[Home]:
    key = discriminator(schema)
    for form in _forms(schema):
        properties = form.get("properties", {})
        of = tuple(choices(properties[key])) if key else ()
        for name, setting in properties.items():
            yield Home((*path, name), of)
            yield from _walk(setting, (*path, name))
        if isinstance(form.get("additionalProperties"), dict):
            yield from _walk(form["additionalProperties"], (*path, "NAME"))


def where_it_belongs(tree: Any, path: TreePath) -> str:
    """For an unknown key at `path`: `; did you mean precision (at the top level)?`, or nothing when nothing is near."""
    *parent, key = path
    schema = schema_at(tree, tuple(parent))
    beside = _names_beside(schema, value_at(tree, parent))
    word = SYNONYMS.get(str(key).lower(), str(key))
    found = nearest(word, [*beside, *homes()])
    if found is None:
        return _optimizer_argument(str(key))
    if found in beside:
        return f"; did you mean {found}?"
    places = homes()[found]
    here = [home for home in places if _alike(home.path[:-1], parent)]
    if here:
        return f"; {found} is for {listing([kind for home in here for kind in home.kinds])}"
    home = min(places, key=lambda home: -_shared(home.path, path))
    name = ".".join(_with_names(home.path, tree))
    return f"; did you mean {name}?" if len(home.path) > 1 else f"; did you mean {name} (at the top level)?"


def _optimizer_argument(key: str) -> str:
    return f"; optimizers take their arguments below their name: {{sgd: {{{key}: ...}}}}" if key in _ARGUMENTS else ""


def _names_beside(schema: JsonSchema | None, value: Any) -> list[str]:
    forms = choose(schema, value) if schema is not None else []
    return [name for form in forms for name in form.get("properties", {})]


def _alike(home: tuple[str, ...], path: list[str | int]) -> bool:
    return len(home) == len(path) and all(mine in ("NAME", key) for mine, key in zip(home, path, strict=True))


def _shared(home: tuple[str, ...], path: TreePath) -> int:
    """How many leading keys two places share."""
    for depth, (mine, key) in enumerate(zip(home, path, strict=False)):
        if mine not in ("NAME", key):
            return depth
    return min(len(home), len(path))


def _with_names(home: tuple[str, ...], tree: Any) -> Iterator[str]:
    """A home with the experiment's own first column name in the place of NAME."""
    for key in home:
        if key == "NAME" and isinstance(tree, Mapping) and tree:
            key = str(next(iter(tree)))
        tree = step(tree, key)
        yield key
