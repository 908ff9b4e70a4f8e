"""Foreign weights fine-tuned in several ways: ResNet-20 for CIFAR-10, on pictures that JPEG has changed.

    python tests/benchmarks/adapting/cifar.py --cifar FOLDER --weights FILE [--train 1000] [--seeds 3]

FOLDER holds train/CLASS/*.jpg and test/CLASS/*.jpg. The first pictures of each training class, by name, are for
training, 300 more for validation; the whole test is the test. Prints, for the weights as loaded and after each way of
fine-tuning (the same epochs, rate and schedule for all): test accuracy over the seeds with its 95 % interval
(Student's t), values that learn, and seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from commands import document  # noqa: E402  (scripts of the folder above)
from figures import percent  # noqa: E402

CONFIG = HERE / "cifar.yaml"
VALIDATION = 300  # pictures of each class
WAYS = {
    "the head": ["--freeze", "all but head"],
    "the last block and the head": ["--freeze", "conv1,bn1,layer1,layer2,layer3.0,layer3.1"],
    "LoRA of rank 8, and the head": ["--lora", "8"],
    "everything": [],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="resnet20-12fca82f.th")
    parser.add_argument("--train", type=int, default=1_000, help="training pictures of each class")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arrange(options.cifar.resolve(), folder / "cifar", options.train)
        (folder / "judged").mkdir()
        (folder / "judged/train").symlink_to(folder / "cifar/train")
        (folder / "judged/val").symlink_to(options.cifar.resolve() / "test")
        start = ["--from", str(options.weights)]
        hardly = ["data.root=judged", "finetune.max_steps=1", "finetune.lr=1e-12"]
        loaded = document("finetune", CONFIG, *start, *hardly, folder=folder)
        print(f"{'as loaded':30} {percent([loaded['before']['accuracy']])}", flush=True)
        for way, words in WAYS.items():
            print(line(way, [one(folder, [*start, *words], seed) for seed in range(options.seeds)]), flush=True)


def arrange(cifar: Path, root: Path, train: int) -> None:
    """Links to the pictures, by split and class."""
    for kind in sorted(path.name for path in (cifar / "train").iterdir()):
        files = sorted((cifar / "train" / kind).iterdir())
        for split, part in {"train": files[:train], "val": files[train : train + VALIDATION]}.items():
            place = root / split / kind
            place.mkdir(parents=True)
            for file in part:
                (place / file.name).symlink_to(file)
    (root / "test").symlink_to(cifar / "test")


def one(folder: Path, words: Sequence[str], seed: int) -> dict[str, Any]:
    """Fine-tune, and judge on the test."""
    tuned = document("finetune", CONFIG, *words, f"seed={seed}", folder=folder)
    judged = document("eval", tuned["best"], "--python", HERE / "resnet.py", folder=folder)
    return {"accuracy": judged["metrics"]["accuracy"], **{key: tuned[key] for key in ("trainable", "seconds")}}


def line(way: str, done: Sequence[dict[str, Any]]) -> str:
    """One row of the table."""
    scores = [each["accuracy"] for each in done]
    seconds = mean(each["seconds"] for each in done)
    seeds = ", ".join(f"{100 * score:.1f}" for score in scores)
    return f"{way:30} {percent(scores)}  (seeds: {seeds})  {done[0]['trainable']:,} learn  {seconds:.0f} s"


if __name__ == "__main__":
    main()
