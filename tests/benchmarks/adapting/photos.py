"""Ants and bees by ResNet-20: from nothing, and from weights that another project trained on CIFAR-10.

    python tests/benchmarks/adapting/photos.py --photos FOLDER --weights FILE [--seeds 3] [--keep FOLDER]

FOLDER holds train/CLASS/* and val/CLASS/*; val is the test here, and a sixth of train, cut anew by each seed, is the
validation. All ways take the same pictures of 64 pixels, changes, epochs and schedule; from nothing at a rate of 1e-2,
else at 1e-3. Prints test accuracy over the seeds with its 95 % interval (Student's t), values that learn, and seconds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from cifar import WAYS, line  # noqa: E402  (a script beside this one, and one of the folder above)
from commands import document  # noqa: E402

STAGE = {"epochs": 30, "batch_size": 16, "optimizer": "adamw", "weight_decay": 0.01, "schedule": "one_cycle"}
EXPERIMENT: dict[str, Any] = {
    "name": "ants-and-bees",
    "threads": 1,
    "data": {"source": "image_folder", "root": "photos", "split": {"val": 40}},
    "inputs": {
        "image": {
            "type": "image",
            "size": 64,
            "channels": 3,
            "augment": "standard",
            "on_error": "skip",
            "normalize": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        }
    },
    "model": {"python": f"{HERE / 'resnet.py'}:build"},
    "train": {**STAGE, "lr": 1e-2, "monitor": "loss"},
    "finetune": {**STAGE, "lr": 1e-3, "monitor": "loss"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True, help="resnet20-12fca82f.th")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder for the runs and their reports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        (folder / "photos").mkdir(parents=True)
        (folder / "photos/train").symlink_to((options.photos / "train").resolve())
        (folder / "photos/test").symlink_to((options.photos / "val").resolve())
        (folder / "c.yaml").write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False), encoding="utf-8")
        seeds = range(options.seeds)
        print(line("from nothing", [one(folder, "train", [], seed) for seed in seeds]), flush=True)
        for way, words in WAYS.items():
            start = ["--from", str(options.weights), *words]
            print(line(f"from CIFAR-10: {way}", [one(folder, "finetune", start, seed) for seed in seeds]), flush=True)


def one(folder: Path, stage: str, words: Sequence[str], seed: int) -> dict[str, Any]:
    """Train or fine-tune, and judge on the test."""
    done = document(stage, "c.yaml", *words, f"seed={seed}", f"data.split.seed={seed}", folder=folder)
    judged = document("eval", done["best"], "--python", HERE / "resnet.py", folder=folder)
    return {"accuracy": judged["metrics"]["accuracy"], **{key: done[key] for key in ("trainable", "seconds")}}


if __name__ == "__main__":
    main()
