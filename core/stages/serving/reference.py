"""`/docs`: the OpenAPI description as one plain page, where FastAPI's own would load scripts from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from ft.core.stages.serving.page import STYLE


def reference(openapi: Mapping[str, Any]) -> str:
    """openapi: the whole document."""
    title = escape(openapi["info"]["title"])
    parts = "".join(
        _operation(path, method, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: reference</title><style>{STYLE}</style></head>
<body><main class="wide"><header><h1>{title}</h1>
<p class="quiet">Every error is <code>{{"error": …, "where": …}}</code>. The same for programs:
<a href="/openapi.json">openapi.json</a>. <a href="/">Try it</a>.</p></header>
{parts}</main></body></html>
"""


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    told = "".join(_told(operation))
    return (
        f'<section class="card"><h2><span class="verb">{escape(method.upper())}</span> <code>{escape(path)}</code></h2>'
        f"<p>{escape(operation.get('summary', ''))}</p>{told}</section>"
    )


def _told(operation: Mapping[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        yield f"<p><code>?{escape(parameter['name'])}=</code> {escape(parameter.get('description', ''))}</p>"
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h3>{escape(kind)}</h3>"
        if "example" in body:
            yield f"<pre>{escape(json.dumps(body['example'], indent=2, ensure_ascii=False))}</pre>"
        schema = body["schema"].get("oneOf", [body["schema"]])[0]
        yield _properties(schema["properties"]) if "properties" in schema else "<p>The bytes of one.</p>"
    rows = "".join(
        f"<tr><td>{escape(code)}</td><td>{escape(answer['description'])}</td></tr>"
        for code, answer in operation.get("responses", {}).items()
    )
    yield f"<h3>Answers</h3><table>{rows}</table>"


def _properties(properties: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_kind(schema))}</td></tr>"
        for name, schema in properties.items()
    )
    return f"<table>{rows}</table>"


def _kind(schema: Mapping[str, Any]) -> str:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(kinds) + (" in base64, or a file" if "contentEncoding" in schema else "")
