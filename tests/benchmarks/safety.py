"""What checkpoints cost: a network of 50 million parameters, one saved every 30 seconds against none, in turn.

    python tests/benchmarks/safety.py [--pairs N] [--seconds S]

Each arm takes the same steps; the clock runs from the first step's end to the last one's, so that start, end and the
final save are in neither. Prints the ratio of each pair, and the median.
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
    "model": {"layers": [{"Linear": {"out_features": 7000}}, "ReLU", {"Linear": {"out_features": 7000}}, "Linear"]},
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
        seconds = _arm(file, 12, "null")
        steps = max(20, round(options.seconds / seconds * 11))
        ratios = []
        for pair in range(options.pairs):
            times = {}
            for minutes in ("0.5", "null") if pair % 2 else ("null", "0.5"):
                times[minutes] = _arm(file, steps, minutes)
                print(f"  checkpoint_every_minutes={minutes}: {times[minutes]:.1f} s for {steps} steps", flush=True)
            ratios.append(times["0.5"] / times["null"])
            print(f"pair {pair + 1}: {ratios[-1]:.3f}", flush=True)
    print(f"median {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


def _arm(file: Path, steps: int, minutes: str) -> float:
    """Seconds between the first and the last step's end."""
    ends: list[float] = []

    def listen(event: Event) -> None:
        if isinstance(event, Stepped):
            ends.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as runs:
        loaded = load_experiment(file, [f"train.max_steps={steps}", f"train.checkpoint_every_minutes={minutes}"])
        train(loaded, Options(Path(runs), on_event=listen))
    return ends[-1] - ends[0]


if __name__ == "__main__":
    main()
