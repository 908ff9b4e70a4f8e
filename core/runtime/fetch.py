"""Weights from an https address: downloaded once, checked, and kept where torch.hub keeps its own.

Where the file's name carries the beginning of its SHA-256, as torchvision's do (`resnet18-f37072fd.pth`), it is held
against it every time, so a file that somebody put there by hand is checked as well. Reads nothing into memory whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import torch

from ft.core.errors import CheckpointError, ConfigError

TIMEOUT_S = 30.0  # without a word from the other side
_HASH = re.compile(r"-([0-9a-f]{8,64})\.")  # as torch.hub reads it, of a length that means something
_CHUNK = 1 << 20


def place_of(url: str) -> Path:
    """Where the file of an address is kept: under its own name where that tells its content, else in a folder of its
    own, as many files of the world are called model.safetensors."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    name = unquote(urlsplit(url).path).rpartition("/")[2] or "weights"
    return (
        folder / name if _HASH.search(name) else folder / f"ft-{hashlib.sha256(url.encode()).hexdigest()[:12]}" / name
    )


def fetch(url: str, tell: Callable[[str], None]) -> Path:
    """The file of an https address, downloaded unless it is there. tell: is given a line before a download.

    Raises ConfigError for another scheme; CheckpointError, which says where the file may be put by hand, when it cannot
    be had, is cut short, or is not what its name promises.
    """
    if urlsplit(url).scheme != "https":
        raise ConfigError(f"{url}: weights are fetched by https only, so that nobody on the way can change them")
    place = place_of(url)
    if not place.is_file():
        tell(f"downloading {url} to {place}")
        download(url, place)
    check_hash(place)
    return place


def download(url: str, place: Path) -> None:
    """Fetch into `place`, which appears whole or not at all."""
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, part.open("wb") as file:
            if urlsplit(answer.geturl()).scheme == "http":
                raise OSError("it leads to an address without https")
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
            promised = answer.headers.get("Content-Length")
            if promised is not None and file.tell() != int(promised):
                raise OSError(f"{file.tell():,} of {int(promised):,} bytes came")
        part.replace(place)
    except (OSError, ValueError) as error:  # URLError and time-outs are OSErrors; an odd address is a ValueError
        reason = " ".join(str(error).split()) or type(error).__name__
        message = f"{url} could not be fetched ({reason})"
        raise CheckpointError(f"{message}; without a network, get that file and put it there: {place}") from error
    finally:
        part.unlink(missing_ok=True)


def check_hash(place: Path) -> None:
    """Raise CheckpointError for a file that is not what its name promises."""
    promised = _HASH.search(place.name)
    if promised is None:
        return
    with place.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(promised[1]):
        message = f"{place} is damaged: its SHA-256 begins with {found[:8]}, and its name says {promised[1]}"
        raise CheckpointError(f"{message}; remove it, and it is fetched again")
