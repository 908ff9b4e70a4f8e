"""What a service says of its model: inputs, outputs, classes and limits, and an example to send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ft.core.data.catalog import Catalog
from ft.core.data.columns import Column
from ft.core.models.heads import Head
from ft.core.stages.evaluate import Rebuilt
from ft.core.stages.serving.answering import Answerer, class_names
from ft.core.stages.serving.limits import Limits
from ft.core.stages.serving.questions import FORM, JSON, accepted

MOST_NAMES = 1_000  # of a category's, in the schema
EXAMPLES: Mapping[str, Any] = {
    "number": 1.5,
    "category": "",
    "text": "a text",
    "date": "2024-03-31",
    "set": [],
    "vector": [],
    "image": "data:image/png;base64,…",
    "audio": "data:audio/wav;base64,…",
}
ERROR: dict[str, Any] = {
    JSON: {
        "schema": {
            "type": "object",
            "required": ["error", "where"],
            "properties": {"error": {"type": "string"}, "where": {"type": "string"}},
        }
    }
}


def facts_of(rebuilt: Rebuilt, answerer: Answerer, limits: Limits, path: str, engine: str) -> dict[str, Any]:
    """`/schema`. engine: torch or onnxruntime."""
    machine, outputs, heads = rebuilt.machine, rebuilt.outputs, rebuilt.heads
    told = {"engine": engine, "device": str(machine.device), "precision": machine.precision.name}
    ranks = any(isinstance(column, Catalog) for column in outputs.values())
    given = [_input(each, rebuilt.inputs[each]) for each in answerer.kinds]
    return {
        "model": {"name": rebuilt.experiment.name, "path": path, **told},
        "inputs": given,
        "outputs": [_output(each, column, heads[each]) for each, column in outputs.items()],
        "accepts": [JSON] if ranks else accepted(answerer.kinds),
        "example": {each["name"]: _example(each) for each in given},
        "limits": {
            "body_bytes": limits.body,
            "pixels": limits.pixels,
            "rows": limits.rows,
            "seconds": limits.timeout_s,
            "batch": limits.max_batch,
            "queue": limits.queue,
        },
    }


def _input(name: str, column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "type": column.kind}
    if getattr(column, "flag", False):
        described["missing"] = True
    if column.kind == "image":
        channels, height, width = column.shape
        described |= {"width": width, "height": height, "channels": channels}
    if column.kind == "vector":
        described["shape"] = list(getattr(column, "size", column.shape))
    if names := class_names(column):
        described |= {"values": names[:MOST_NAMES], "count": len(names)}
    return described


def _output(name: str, column: Column, head: Head) -> dict[str, Any]:
    classes = list(getattr(head, "classes", ()))
    return {"name": name, "type": column.kind} | ({"classes": classes} if classes else {})


def _example(described: Mapping[str, Any]) -> Any:
    if "values" in described:
        return described["values"][0]
    if described["type"] == "vector":
        return [0.0] * described["shape"][-1]
    return EXAMPLES.get(described["type"], "")


# ---------------------------------------------------------------- OpenAPI


def predict_operation(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What OpenAPI says of `/predict`: the row of this model, in each type of body it takes."""
    row = {
        "type": "object",
        "required": [each["name"] for each in facts["inputs"]],
        "additionalProperties": False,
        "properties": {each["name"]: _property(each) for each in facts["inputs"]},
    }
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": facts["limits"]["rows"]}
    wrapped = {"type": "object", "required": ["rows"], "properties": {"rows": rows}}
    content: dict[str, Any] = {JSON: {"schema": {"oneOf": [row, rows, wrapped]}, "example": facts["example"]}}
    for kind in facts["accepts"]:
        if kind == FORM:
            content[kind] = {"schema": {"type": "object", "properties": row["properties"]}}
        elif kind != JSON:
            content[kind] = {"schema": {"type": "string", "format": "binary"}}
    top = {
        "name": "top",
        "in": "query",
        "required": False,
        "schema": {"type": "integer", "minimum": 1},
        "description": "How many classes or items an answer lists, the likeliest first",
    }
    return {"requestBody": {"required": True, "content": content}, "parameters": [top]}


def _property(described: Mapping[str, Any]) -> dict[str, Any]:
    match described["type"]:
        case "number":
            return {"type": ["number", "string", "null"]}
        case "vector":
            return {"type": "array", "items": {"type": "number"}}
        case "set":
            return {"type": ["array", "string", "null"], "items": {"type": "string"}}
        case "image" | "audio":
            return {"type": "string", "contentEncoding": "base64"}
    return {"type": ["string", "number", "boolean", "null"]}
