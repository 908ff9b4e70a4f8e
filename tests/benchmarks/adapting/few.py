"""A model of one source of digits brought to another with few examples: MNIST's on USPS, whole commands.

    python tests/benchmarks/adapting/few.py --mnist FOLDER --usps FOLDER [--seeds 3]

configs/mnist.yaml is trained once and judged on USPS as it is. Then 10, 100 and 1,000 examples of USPS, drawn by the
seed with equal shares of the classes, fine-tune it in three ways for the same 300 steps at the rate it was trained
with. The test is the same 7,298 USPS digits every time, none of which was ever drawn; nothing was chosen by it.
Prints accuracy, the mean over the seeds with its 95 % interval (Student's t), values that learn, and seconds.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from commands import document
from figures import percent

CONFIGS = Path(__file__).parents[3] / "configs"
SIZES = (10, 100, 1_000)
POOL = 2_000  # of which the examples are drawn; the others are the test
STEPS = 300
WAYS = {
    "layers 0, 1, 2 frozen": ["--freeze", "0,1,2"],
    "LoRA of rank 4": ["--lora", "4"],
    "everything": [],
}
EXPERIMENT = """
name: usps
seed: {seed}
threads: 1
data: {{source: arrays, root: {root}, train: {{image: x.npy, digit: y.npy}}, test: {{image: tx.npy, digit: ty.npy}}}}
inputs: {{image: {{type: image}}}}
outputs: {{digit: {{type: category, classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]}}}}
model:
  layers:
    - Conv2d: {{out_channels: 32, kernel_size: 3, activation: ReLU}}
    - MaxPool2d: 2
    - Flatten
    - Linear
finetune: {{epochs: {epochs}, max_steps: {steps}, batch_size: {batch}, lr: 1e-3}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", type=Path, required=True, help="folder with MNIST's four idx files")
    parser.add_argument(
        "--usps", type=Path, required=True, help="folder with usps28-{images-idx3,labels-idx1}-ubyte.gz"
    )
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    images, labels = read_usps(options.usps)
    with tempfile.TemporaryDirectory() as name:
        folder, mnist = Path(name), options.mnist.resolve()
        trained = document("train", CONFIGS / "mnist.yaml", f"data.root={mnist}", "threads=1", folder=folder)["best"]
        for size in SIZES:
            for way, words in WAYS.items():
                done = [one(folder, trained, images, labels, size, words, seed) for seed in range(options.seeds)]
                print(line(f"{size:5} examples, {way}", done), flush=True)
        print(line("as trained on MNIST", [judged(folder, trained)]))


def read_usps(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (9298, 28, 28) and uint8 (9298,), from the two idx files."""
    with gzip.open(folder / "usps28-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / "usps28-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return images, labels


def one(
    folder: Path, trained: str, images: np.ndarray, labels: np.ndarray, size: int, words: Sequence[str], seed: int
) -> dict[str, Any]:
    """Fine-tune on `size` examples drawn by the seed, and judge."""
    order = np.random.default_rng(0).permutation(len(labels))
    pool, test = order[:POOL], order[POOL:]
    mixed = np.random.default_rng(1 + seed).permutation(pool)
    rows = np.concatenate([mixed[labels[mixed] == digit][: size // 10] for digit in range(10)])
    for file, values in {"x": images[rows], "y": labels[rows], "tx": images[test], "ty": labels[test]}.items():
        np.save(folder / f"{file}.npy", values)
    batch = min(size, 32)
    text = EXPERIMENT.format(seed=seed, root=folder, epochs=STEPS, steps=STEPS, batch=batch)
    file = folder / "usps.yaml"
    file.write_text(text)
    tuned = document("finetune", file, "--from", trained, *words, folder=folder)
    return judged(folder, tuned["best"]) | {"trainable": tuned["trainable"], "fit_seconds": tuned["seconds"]}


def judged(folder: Path, checkpoint: str) -> dict[str, Any]:
    """Of the checkpoint on the USPS test."""
    data = folder / "data.yaml"
    data.write_text(
        f"data: {{source: arrays, root: {folder}, train: {{image: x.npy, digit: y.npy}}, "
        f"test: {{image: tx.npy, digit: ty.npy}}}}\n"
    )
    return document("eval", checkpoint, "--data", data, folder=folder)


def line(what: str, done: Sequence[dict[str, Any]]) -> str:
    """One row of the table."""
    scores = [each["metrics"]["accuracy"] for each in done]
    shown = f"{what:38} {percent(scores)}  (seeds: {', '.join(f'{100 * score:.1f}' for score in scores)})"
    if "trainable" not in done[0]:
        return shown
    return f"{shown}  {done[0]['trainable']:,} learn  {mean(each['fit_seconds'] for each in done):.1f} s"


if __name__ == "__main__":
    main()
