"""The settings for others: a JSON Schema for editors, the commented starting file, the experiments that come along."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from ft.core.config.known import JsonSchema, whole
from ft.core.config.schema.model import ONE_KIND
from ft.core.config.section import NAMES

# configs/ lies beside core/, in the source tree as in an installed package.
_CONFIGS = Path(__file__).resolve().parents[2] / "configs"
_REFERENCE: JsonSchema = {
    "type": "string",
    "pattern": r"\$\{env:[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}",
    "description": "${env:NAME} or ${env:NAME:-default}: taken from the environment",
}
_BASE: JsonSchema = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    "title": "Base",
    "description": "the experiment this one builds on, or several, the last one on top; relative to this file",
}
_ABOUT = ("title", "description", "default", "examples")  # keywords that say something about a setting as a whole


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a file as it is written: with `base`, null for every default, and `${env:...}`."""
    schema = deepcopy(whole())
    schema["$defs"]["Reference"] = _REFERENCE
    for name, section in schema["$defs"].items():
        if section.pop(ONE_KIND, False):  # `gated` alone stands for `gated: {}`
            schema["$defs"][name] = {"anyOf": [section, {"enum": list(section["properties"])}]}
        elif names := section.pop(NAMES, None):
            schema["$defs"][name] = {"anyOf": [section, {"enum": names}]}
    forms = [form for section in schema["$defs"].values() for form in section.get("anyOf", [section])]
    for section in (schema, *forms):
        for key, setting in section.get("properties", {}).items():
            section["properties"][key] = _as_written(setting, required=key in section.get("required", ()))
    schema["properties"] = {"base": _BASE, **schema["properties"]}
    schema["anyOf"] = [{"required": schema.pop("required")}, {"required": ["base"]}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "ft experiment",
        "description": "One experiment: data, columns, model and stages.",
    }


def init_text() -> str:
    """The commented file a newcomer starts from: the shipped digits experiment, as a file of the newcomer's own."""
    return shipped()["digits"].read_text(encoding="utf-8").replace("configs/digits.yaml", "my.yaml")


def shipped() -> dict[str, Path]:
    """The experiments that come with ft, by name (`digits`, `folder/name`)."""
    return {path.relative_to(_CONFIGS).with_suffix("").as_posix(): path for path in sorted(_CONFIGS.rglob("*.yaml"))}


def _as_written(setting: JsonSchema, *, required: bool) -> JsonSchema:
    """A setting's schema with what a file may hold in its place besides the value itself."""
    about = {key: setting[key] for key in _ABOUT if key in setting}
    value = {key: item for key, item in setting.items() if key not in about}
    forms = list(value["anyOf"]) if "anyOf" in value else [value]
    if any(_is_scalar(form) for form in forms) and not (required and "const" in value):
        forms.append({"$ref": "#/$defs/Reference"})
    if not required and {"type": "null"} not in forms:
        forms.append({"type": "null"})
    return {"anyOf": forms, **about} if len(forms) > 1 else setting


def _is_scalar(form: JsonSchema) -> bool:
    return form.get("type") in ("integer", "number", "boolean") or bool({"enum", "const", "pattern"} & set(form))
