"""A report's facts as the JSON file beside it, so that it can be rendered anew and compared with others later.

What it rests on stays with it: the answers to every example, as a baseline's document packs them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from ft.core.report.model import RunReport


def to_json(report: RunReport, answers: Mapping[str, Any] | None) -> str:
    """NaN as Python's json writes it."""
    return json.dumps({"report": asdict(report), "answers": answers}) + "\n"


def from_json(text: str) -> tuple[RunReport, dict[str, Any] | None]:
    """What `to_json` wrote. Raises ValueError for anything else; what a later version added is passed over."""
    found = json.loads(text)
    if not isinstance(found, dict) or "report" not in found:
        raise ValueError("it holds no report")
    try:
        return TypeAdapter(RunReport).validate_python(found["report"]), found.get("answers")
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
