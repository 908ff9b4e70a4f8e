"""Fetching well-known sets through torchvision, which knows their mirrors and checksums; only what is missing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from ft.core.config.schema import NamedData
from ft.core.errors import DataError
from ft.core.runtime.torchvision import import_torchvision


def download(section: NamedData, dataset: str, looked_for: Sequence[str], places: Sequence[Path]) -> None:
    """Fetch torchvision's `dataset` below the section's root and verify it.

    Raises DataError in one line, naming what was looked for and where, when that is not allowed or fails.
    """
    missing = f"{section.source}: no {', '.join(looked_for)} in {', '.join(map(str, places))}"
    if not section.download:
        raise DataError(f"{missing}; put them there or set data.download to true")
    root = Path(section.root)
    was_there = root.exists()
    try:
        with contextlib.redirect_stdout(sys.stderr):  # torchvision prints; stdout is for results
            getattr(import_torchvision().datasets, dataset)(section.root, download=True)
    except (OSError, RuntimeError) as error:  # URLError is an OSError; mirrors all failing is a RuntimeError
        if not was_there:
            _remove_empty(root / dataset / "raw", root / dataset, root)  # torchvision makes them before it fetches
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{missing}; and the download failed: {reason}") from error


def _remove_empty(*folders: Path) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # not there, or something is in it
            folder.rmdir()
