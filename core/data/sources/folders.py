"""Pictures or sounds in a folder per class: ROOT/CLASS/file, or ROOT/{train,val,test}/CLASS/file; or told by names.

Columns are `image` or `audio`, paths below root, and `label`. With a pattern of names, such as {digit}_{speaker}, there
are no class folders: each word is a column of texts. Nothing is opened here; the input's column decodes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ft.core.config.schema import AudioFolderData, ImageFolderData
from ft.core.config.suggest import did_you_mean
from ft.core.data import decode, sound
from ft.core.data.table import SPLITS, Dataset, Table, parts_to_read
from ft.core.errors import ConfigError, DataError, Problem

FOLDER_NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
SPLIT_OF = {name: split for split, names in FOLDER_NAMES.items() for name in names}
WORD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Kind:
    """What the files of a source are. column: of their paths. plural: what a person calls them."""

    column: str
    plural: str
    suffixes: Collection[str]


KINDS = {
    "image_folder": Kind("image", "pictures", decode.SUFFIXES),
    "audio_folder": Kind("audio", "sounds", sound.SUFFIXES),
}


def load(
    section: ImageFolderData | AudioFolderData,
    needed: Collection[str] | None,  # noqa: ARG001
    wanted: set[str] | None,
) -> Dataset:
    """Names of examples are paths below root, which is the tables' folder. All columns come: paths cost nothing.

    Raises DataError for a folder or a file's name that cannot be used, ConfigError for a pattern that cannot be.
    """
    kind, root = KINDS[section.source], Path(section.root)
    found = f"{kind.plural} in {root}"
    if section.names is not None:
        pattern = Pattern.of(section.names, kind)
        folders = _split_folders(root, flat=True)
        parts = parts_to_read(tuple(folders), wanted)
        return Dataset({s: _told_by_names(root, folders[s], pattern, kind) for s in parts}, tuple(folders), {}, found)
    folders = _split_folders(root, flat=False)
    classes = _class_names(folders)
    parts = parts_to_read(tuple(folders), wanted)
    splits = {split: _told_by_folders(root, folders[split], classes, kind) for split in parts}
    return Dataset(splits, tuple(folders), {"label": classes}, found)


@dataclass(frozen=True)
class Pattern:
    """What the names of files say. words: the columns, in order. regex: of a path without its suffix."""

    text: str
    words: tuple[str, ...]
    regex: re.Pattern[str]

    @classmethod
    def of(cls, text: str, kind: Kind) -> Pattern:
        """Raises ConfigError at data.names."""
        words = tuple(WORD.findall(text))
        if fault := _fault(text, words, kind):
            message = f"{text} {fault}; expected one such as {{digit}}_{{speaker}}_{{index}}"
            raise ConfigError(Problem(message, ("data", "names")))
        pieces = (re.escape(piece) if place % 2 == 0 else "([^/]+?)" for place, piece in enumerate(WORD.split(text)))
        return cls(text, words, re.compile("".join(pieces)))

    def read(self, path: Path, folder: Path) -> tuple[str, ...]:
        """The values of the words. Raises DataError naming the file."""
        match = self.regex.fullmatch(path.relative_to(folder).with_suffix("").as_posix())
        if match is None:
            raise DataError(f"{path}: its name does not follow data.names, {self.text}; rename it or move it away")
        return match.groups()


def _fault(text: str, words: Sequence[str], kind: Kind) -> str:
    """What is wrong with a pattern; empty when nothing is."""
    if not words:
        return "has no word in braces"
    if not all(word.isidentifier() for word in words):
        return "has a word that is no name, which letters, digits and _ make"
    if kind.column in words:
        return f"has the word {kind.column}, which stands for the file itself"
    if len(set(words)) < len(words):
        return "has a word twice"
    return "has two words with nothing between them" if "}{" in text else ""


def _told_by_names(root: Path, folder: Path, pattern: Pattern, kind: Kind) -> Table:
    paths = _list_files(folder, kind)
    values = zip(*(pattern.read(path, folder) for path in paths), strict=True)
    return _table(root, paths, kind, dict(zip(pattern.words, map(np.array, values), strict=True)))


def _told_by_folders(root: Path, folder: Path, classes: Sequence[str], kind: Kind) -> Table:
    paths: list[Path] = []
    labels: list[int] = []
    for name in _subfolders(folder):
        files = _list_files(folder / name, kind)
        paths.extend(files)
        labels.extend([classes.index(name)] * len(files))
    return _table(root, paths, kind, {"label": np.asarray(labels)})


def _table(root: Path, paths: Sequence[Path], kind: Kind, columns: Mapping[str, np.ndarray]) -> Table:
    names = [path.relative_to(root).as_posix() for path in paths]
    return Table({kind.column: np.array(names), **columns}, names, root)


def _split_folders(root: Path, *, flat: bool) -> dict[str, Path]:
    """The folder of each split; root itself is training when it holds the classes, or flat the files, directly."""
    names = _subfolders(root)
    if not names and not flat:
        raise DataError(f"{root}: no folders in it; one per class is expected, or train/ with one per class inside")
    if not names or ("train" not in names and not set(names) <= SPLIT_OF.keys()):
        return {"train": root}
    folders: dict[str, Path] = {}
    for name in sorted(names, key=lambda name: SPLITS.index(SPLIT_OF.get(name, "test"))):
        if name not in SPLIT_OF:
            raise DataError(f"{root}: {name}/ beside train/; expected only train/, val/ and test/")
        if SPLIT_OF[name] in folders:
            raise DataError(f"{root}: {folders[SPLIT_OF[name]].name}/ and {name}/ are both for validation; keep one")
        folders[SPLIT_OF[name]] = root / name
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


def _list_files(folder: Path, kind: Kind) -> list[Path]:
    """Every picture or sound below a folder, in a fixed order. Raises DataError when there is none."""
    paths = sorted(path for path in _walk(folder) if path.suffix.lower() in kind.suffixes)
    if not paths:
        raise DataError(f"{folder}: no {kind.plural} in it; expected {', '.join(sorted(kind.suffixes))}")
    return paths


def _walk(folder: Path) -> Iterator[Path]:
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(at, name) for name in files if not name.startswith("."))


def _subfolders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error
