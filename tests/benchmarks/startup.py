"""Start-up: how long the commands that should answer at once take, and bare Python and torch for scale.

Beside them the time to a first training step on MNIST, of which no tool can save importing torch and reading the files.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from figures import ratios, table
from whole import FT

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "ft --help": [FT, "--help"],
    "ft config validate --quick configs/digits.yaml": [FT, "config", "validate", "--quick", "configs/digits.yaml"],
    'python -c "import torch"': [sys.executable, "-c", "import torch"],
}
FIRST, LEAST = "ft train, to the first step", "import torch and read the files"
READ = """
import gzip, sys
import numpy as np, torch
for kind, header in (("images-idx3", 16), ("labels-idx1", 8)):
    with gzip.open(f"{sys.argv[1]}/train-{kind}-ubyte.gz") as file:
        torch.from_numpy(np.frombuffer(bytearray(file.read()), np.uint8, offset=header))
"""


def measure(data: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of every command, in turn; a first round, which fills the caches, does not count."""
    commands = {**COMMANDS, LEAST: [sys.executable, "-c", READ, str(data)]}
    seconds: dict[str, list[float]] = {name: [] for name in (*commands, FIRST)}
    for round_number in range(rounds + 1):
        for name in seconds:
            taken = _first_step(data) if name == FIRST else _whole(commands[name])
            if round_number:
                seconds[name].append(taken)
    return seconds


def _whole(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _first_step(data: Path) -> float:
    """From the start of the process; with what has no phase of its own, also after that step."""
    with TemporaryDirectory(prefix="ft-bench-") as out:
        words = [str(ROOT / "tests/benchmarks/guide.yaml"), f"data.root={data}", "train.max_steps=1", "--timings"]
        command = [FT, "train", *words, "--json", "--runs-dir", out]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    phases = json.loads(done.stdout)["timings"]
    return sum(phases[name] for name in ("start", "imports", "data", "building", "first step", "other"))


def show(seconds: dict[str, list[float]]) -> str:
    rows = [("", "median s", "least", "most")]
    rows += [(name, *(f"{of(own):.3f}" for of in (median, min, max))) for name, own in seconds.items()]
    return f"{table(rows)}\n  the last to the one before it: {ratios(seconds[FIRST], seconds[LEAST])}"


def plain(seconds: dict[str, list[float]]) -> dict[str, Any]:
    return {name: {"seconds": own, "median": median(own)} for name, own in seconds.items()}
