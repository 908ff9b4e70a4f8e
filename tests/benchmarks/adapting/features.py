"""Fine-tuning that pays only for what learns: with the frozen layers' answers kept, and without, in turn.

    python tests/benchmarks/adapting/features.py --photos FOLDER [--pairs 3] [--epochs 10]

FOLDER holds train/CLASS/* and val/CLASS/*. The last layer of torchvision's ResNet-18 learns on pictures of 224 pixels.
Its other weights are drawn, not trained: what they are changes no time, and both arms start from the same. Prints
seconds of the stage, their ratio pair by pair, and the validation's accuracy of both. Then the guide's small network
with its first three layers frozen, on digits: kept, and as the rule chooses, the plain way.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from commands import document
from figures import ratios

from ft.core.runtime.torchvision import import_torchvision

PHOTOS: dict[str, Any] = {
    "name": "photos",
    "tensorboard": False,
    "inputs": {"image": {"type": "image", "size": 224, "channels": 3, "on_error": "skip"}},
    "model": {"torchvision": "resnet18"},
    "finetune": {"batch_size": 16, "lr": 1e-3, "freeze": "all but head", "monitor": "loss"},
}
GUIDE: dict[str, Any] = {
    "name": "guide",
    "tensorboard": False,
    "data": {"source": "digits", "split": {"val": 200, "test": 300}},
    "inputs": {"image": {"type": "image", "size": 28}},
    "model": {
        "layers": [
            {"Conv2d": {"out_channels": 32, "kernel_size": 3, "activation": "ReLU"}},
            {"MaxPool2d": 2},
            "Flatten",
            "Linear",
        ]
    },
    "train": {"epochs": 1},
    "finetune": {"epochs": 10, "freeze": [0, 1, 2]},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.manual_seed(0)
        torch.save(import_torchvision().models.resnet18(weights=None).state_dict(), folder / "w.pth")
        data = {"source": "image_folder", "root": str(options.photos.resolve())}
        stage = {**PHOTOS["finetune"], "epochs": options.epochs}
        write(folder / "photos.yaml", {**PHOTOS, "data": data, "finetune": stage})
        compare(folder, ["photos.yaml", "--from", "w.pth"], ("off", "auto"), options.pairs)
        write(folder / "guide.yaml", GUIDE)
        document("train", "guide.yaml", folder=folder)
        compare(folder, ["guide.yaml"], ("on", "auto"), options.pairs)


def write(file: Path, settings: Mapping[str, Any]) -> None:
    file.write_text(yaml.safe_dump(dict(settings), sort_keys=False), encoding="utf-8")


def compare(folder: Path, words: Sequence[str], ways: tuple[str, str], pairs: int) -> None:
    """Print what the first way takes against the second."""
    done: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for pair in range(pairs):
        for way in ways[:: -1 if pair % 2 else 1]:
            done[way].append(document("finetune", *words, f"finetune.feature_cache={way}", folder=folder))
    for way, runs in done.items():
        seconds = ", ".join(f"{run['seconds']:.1f}" for run in runs)
        scores = ", ".join(f"{run['metrics']['accuracy']:.4f}" for run in runs)
        print(f"{words[0]}, feature_cache {way}: {seconds} s; accuracy {scores}", flush=True)
    first, second = ([run["seconds"] for run in done[way]] for way in ways)
    print(f"{words[0]}: {ways[0]} / {ways[1]} = {ratios(first, second)}", flush=True)


if __name__ == "__main__":
    main()
