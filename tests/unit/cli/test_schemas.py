"""The schemas of documents: valid themselves, described, and never changed unnoticed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import jsonschema
import pytest
import schema_form

from ft.cli.border import SCHEMA_VERSION, ExitCode
from ft.cli.schemas import DOCUMENTS, FILES, model, schema
from ft.cli.schemas.parts import SchemaVersion
from ft.core.errors import ConfigError


@pytest.mark.parametrize("kind", [None, *DOCUMENTS, *FILES])
def test_every_schema_is_one_and_lets_nothing_unknown_through(kind: str | None) -> None:
    whole = schema(kind)
    jsonschema.Draft202012Validator.check_schema(whole)
    closed = [node for node in mappings(whole) if "properties" in node]
    assert closed
    assert all(node["additionalProperties"] is False or "metric" in node["description"] for node in closed)
    assert all(node.get("description") for node in closed)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_says_its_kind_and_its_version(kind: str) -> None:
    properties = schema(kind)["properties"]
    assert properties["kind"]["const"] == kind
    assert properties["schema_version"]["const"] == SCHEMA_VERSION
    assert {"kind", "schema_version"} <= set(schema(kind)["required"])


def test_a_key_that_goes_or_comes_is_noticed() -> None:
    recorded = schema_form.RECORDED.read_text(encoding="utf-8").splitlines()
    now = schema_form.form()
    gone, new = set(recorded) - set(now), set(now) - set(recorded)
    assert not gone, f"this breaks who reads documents: raise SCHEMA_VERSION and say so in CHANGELOG.md: {sorted(gone)}"
    assert not new, f"say it in CHANGELOG.md and run `python tests/helpers/schema_form.py`: {sorted(new)}"


def test_a_record_is_of_keys_types_and_whether_they_may_miss() -> None:
    pair = {"type": "array", "prefixItems": [{}, {}]}
    whole: dict[str, Any] = {
        "type": "object",
        "properties": {
            "a": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]},
            "b": {"type": "object", "additionalProperties": pair},
        },
        "required": ["a"],
        "$defs": {"A": {"type": "array", "items": {"enum": ["x", "y"]}}},
    }
    assert list(schema_form.form_of("k", whole)) == [
        "k .: object", "k a: array|null", "k a[]: 'x'|'y'", "k b?: object", "k b?.*: array of 2",
    ]  # fmt: skip


def test_the_versions_and_codes_named_twice_are_the_same() -> None:
    assert get_args(SchemaVersion) == (SCHEMA_VERSION,)
    codes = schema("error")["properties"]["exit_code"]["enum"]
    assert sorted(codes) == sorted(code for code in ExitCode if code)


def test_a_kind_that_is_none_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean eval"):
        model("evel")
    with pytest.raises(ConfigError, match="there are train, finetune"):
        model("x")
    with pytest.raises(ConfigError, match="ft config schema"):
        model("experiment")


def mappings(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping in it, as a schema: those of `properties` are names."""
    if isinstance(node, list):
        for each in node:
            yield from mappings(each)
    elif isinstance(node, dict):
        yield node
        for key, each in node.items():
            yield from mappings(list(each.values()) if key in ("properties", "$defs") else each)
