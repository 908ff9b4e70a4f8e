"""Runs an `ft` command as its user would and reads what it says with --json."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any


def document(*words: object, folder: Path | None = None, accepted: Collection[int] = (0,)) -> dict[str, Any]:
    """The command's one JSON document. folder: to run it in. Ends the benchmark on any other exit code."""
    command = [sys.executable, "-m", "ft.cli", *map(str, words), "--json"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in accepted:
        sys.exit(f"error: {' '.join(command)} ended with {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
