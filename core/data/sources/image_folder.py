"""Pictures in a folder per class: ROOT/CLASS/picture, or ROOT/{train,val,test}/CLASS/picture.

Every picture is decoded once, to the size of the input `image`, and kept as uint8.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ft.core.config.schema import ImageFolderData, ImageInput
from ft.core.config.suggest import did_you_mean
from ft.core.data import decode
from ft.core.data.table import SPLITS, Dataset, Table, parts_to_read
from ft.core.errors import ConfigError, DataError, Problem

FOLDER_NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}


@dataclass(frozen=True)
class Part:
    """The pictures of one split. labels: indices into the classes of the whole folder."""

    paths: list[Path]
    labels: list[int]


def load(section: ImageFolderData, pictures: Mapping[str, ImageInput], wanted: set[str] | None) -> Dataset:
    """Columns image, uint8 (N, H, W, C), and label. Names are paths below root.

    Raises ConfigError at inputs.image.size without a size, DataError for a folder or file that cannot be used.
    """
    size, channels = _form(pictures.get("image"))
    root = Path(section.root)
    folders = _split_folders(root)
    classes = _class_names(folders)
    parts = {split: _list_pictures(folders[split], classes) for split in parts_to_read(tuple(folders), wanted)}
    splits = {}
    for split, part in parts.items():
        planes = decode.read_all(part.paths, size, channels)  # (N, C, H, W)
        channels = planes.shape[1]  # training comes first: the others follow it
        names = [path.relative_to(root).as_posix() for path in part.paths]
        splits[split] = Table({"image": np.moveaxis(planes, 1, -1), "label": np.asarray(part.labels)}, names)
    return Dataset(splits, tuple(folders), {"label": classes}, f"pictures in {root}")


def _form(image: ImageInput | None) -> tuple[tuple[int, int], int | None]:
    """Size and channels to decode to."""
    if image is None or image.size is None:
        message = "pictures in folders need a size, e.g. inputs: {image: {type: image, size: 64}}"
        raise ConfigError(Problem(message, ("inputs", "image", "size") if image else ("inputs",)))
    return (image.size, image.size) if isinstance(image.size, int) else image.size, image.channels


def _split_folders(root: Path) -> dict[str, Path]:
    """The folder of each split; root itself is training when it holds classes directly."""
    names = _subfolders(root)
    known = {name: split for split, choices in FOLDER_NAMES.items() for name in choices}
    if not names:
        raise DataError(f"{root}: no folders in it; one per class is expected, or train/ with one per class inside")
    if "train" not in names and not set(names) <= known.keys():
        return {"train": root}
    folders: dict[str, Path] = {}
    for name in sorted(names, key=lambda name: SPLITS.index(known.get(name, "test"))):
        if name not in known:
            raise DataError(f"{root}: {name}/ beside train/; expected only train/, val/ and test/")
        if known[name] in folders:
            raise DataError(f"{root}: {folders[known[name]].name}/ and {name}/ are both for validation; keep one")
        folders[known[name]] = root / name
    return folders


def _class_names(folders: Mapping[str, Path]) -> tuple[str, ...]:
    """Sorted names of training's class folders. Raises DataError when another split has one that training lacks."""
    first = folders.get("train", next(iter(folders.values())))
    classes = tuple(_subfolders(first))
    if not classes:
        raise DataError(f"{first}: no folders in it; one per class is expected")
    for folder in folders.values():
        for name in _subfolders(folder):
            if name not in classes:
                raise DataError(f"{folder / name}: no such class in {first}{did_you_mean(name, classes)}")
    return classes


def _list_pictures(folder: Path, classes: tuple[str, ...]) -> Part:
    """Every picture below the class folders, in a fixed order. Raises DataError for a class folder without any."""
    part = Part([], [])
    for name in _subfolders(folder):
        paths = sorted(
            Path(at, file)
            for at, _, found in os.walk(folder / name)
            for file in found
            if Path(file).suffix.lower() in decode.SUFFIXES and not file.startswith(".")
        )
        if not paths:
            raise DataError(f"{folder / name}: no pictures in it; expected {', '.join(sorted(decode.SUFFIXES))}")
        part.paths.extend(paths)
        part.labels.extend([classes.index(name)] * len(paths))
    return part


def _subfolders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error
