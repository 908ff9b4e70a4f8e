"""Judging: `ft eval` of the guide's network on MNIST's test, from the start of the process to its exit code, against a
script by hand that imports torch, reads the files and makes one forward pass.

The script does less: no checksum of the weights, no check of the data, no intervals, classes, report or gates.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from figures import ratios, table
from whole import FT

HERE = Path(__file__).parent
OURS, RIVAL = "ft eval, with gates and report", "by hand: torch, files, forward pass"
BY_HAND = """
import gzip, sys
import numpy as np, torch
from torch import nn
folder, weights, batch = sys.argv[1], sys.argv[2], 128
def read(name, header):
    with gzip.open(f"{folder}/t10k-{name}-ubyte.gz") as file:
        return torch.from_numpy(np.frombuffer(bytearray(file.read()), np.uint8, offset=header))
pictures, digits = read("images-idx3", 16).view(-1, 1, 28, 28).float() / 255, read("labels-idx1", 8).long()
pictures = (pictures - 0.1307) / 0.3081
model = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5408, 10)).eval()
model.load_state_dict(torch.load(weights))
with torch.inference_mode():
    right = sum(int((model(x).argmax(1) == y).sum()) for x, y in zip(pictures.split(batch), digits.split(batch)))
print(right / len(digits))
"""


def measure(data: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of both, in turn; a first round, which fills the caches, does not count."""
    seconds: dict[str, list[float]] = {OURS: [], RIVAL: []}
    with TemporaryDirectory(prefix="ft-bench-") as out:
        train = [FT, "train", str(HERE / "guide.yaml"), f"data.root={data}", "train.epochs=1", "-q"]
        done = subprocess.run([*train, "--runs-dir", out], stdout=subprocess.PIPE, text=True, check=True)
        best, plain = Path(done.stdout.strip()), Path(out) / "plain.pt"
        _as_by_hand(best, plain)
        commands = {
            OURS: [FT, "eval", str(best), f"data.root={data}", "--min", "accuracy=0.5"],
            RIVAL: [sys.executable, "-c", BY_HAND, str(data), str(plain)],
        }
        for round_number in range(rounds + 1):
            for name, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
                if round_number:
                    seconds[name].append(time.perf_counter() - started)
    return seconds


def _as_by_hand(best: Path, plain: Path) -> None:
    """The weights under the names that the script's network has: its activation is a layer of its own."""
    import torch

    weights = torch.load(best, weights_only=True)["weights"].values()
    names = ("0.weight", "0.bias", "4.weight", "4.bias")
    torch.save(dict(zip(names, weights, strict=True)), plain)


def show(seconds: dict[str, list[float]]) -> str:
    rows = [("", "median s", "least", "most")]
    rows += [(name, *(f"{of(own):.3f}" for of in (median, min, max))) for name, own in seconds.items()]
    return f"{table(rows)}\n  ratio: {ratios(seconds[OURS], seconds[RIVAL])}"


def plain(seconds: dict[str, list[float]]) -> dict[str, Any]:
    return {name: {"seconds": own, "median": median(own)} for name, own in seconds.items()}
