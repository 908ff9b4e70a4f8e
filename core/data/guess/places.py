"""What lies at a path: a table, a folder of class folders, files whose names say what they are; and its splits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ft.core.config.suggest import did_you_mean
from ft.core.data.decode import SUFFIXES as PICTURES
from ft.core.data.guess.dialect import Dialect, guess_dialect, is_number
from ft.core.data.guess.said import Place
from ft.core.data.sound import SUFFIXES as SOUNDS
from ft.core.data.sources.folders import FOLDER_NAMES
from ft.core.data.sources.table_files import FORMATS
from ft.core.errors import ConfigError, DataError

TEXT_TABLES = (".txt", ".data", ".inter")  # texts that may be tables; .inter: user-item interactions, tab-separated
TABLES = (*FORMATS, *TEXT_TABLES)
PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation", "dev"), "test": ("test", "testing")}
FEW_VALUES = 100  # different words at one place of the files' names, up to which they are classes
MEDIA = {"image_folder": PICTURES, "audio_folder": SOUNDS}


def find_place(path: Path) -> Place:
    """Raises ConfigError when nothing is there, DataError when nothing there can be used."""
    if not path.exists():
        near = did_you_mean(path.name, [entry.name for entry in _entries(path.parent)]) if path.parent.is_dir() else ""
        raise ConfigError(f"--data {path}: there is no such file or folder{near}")
    if path.is_file():
        return _one_file(path)
    return _tables(path) or _media(path) or _only_folder(path) or _refuse(path)


def _one_file(path: Path) -> Place:
    if _suffix(path) not in TABLES:
        expected = f"expected a table ({', '.join(TABLES)}, also .gz) or a folder"
        raise DataError(f"{path}: {_suffix(path) or 'a file without an ending'} is no kind of table; {expected}")
    parts = _split_files(path.parent) if _part_of(path) == "train" else {}
    if parts.get("train") == path and len({_suffix(each) for each in parts.values()}) == 1:
        return _table(path.parent, parts)
    return _table(path.parent, {"train": path})


def _tables(folder: Path) -> Place | None:
    """train, val and test files, or one table alone."""
    files = [entry for entry in _entries(folder) if entry.is_file() and _suffix(entry) in TABLES]
    parts = _split_files(folder)
    if "train" in parts:
        return _table(folder, parts)
    ratings = [each for each in files if _suffix(each) == ".inter"]
    certain = ratings or [each for each in files if _suffix(each) in FORMATS]
    if len(certain) > 1 and not _media(folder):
        names = ", ".join(each.name for each in certain)
        raise ConfigError(f"--data {folder}: there are several tables ({names}); name one, or call them train and test")
    return _table(folder, {"train": certain[0]}) if len(certain) == 1 else None


def _table(folder: Path, parts: dict[str, Path]) -> Place:
    data: dict[str, Any] = {"source": "table", "root": str(folder)}
    why: dict[str, str] = {}
    for part, file in parts.items():
        data[part] = file.name
        if len(parts) > 1:
            why[part] = "named so"
    first = parts["train"]
    if FORMATS.get(_suffix(first)) not in ("jsonl", "parquet"):
        dialect = guess_dialect(first)
        settings, reasons = _dialect_settings(dialect, FORMATS.get(_suffix(first)))
        data |= settings
        why |= reasons
    return Place(data, why, tuple(parts), "table")


def _dialect_settings(dialect: Dialect, known: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    """What the table source would not find by itself. known: the format that the file's name tells."""
    settings: dict[str, Any] = {}
    why: dict[str, str] = {}
    form = known or ("tsv" if dialect.delimiter == "\t" else "csv")
    if known is None:
        settings["format"], why["format"] = form, "by its contents; its name does not tell"
    if dialect.delimiter != ("\t" if form == "tsv" else ","):
        settings["delimiter"], why["delimiter"] = dialect.delimiter, "cuts every row into equally many values"
    if not dialect.quoting:
        settings["quoting"], why["quoting"] = False, "double quotes stand alone in its texts"
    if not dialect.header:
        settings["header"], why["header"] = False, "the first row is an example"
    if dialect.encoding:
        settings["encoding"], why["encoding"] = dialect.encoding, "neither UTF-8 nor GB18030"
    return settings, why


def _media(folder: Path) -> Place | None:
    """Pictures or sounds: in class folders, in train/ and test/ with class folders, or side by side."""
    subfolders = [entry for entry in _entries(folder) if entry.is_dir()]
    parts = {part: entry for entry in subfolders for part, names in FOLDER_NAMES.items() if entry.name in names}
    for source, suffixes in MEDIA.items():
        if "train" in parts and any(_holds(each, suffixes) for each in _folders_in(parts["train"])):
            why = {"root": f"{', '.join(each.name + '/' for each in parts.values())} with a folder for each class"}
            return Place({"source": source, "root": str(folder)}, why, tuple(parts), source)
        holding = [each for each in subfolders if _holds(each, suffixes)]
        empty = [each for each in subfolders if not any(each.iterdir())]
        if len(holding) > 1 and len(holding) + len(empty) == len(subfolders):
            if empty:
                raise DataError(f"{empty[0]}: a folder for a class, and nothing in it; fill it, or remove it")
            return Place(
                {"source": source, "root": str(folder)}, {"root": "a folder for each class"}, ("train",), source
            )
        names = sorted(entry.stem for entry in _entries(folder) if entry.suffix.lower() in suffixes)
        if names and (pattern := name_pattern(names, "speaker" if source == "audio_folder" else "group")):
            data = {"source": source, "root": str(folder), "names": pattern}
            return Place(data, {"names": f"all {len(names):,} files are named so, as {names[0]}"}, ("train",), source)
    return None


def name_pattern(names: Sequence[str], kind: str) -> str | None:
    """`{digit}_{speaker}_{index}` for 3_lucas_11 and its like; None when they are not named alike or tell no class.

    names: without endings. kind: what to call a place that holds few words.
    """
    for between in ("_", "-", "."):
        rows = [name.split(between) for name in names]
        width = len(rows[0])
        if width > 1 and all(len(row) == width and all(row) for row in rows):
            words = _words(list(zip(*rows, strict=True)), kind)
            return (
                between.join(f"{{{word}}}" for word in words) if any(w not in ("index", "id") for w in words) else None
            )
    return None


def _words(places: Sequence[Sequence[str]], kind: str) -> list[str]:
    """What to call each place: digit, kind, index, or id where nearly every file has another."""
    words: list[str] = []
    for values in places:
        different = set(values)
        if all(len(value) == 1 and value.isdigit() for value in different):
            word = "digit"
        elif len(different) > min(FEW_VALUES, 0.5 * len(values)):
            word = "id"
        else:
            word = "index" if all(map(is_number, different)) else kind if kind not in words else "label"
        words.append(word if word not in words else f"{word}_{len(words) + 1}")
    return words


def _only_folder(folder: Path) -> Place | None:
    """What lies in the one folder that holds anything of use."""
    found = [place for entry in _folders_in(folder) if (place := _tables(entry) or _media(entry))]
    return found[0] if len(found) == 1 else None


def _refuse(folder: Path) -> Place:
    holds = ", ".join(sorted(entry.name + "/" * entry.is_dir() for entry in _entries(folder))[:8]) or "nothing"
    raise DataError(
        f"{folder}: nothing to begin from, it holds {holds}; expected a table ({', '.join(FORMATS)}), tables called "
        "train and test, a folder for each class with pictures or sounds, or files named alike such as 3_lucas_11.wav"
    )


def _split_files(folder: Path) -> dict[str, Path]:
    """Tables of a folder that are called train, val or test, in that order."""
    files = [entry for entry in _entries(folder) if entry.is_file() and _suffix(entry) in TABLES]
    found: dict[str, Path] = {}
    for part in PARTS:
        named = [file for file in files if _part_of(file) == part]
        if len(named) == 1:
            found[part] = named[0]
    return found


def _part_of(file: Path) -> str | None:
    """The split that a file's name says, as a word of it: train.csv, films-test.tsv."""
    words = re.split(r"[\W_]+", file.name.lower())
    found = {part for word in words if (part := _part_named(word))}
    return found.pop() if len(found) == 1 else None


def _part_named(word: str) -> str | None:
    return next((part for part, names in PARTS.items() if word.lower() in names), None)


def _holds(folder: Path, suffixes: Iterable[str]) -> bool:
    """Whether a file of these endings lies in a folder or below it."""
    return any(Path(file).suffix.lower() in suffixes for _, _, files in os.walk(folder) for file in files)


def _folders_in(folder: Path) -> list[Path]:
    return [entry for entry in _entries(folder) if entry.is_dir()]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}") from error


def _suffix(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()
