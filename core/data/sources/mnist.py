"""The MNIST family: four idx files under names that all three sets share, so the folder tells them apart.

MNIST: LeCun et al. 1998. Fashion-MNIST: Xiao et al. 2017. Kuzushiji-MNIST: Clanuwat et al. 2018.
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ft.core.config.schema import NamedData
from ft.core.data.outline import KNOWN
from ft.core.data.sources.download import download
from ft.core.data.sources.files import read_array
from ft.core.data.table import Dataset, Table, parts_to_read

FOLDERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST"}  # torchvision's names
PREFIXES = {"train": "train", "test": "t10k"}
KINDS = ("images-idx3", "labels-idx1")


def load(section: NamedData, needed: Collection[str] | None, wanted: set[str] | None) -> Dataset:  # noqa: ARG001
    """Columns image, uint8 (N, 28, 28), and the label. Official splits: train and test."""
    official = tuple(PREFIXES)
    parts = parts_to_read(official, wanted)
    files = _find(section, parts)
    with ThreadPoolExecutor() as pool:  # zlib lets go of the interpreter lock
        arrays = list(pool.map(read_array, files))
    label = KNOWN[section.source].label
    splits = {part: Table({"image": arrays[2 * i], label: arrays[2 * i + 1]}) for i, part in enumerate(parts)}
    classes = KNOWN[section.source].classes or ()
    return Dataset(splits, official, {label: classes}, f"{section.source} in {files[0].parent}")


def _find(section: NamedData, parts: list[str]) -> list[Path]:
    """Image and label file of each part, fetched if need be."""
    root, folder = Path(section.root), FOLDERS[section.source]
    places = [root / folder / "raw", root / folder, root / section.source, root / "raw", root]
    stems = [f"{PREFIXES[part]}-{kind}-ubyte" for part in parts for kind in KINDS]
    files = _first_complete(places, stems)
    if files is None:
        download(section, folder, [f"{stem}[.gz]" for stem in stems], places)
        files = _first_complete(places, stems)
    assert files is not None, "torchvision puts its downloads in root/NAME/raw"
    return files


def _first_complete(places: list[Path], stems: list[str]) -> list[Path] | None:
    """The files of the first place that has them all, plain before .gz."""
    for place in places:
        files = [next(filter(Path.exists, (place / stem, place / f"{stem}.gz")), None) for stem in stems]
        if None not in files:
            return [file for file in files if file is not None]
    return None
