"""What checkpoints cost: a network of 50 million parameters, one saved every 30 seconds against none, in turn.

    python tests/benchmarks/safety.py [--pairs N] [--seconds S]

Each arm takes the same steps; the clock runs from the first step's end to the last one's, so that start, end and the
final save are in neither. Prints the ratio of each pair, and the median: of the clock's seconds, which all else the
machine does moves too, and of the process's CPU seconds, which count the writer's own work even where it runs beside.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ft.core.config.load import load_experiment
from ft.core.engine.events import Event, Stepped
from ft.core.stages.fit import train
from ft.core.stages.options import Options

EXPERIMENT: dict[str, Any] = {
    "name": "safety",
    "device": "cpu",
    "precision": "fp32",
    "tensorboard": False,
    "data": {"source": "arrays", "train": {"x": "x.npy", "y": "y.npy"}, "split": {"val": 100}},
    "inputs": {"x": {"type": "vector"}},
    "outputs": {"y": {"type": "category"}},
    "model": {"layers": [{"Linear": {"out_features": 7100}}, "ReLU", {"Linear": {"out_features": 7100}}, "Linear"]},
    "train": {"epochs": 1, "batch_size": 256, "optimizer": "sgd", "lr": 0.001},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=65.0, help="about how long an arm takes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        file = home / "c.yaml"
        numbers = np.random.default_rng(0)  # so many that no epoch ends, which would save in either arm
        np.save(home / "x.npy", numbers.normal(size=(300_000, 64)).astype(np.float32))
        np.save(home / "y.npy", numbers.integers(0, 10, 300_000))
        file.write_text(yaml.safe_dump(EXPERIMENT | {"data": EXPERIMENT["data"] | {"root": folder}}))
        seconds, _ = _arm(file, 12, "null")
        steps = max(20, round(options.seconds / seconds * 11))
        ratios = []
        for pair in range(options.pairs):
            times = {}
            for minutes in ("0.5", "null") if pair % 2 else ("null", "0.5"):
                times[minutes] = clock, cpu = _arm(file, steps, minutes)
                told = f"{clock:.1f} s, {cpu:.1f} CPU s for {steps} steps"
                print(f"  checkpoint_every_minutes={minutes}: {told}", flush=True)
            ratios.append([safe / bare for safe, bare in zip(times["0.5"], times["null"], strict=True)])
            print(f"pair {pair + 1}: {ratios[-1][0]:.3f}, CPU {ratios[-1][1]:.3f}", flush=True)
    for what, each in zip(("clock", "CPU"), zip(*ratios, strict=True), strict=True):
        print(f"{what}: median {statistics.median(each):.3f} ({min(each):.3f} to {max(each):.3f})")


def _arm(file: Path, steps: int, minutes: str) -> tuple[float, float]:
    """Seconds between the first and the last step's end: (of the clock, of the CPU)."""
    ends: list[tuple[float, float]] = []

    def listen(event: Event) -> None:
        if isinstance(event, Stepped):
            ends.append((time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as runs:
        loaded = load_experiment(file, [f"train.max_steps={steps}", f"train.checkpoint_every_minutes={minutes}"])
        train(loaded, Options(Path(runs), on_event=listen))
    return ends[-1][0] - ends[0][0], ends[-1][1] - ends[0][1]


if __name__ == "__main__":
    main()
