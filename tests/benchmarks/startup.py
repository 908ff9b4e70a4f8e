"""Start-up: how long the commands that should answer at once take, and bare Python and torch for scale."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from figures import table
from whole import FT

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "ft --help": [FT, "--help"],
    "ft config validate --quick configs/digits.yaml": [FT, "config", "validate", "--quick", "configs/digits.yaml"],
    'python -c "import torch"': [sys.executable, "-c", "import torch"],
}


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of every command, in turn; a first round, which fills the caches, does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for round_number in range(rounds + 1):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
            if round_number:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def show(seconds: dict[str, list[float]]) -> str:
    rows = [("", "median s", "least", "most")]
    rows += [(name, *(f"{of(own):.3f}" for of in (median, min, max))) for name, own in seconds.items()]
    return table(rows)


def plain(seconds: dict[str, list[float]]) -> dict[str, Any]:
    return {name: {"seconds": own, "median": median(own)} for name, own in seconds.items()}
