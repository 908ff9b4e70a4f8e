"""Reading back a JSON document that `ft` wrote: what is none of that kind is one mistake, a damaged one another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ft.core.errors import ConfigError, DataError


def read_document(path: Path, kind: str, what: str, writer: str) -> dict[str, Any]:
    """what: how messages call it, e.g. `baseline main.json`. writer: what writes such a document.

    Raises ConfigError for what is no document of this kind, DataError for one that is damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{what}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"{what}: it cannot be read ({error.strerror or error})") from error
    foreign = f"{what}: this is not what {writer} writes"
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if content.lstrip().startswith(b"{"):
            raise DataError(f"{what}: it is damaged, for it is no whole JSON document ({error})") from error
        raise ConfigError(f"{foreign} ({error})") from error
    if not isinstance(document, dict) or document.get("kind") != kind:
        raise ConfigError(foreign)
    return document
