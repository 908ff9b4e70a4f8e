"""How fast do pictures in files become batches? ft's loader and torchvision's transforms in a DataLoader, in turn.

    python tests/benchmarks/pictures.py --photos FOLDER [--pairs N] [--size PIXELS] [--batch N]

FOLDER holds pictures, in folders of any depth; those that cannot be read are left out on both sides. Both decode and
normalise, and change the pictures as `augment: standard` does: a part of 35 to 100 % scaled to SIZE, mirrored at
random, brightness, contrast and saturation moved by up to 20 %. ft takes that part of the middle, which it has scaled
to SIZE; its rival of the whole photo. Neither trains. ft runs as it is after `prepare_data`; its rival has one worker
process a core, kept between epochs.

first:  an epoch from nothing, with what ft decodes beforehand; the disk's own cache is warm for both.
second: an epoch after it.
Ratios are the rival's seconds by ft's: above 1, ft is faster.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from figures import Summary, ratios, summarise, table
from torch import Tensor

from ft.core.config.schema import ImageAugment, ImageInput, Normalization
from ft.core.data.columns import fit_column
from ft.core.data.decode import SUFFIXES
from ft.core.data.files import Keep
from ft.core.data.loader import Examples, Loader
from ft.core.data.table import Values
from ft.core.errors import DataError
from ft.core.runtime.cores import cores
from ft.core.runtime.torchvision import import_torchvision

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
Seconds = dict[str, list[float]]  # of each epoch, by contender and epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--photos", type=Path, required=True, metavar="FOLDER", help="pictures, in folders of any depth"
    )
    parser.add_argument("--pairs", type=int, default=5, help="rounds (5)")
    parser.add_argument("--size", type=int, default=224, help="side of what comes out (224)")
    parser.add_argument("--batch", type=int, default=32, help="pictures in a batch (32)")
    options = parser.parse_args()
    paths = readable(options.photos)
    print(f"{len(paths)} pictures to {options.size} pixels, {cores()} cores, load average {os.getloadavg()[0]:.1f}")
    print(show(measure(paths, options.pairs, options.size, options.batch)))


def readable(folder: Path) -> list[Path]:
    """Pictures that Pillow decodes, in a fixed order."""
    from PIL import Image

    found = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES):
        try:
            with Image.open(path) as image:
                image.load()
        except (OSError, SyntaxError, ValueError):
            continue
        found.append(path)
    if not found:
        raise DataError(f"{folder}: no pictures in it")
    return found


def measure(paths: list[Path], pairs: int, size: int, batch: int) -> Seconds:
    """Every round: each contender from nothing, two epochs; the order turns from round to round."""
    contenders = {
        "torchvision": lambda: theirs(paths, size, batch),
        **{f"ft, keep: {keep}": (lambda keep=keep: ours(paths, size, batch, keep)) for keep in ("memory", "files")},
    }
    seconds: Seconds = {}
    for pair in range(pairs):
        for name in list(contenders)[:: -1 if pair % 2 else 1]:
            epochs = contenders[name]()
            for epoch in ("first", "second"):
                started = time.perf_counter()
                count = sum(len(pictures) for pictures in next(epochs))
                seconds.setdefault(f"{name}: {epoch}", []).append(time.perf_counter() - started)
                assert count == len(paths), f"{count} of {len(paths)} pictures came"
            epochs.close()
    return seconds


def ours(paths: list[Path], size: int, batch: int, keep: Keep) -> Iterator[Iterable[Tensor]]:
    """Epochs of ft's loader. What it decodes beforehand is part of the first."""
    settings = ImageInput(
        type="image",
        size=size,
        channels=3,
        keep=keep,
        normalize=Normalization(mean=MEAN, std=STD),
        augment=ImageAugment.model_validate("standard"),
    )
    made: list[Loader] = []

    def batches(epoch: int) -> Iterator[Tensor]:
        if not made:
            column, stored = fit_column(settings, Values(np.array([str(path) for path in paths]), "image", "train"))
            examples = Examples({"image": stored}, {"row": torch.arange(len(paths))}, None, len(paths))
            columns = {"image": column}
            made.append(Loader(examples, columns, torch.device("cpu"), batch_size=batch, shuffle=True, augment=True))
        for found in made[0].epoch(epoch):
            yield found.inputs["image"]

    for epoch in (0, 1):
        yield batches(epoch)


def theirs(paths: list[Path], size: int, batch: int) -> Iterator[Iterable[Tensor]]:
    """Epochs of a DataLoader over torchvision.transforms.v2, started with the first."""
    import_torchvision()
    from torchvision.transforms import v2

    steps: list[Any] = [
        v2.RandomResizedCrop(size, scale=(0.35, 1.0)),
        v2.RandomHorizontalFlip(),
        v2.ColorJitter(0.2, 0.2, 0.2),
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ]
    loader = torch.utils.data.DataLoader(
        Photos(paths, v2.Compose(steps)), batch, shuffle=True, num_workers=cores() or 1, persistent_workers=True
    )
    for _ in (0, 1):
        yield loader


class Photos(torch.utils.data.Dataset[Tensor]):
    """Files, decoded as torchvision's ImageFolder decodes them."""

    def __init__(self, paths: list[Path], change: Any) -> None:
        self.paths, self.change = paths, change

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Tensor:
        from PIL import Image

        with Image.open(self.paths[row]) as image:
            found: Tensor = self.change(image.convert("RGB"))
        return found


def show(seconds: Seconds) -> str:
    rows = [("", "seconds", "torchvision's by ours, round by round")]
    for name, taken in seconds.items():
        rival = seconds[f"torchvision: {name.rpartition(' ')[2]}"]
        ratio: Summary | str = "" if taken is rival else ratios(rival, taken)
        rows.append((name, f"{summarise(taken).median:.2f}", str(ratio)))
    return table(rows)


if __name__ == "__main__":
    main()
