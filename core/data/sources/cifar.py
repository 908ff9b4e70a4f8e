"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), in the plain binary form or the pickled one, unpacked or in their .tar.gz.

The pickled form is read by an unpickler that admits NumPy arrays and plain containers and nothing else.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ft.core.config.schema import NamedData
from ft.core.data.outline import KNOWN
from ft.core.data.sources.download import download
from ft.core.data.sources.files import read_bytes
from ft.core.data.table import Dataset, Table, parts_to_read
from ft.core.errors import DataError

PIXELS = 3 * 32 * 32
Read = Callable[[str], bytes]


@dataclass(frozen=True)
class Form:
    """One way the set is given out: a folder, or the archive of it, and the files of each part.

    labels: bytes before the pixels, the last of them ours (CIFAR-100 has a coarse label first); or, pickled, the key.
    """

    folder: str
    archive: str
    files: Mapping[str, tuple[str, ...]]
    labels: int | str


_TEN = tuple(f"data_batch_{i}" for i in range(1, 6))
_TEN_BIN = {"train": tuple(f"{name}.bin" for name in _TEN), "test": ("test_batch.bin",)}
_HUNDRED_BIN = {"train": ("train.bin",), "test": ("test.bin",)}
FORMS = {
    "cifar10": (
        Form("cifar-10-batches-bin", "cifar-10-binary.tar.gz", _TEN_BIN, 1),
        Form("cifar-10-batches-py", "cifar-10-python.tar.gz", {"train": _TEN, "test": ("test_batch",)}, "labels"),
    ),
    "cifar100": (
        Form("cifar-100-binary", "cifar-100-binary.tar.gz", _HUNDRED_BIN, 2),
        Form("cifar-100-python", "cifar-100-python.tar.gz", {"train": ("train",), "test": ("test",)}, "fine_labels"),
    ),
}


def load(section: NamedData, needed: Collection[str] | None, wanted: set[str] | None) -> Dataset:  # noqa: ARG001
    """Columns image, uint8 (N, 32, 32, 3), and label. Official splits: train and test."""
    official = ("train", "test")
    parts = parts_to_read(official, wanted)
    form, place = _find(section, parts)
    with _reading(place, form) as read:
        splits = {part: _read_part(form, form.files[part], read, place) for part in parts}
    return Dataset(splits, official, {"label": KNOWN[section.source].classes or ()}, f"{section.source} in {place}")


def _find(section: NamedData, parts: list[str]) -> tuple[Form, Path]:
    """The form that is there and where: its folder or its archive; fetched if need be."""
    root = Path(section.root)
    places = [root, root / section.source]
    forms = FORMS[section.source]
    found = _first(places, forms, parts)
    if found is None:
        names = [name for form in forms for name in (f"{form.folder}/", form.archive)]
        download(section, section.source.upper(), names, places)
        found = _first(places, forms, parts)
    assert found is not None, "torchvision puts its downloads in root"
    return found


def _first(places: list[Path], forms: tuple[Form, ...], parts: list[str]) -> tuple[Form, Path] | None:
    for place in places:
        for form in forms:
            names = [name for part in parts for name in form.files[part]]
            for folder in (place / form.folder, place):
                if all((folder / name).is_file() for name in names):
                    return form, folder
            if (place / form.archive).is_file():
                return form, place / form.archive
    return None


@contextmanager
def _reading(place: Path, form: Form) -> Iterator[Read]:
    """Name of a file of the form -> its content, from the folder or, without unpacking it, from the archive."""
    if place.is_dir():
        yield lambda name: read_bytes(place / name)
        return
    try:
        with tarfile.open(place) as archive:
            contents = {member.name: member for member in archive.getmembers()}

            def read(name: str) -> bytes:
                file = archive.extractfile(contents[f"{form.folder}/{name}"])
                return file.read() if file else b""

            yield read
    except KeyError as error:
        raise DataError(f"{place}: holds no {error.args[0]}") from error
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{place}: cannot be read: {error}") from error


def _read_part(form: Form, names: tuple[str, ...], read: Read, place: Path) -> Table:
    pixels, labels = [], []
    for name in names:
        parse = _parse_plain if isinstance(form.labels, int) else _parse_pickle
        some_pixels, some_labels = parse(read(name), form.labels, f"{place}/{name}")
        pixels.append(some_pixels)
        labels.append(some_labels)
    planes = np.concatenate(pixels).reshape(-1, 3, 32, 32)
    return Table({"image": np.moveaxis(planes, 1, -1), "label": np.concatenate(labels)})  # a view: columns want planes


def _parse_plain(content: bytes, labels: Any, file: str) -> tuple[np.ndarray, np.ndarray]:
    if not content or len(content) % (labels + PIXELS):
        raise DataError(f"{file}: {len(content):,} bytes is no multiple of {labels + PIXELS:,}; is it cut short?")
    records = np.frombuffer(content, np.uint8).reshape(-1, labels + PIXELS)
    return records[:, labels:], records[:, labels - 1]


def _parse_pickle(content: bytes, key: Any, file: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
        pixels, labels = np.asarray(batch["data"], np.uint8), np.asarray(batch[key], np.int64)
        return pixels.reshape(len(labels), PIXELS), labels
    except (pickle.UnpicklingError, KeyError, TypeError, ValueError, EOFError, IndexError, AttributeError) as error:
        raise DataError(f"{file}: is no batch of CIFAR pictures: {error}") from error


class _ArraysOnly(pickle.Unpickler):
    """Loads NumPy arrays and plain containers; any other name in the file is refused, so no code of it runs."""

    _reconstruct = np.empty(0).__reduce__()[0]

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return self._reconstruct
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):  # how Python 3 writes bytes for protocol 2
            return lambda text, encoding: str(text).encode(str(encoding))
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")
