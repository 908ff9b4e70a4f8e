"""What an exported ONNX file says beside its graph, and the checksum that tells whether it is whole.

The metadata are texts by key: what strangers read, and under `ft` the JSON that ft needs to judge and ask the file like
a checkpoint. The checksum is the SHA-256 of the file with the 64 digits of the checksum itself read as zeros, so it is
checked without any library for ONNX.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ft.core.errors import CheckpointError

FORMAT = "ft-onnx"
VERSION = 1
KEY, CHECKSUM = "ft", "sha256"
BLANK = "0" * 64


def metadata(contents: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, str]:
    """The entries of the file, the checksum still blank. contents: plain values for ft. told: for strangers, each an
    entry of its own, JSON where it is no text.
    """
    whole = {"format": FORMAT, "format_version": VERSION, **contents}
    words = {name: value if isinstance(value, str) else _json(value) for name, value in told.items()}
    return {**words, KEY: _json(whole), CHECKSUM: BLANK}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def seal(path: Path) -> str:
    """Write the checksum into a file whose own is blank. Returns it."""
    data = path.read_bytes()
    at = _place(data, BLANK)
    assert at is not None, "written with metadata()"
    digest = hashlib.sha256(data).hexdigest()
    with path.open("r+b") as file:
        file.seek(at)
        file.write(digest.encode())
    return digest


def read(entries: Mapping[str, str], path: Path) -> dict[str, Any]:
    """What ft wrote into the file. entries: its metadata. Raises CheckpointError: altered, or not ft's."""
    if KEY not in entries or CHECKSUM not in entries:
        raise CheckpointError(f"{path} was not written by ft export: it lacks what ft needs to ask it")
    whole = json.loads(entries[KEY])
    if whole.get("format") != FORMAT or whole.get("format_version") != VERSION:
        found = f"{whole.get('format')} {whole.get('format_version')}"
        raise CheckpointError(f"{path} has the format {found}; this ft reads {FORMAT} {VERSION}: export it anew")
    data = path.read_bytes()
    at = _place(data, entries[CHECKSUM])
    blank = b"" if at is None else data[:at] + BLANK.encode() + data[at + len(BLANK) :]
    if hashlib.sha256(blank).hexdigest() != entries[CHECKSUM]:
        raise CheckpointError(f"{path} is damaged: its contents do not match its checksum")
    return {name: value for name, value in whole.items() if name not in ("format", "format_version")}


def _place(data: bytes, digest: str) -> int | None:
    """Where the checksum stands: behind its key, the last such place."""
    at = data.rfind(digest.encode())
    return None if at < 0 else at
