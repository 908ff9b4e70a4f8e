"""One MNIST run killed at random moments against the same run never killed: equal bits? How long are the resumes?

    python tests/benchmarks/kills.py --mnist FOLDER [--kills 20] [--epochs 4]

Augmentation, dropout, averaged weights, warm-up, cosine and early stopping are all on. Each kill is a SIGKILL, at a
moment drawn evenly from what is left of the run by then, divided by the kills to come. A resume takes from the start of
its process until its metrics go on: Python, imports, data, checkpoint, all of it. Ends with 1 when a bit of the
weights, or a line of the metrics, differs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml

EXPERIMENT: dict[str, Any] = {
    "name": "kills",
    "tensorboard": False,
    "data": {"source": "mnist", "split": {"val": 5000}},
    "inputs": {"image": {"type": "image", "augment": {"affine": {"degrees": 10, "translate": 0.1}}}},
    "model": {
        "layers": [
            {"Conv2d": {"out_channels": 16, "kernel_size": 3, "activation": "ReLU"}},
            {"MaxPool2d": 2},
            "Flatten",
            {"Dropout": 0.3},
            "Linear",
        ]
    },
    "train": {
        "batch_size": 128,
        "optimizer": "adamw",
        "lr": 2e-3,
        "schedule": "cosine",
        "warmup_epochs": 0.5,
        "ema": 0.99,
        "patience": 3,
        "log_every_steps": 1,
        "checkpoint_every_steps": 40,
    },
}
COMMAND = [sys.executable, "-m", "ft.cli", "train", "c.yaml", "--resume"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        homes = {kind: Path(name) / kind for kind in ("whole", "cut")}
        for home in homes.values():
            home.mkdir()
            data = {**EXPERIMENT["data"], "root": str(options.mnist.resolve())}
            stage = {**EXPERIMENT["train"], "epochs": options.epochs}
            (home / "c.yaml").write_text(yaml.safe_dump({**EXPERIMENT, "data": data, "train": stage}))
        began = time.perf_counter()
        subprocess.run(COMMAND, cwd=homes["whole"], check=True, stderr=subprocess.DEVNULL)
        print(
            f"never killed: {time.perf_counter() - began:.1f} s, {len(lines(homes['whole']))} lines of metrics",
            flush=True,
        )
        resumes = killed(homes["cut"], options.kills, len(lines(homes["whole"])))
        subprocess.run(COMMAND, cwd=homes["cut"], check=True, stderr=subprocess.DEVNULL)
        told = f"median {median(resumes):.1f}, {min(resumes):.1f} to {max(resumes):.1f}"
        print(f"killed {options.kills} times; seconds of a resume: {told}")
        same = weights(homes["cut"]) == weights(homes["whole"]) and course(homes["cut"]) == course(homes["whole"])
        print("weights and metrics: " + ("all bits equal" if same else "DIFFERENT"))
        sys.exit(0 if same else 1)


def killed(home: Path, kills: int, total: int) -> list[float]:
    """Seconds from each start to its first new line of metrics. total: lines of the whole run."""
    draws, seconds = random.Random(0), []
    for left in range(kills, 0, -1):
        before = lines(home)
        began = time.perf_counter()
        with subprocess.Popen(COMMAND, cwd=home, stderr=subprocess.DEVNULL) as process:
            while lines(home) in (before, []):
                time.sleep(0.02)
                if process.poll() is not None:
                    sys.exit("error: it was over before it could be killed")
            seconds.append(time.perf_counter() - began)
            goal = len(lines(home)) + draws.uniform(0, (total - len(lines(home))) / (left + 1))
            while len(lines(home)) < goal and process.poll() is None:
                time.sleep(0.005)
            time.sleep(draws.uniform(0, 0.03))  # anywhere within a step, not at its log line
            process.kill()
    return seconds


def lines(home: Path) -> list[str]:
    file = home / "runs/kills/1/metrics.jsonl"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def course(home: Path) -> list[dict[str, Any]]:
    """The metrics without what a clock wrote."""
    clock = ("seconds", "examples_per_s")
    return [{key: value for key, value in json.loads(line).items() if key not in clock} for line in lines(home)]


def weights(home: Path) -> dict[str, bytes]:
    found = torch.load(home / "runs/kills/1/checkpoints/best.pt", weights_only=True)["weights"]
    return {name: value.contiguous().view(-1).view(torch.uint8).numpy().tobytes() for name, value in found.items()}


if __name__ == "__main__":
    main()
