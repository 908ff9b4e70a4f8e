"""`ft schema [KIND]`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ft.cli.arguments import Debug
from ft.cli.border import bordered
from ft.cli.streams import results


@bordered
def schema(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="What a document's `kind` says (train, eval, error, …), or a run's file: status.json, result.json, "
            "metrics.jsonl. Without it, the schema of any document."
        ),
    ] = None,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Print the JSON Schema of what --json prints, or of a run's files.

    Of experiment files: ft config schema.
    """
    from ft.cli.schemas import schema as of

    results().write(json.dumps(of(kind), indent=2, ensure_ascii=False) + "\n")
