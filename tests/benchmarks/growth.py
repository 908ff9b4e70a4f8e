"""How cost grows: one epoch of the guide's network on 1,000 to 600,000 digits, each a process of its own.

The digits are MNIST's training pictures, the first ones or all of them several times.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from figures import table
from handwritten import read_idx
from whole import FT, timed

SIZES = (1_000, 10_000, 60_000, 600_000)
EXPERIMENT = """
name: growth
data: {{source: arrays, root: {root}, train: {{image: x{size}.npy, digit: y{size}.npy}}}}
inputs: {{image: {{type: image}}}}
outputs: {{digit: {{type: category}}}}
model:
  layers: [{{Conv2d: {{out_channels: 32, kernel_size: 3, activation: ReLU}}}}, {{MaxPool2d: 2}}, Flatten, Linear]
train: {{epochs: 1, batch_size: 128}}
"""


@dataclass(frozen=True)
class Epoch:
    """seconds: of the training steps; whole: of the process; peak: its most bytes of memory."""

    seconds: float
    whole: float
    peak: int


def measure(data: Path, rounds: int, say: Callable[[str], None]) -> dict[int, list[Epoch]]:
    """Every size once a round; a first round does not count."""
    found: dict[int, list[Epoch]] = {size: [] for size in SIZES}
    with TemporaryDirectory(prefix="ft-bench-growth-") as name:
        folder = Path(name)
        pictures = read_idx(data / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        digits = read_idx(data / "train-labels-idx1-ubyte.gz", 8)
        for size in SIZES:
            rows = np.arange(size) % len(digits)
            np.save(folder / f"x{size}.npy", pictures[rows])
            np.save(folder / f"y{size}.npy", digits[rows])
            (folder / f"{size}.yaml").write_text(EXPERIMENT.format(root=folder, size=size))
        for each in range(rounds + 1):
            for size in SIZES:
                epoch = _one(folder / f"{size}.yaml", folder / "runs")
                if each:
                    found[size].append(epoch)
            say(f"round {each} of {rounds}" if each else "warmed up")
    return found


def _one(file: Path, runs: Path) -> Epoch:
    whole, peak, printed = timed([FT, "train", str(file), "--json", "--timings", "--runs-dir", str(runs)])
    phases = json.loads(printed)["timings"]
    return Epoch(phases["first step"] + phases["training steps"], whole, peak)


def show(found: dict[int, list[Epoch]]) -> str:
    rows = [("examples", "us per example", "least to most", "whole process s", "peak MB")]
    for size, epochs in found.items():
        each = [1e6 * epoch.seconds / size for epoch in epochs]
        whole, peak = (median(getattr(epoch, name) for epoch in epochs) for name in ("whole", "peak"))
        spread = f"{min(each):.1f} to {max(each):.1f}"
        rows.append((f"{size:,}", f"{median(each):.1f}", spread, f"{whole:.1f}", f"{peak / 1e6:.0f}"))
    return table(rows)


def plain(found: dict[int, list[Epoch]]) -> dict[str, Any]:
    return {str(size): [asdict(epoch) for epoch in epochs] for size, epochs in found.items()}
