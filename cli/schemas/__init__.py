"""JSON Schemas of what `--json` prints and of a run's files, for `ft schema`. Loads no torch.

The classes beside this file are the one description of every document. What commands print is held against them by
tests/behaviour/test_documents.py (nothing more, nothing less), and they themselves against the recorded form of their
version by tests/unit/cli/test_schemas.py.

To add a document: a class with a `kind` of its own in one of these files, a line in DOCUMENTS, a line that prints it
among the first test's `LINES`; then `python tests/helpers/schema_form.py` records it. A key for a document that is
there: a line in its class, and the same record. Say in CHANGELOG.md what is new. A key that goes, is renamed or means
something else needs another SCHEMA_VERSION (in border.py) and `SchemaVersion` (in parts.py).
"""

from __future__ import annotations

from functools import reduce
from importlib import import_module
from operator import or_
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError

DOCUMENTS = {
    "train": "results:Train",
    "finetune": "results:Finetune",
    "eval": "results:Eval",
    "run": "results:Run",
    "seeds": "groups:Seeds",
    "predict": "answers:Predict",
    "recommend": "answers:Recommend",
    "explain": "explained:Explain",
    "importance": "explained:Importance",
    "serve": "answers:Serve",
    "merge": "answers:Merge",
    "export": "shipped:Export",
    "compress": "compressed:Compress",
    "layers": "answers:Layers",
    "profile": "looks:Profile",
    "tune": "searched:Tune",
    "lr-find": "searched:LrFind",
    "report": "compared:Report",
    "runs": "listed:Runs",
    "runs-delete": "listed:RunsDelete",
    "data_check": "looks:DataCheck",
    "verify-resume": "looks:VerifyResume",
    "validate": "looks:Validate",
    "doctor": "looks:Doctor",
    "error": "looks:Error",
}
FILES = {"status.json": "files:Status", "result.json": "results:Fitted", "metrics.jsonl": "files:MetricsLine"}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(kind: str | None = None) -> dict[str, Any]:
    """JSON Schema (2020-12) of one kind of document or file; None: of any document.

    Raises ConfigError for a kind that there is not.
    """
    if kind is None:
        every: Any = Annotated[reduce(or_, map(model, DOCUMENTS)), Field(discriminator="kind")]
        whole = TypeAdapter(every).json_schema()
        return {"$schema": DIALECT, "title": "ft document", **_tidy(whole)}
    return {"$schema": DIALECT, **_tidy(model(kind).model_json_schema())}


def model(kind: str) -> type[BaseModel]:
    """The class of a kind. Raises ConfigError."""
    known = {**DOCUMENTS, **FILES}
    if kind not in known:
        hint = did_you_mean(kind, known) or f"; there are {', '.join(known)}"
        more = " (experiment files: ft config schema)" if kind in ("config", "experiment") else ""
        raise ConfigError(f"{kind} is no kind of document{hint}{more}")
    module, _, name = known[kind].partition(":")
    found: type[BaseModel] = getattr(import_module(f"{__name__}.{module}"), name)
    return found


def _tidy(node: Any) -> Any:
    """Without the titles that pydantic makes of the keys; those of classes stay."""
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    tidied = {key: _tidy(each) for key, each in node.items()}
    for each in tidied.get("properties", {}).values():
        each.pop("title", None)
    return tidied
