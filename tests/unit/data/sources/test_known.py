"""Promises of the well-known sets: found in any usual layout, read in any form, downloaded only when missing."""

from __future__ import annotations

import gzip
import os
import pickle
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from ft.core.data.outline import KNOWN
from ft.core.data.sources import begin, download, load
from ft.core.errors import DataError, MissingExtraError

Section = Callable[..., Any]


# ---------------------------------------------------------------- digits


def test_digits_are_scikit_learns_scaled_to_bytes_without_importing_it(data_section: Section) -> None:
    dataset = load(data_section(source="digits"))
    from sklearn.datasets import load_digits

    theirs = load_digits()
    table = dataset.splits["train"]
    assert np.array_equal(table.columns["digit"], theirs.target)
    assert np.abs(table.columns["image"] - theirs.images * 255 / 16).max() <= 0.5
    assert table.columns["image"].dtype == np.uint8
    assert dataset.official == ("train",)


def test_digits_without_scikit_learn_say_what_to_install(
    data_section: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft.core.data.sources.digits.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"ft\[demo\]"):
        load(data_section(source="digits"))


# ---------------------------------------------------------------- the MNIST family


@pytest.mark.parametrize("folder", [".", "raw", "MNIST", "MNIST/raw", "mnist"])
@pytest.mark.parametrize("compressed", [False, True])
def test_mnist_is_found_in_every_usual_layout(
    tmp_path: Path, data_section: Section, write_mnist: Any, folder: str, compressed: bool
) -> None:
    images, labels = write_mnist(tmp_path / folder)
    if compressed:
        for file in list((tmp_path / folder).iterdir()):
            Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
            file.unlink()
    dataset = load(data_section(source="mnist", root=str(tmp_path)))
    assert np.array_equal(dataset.splits["train"].columns["image"], images)
    assert np.array_equal(dataset.splits["train"].columns["digit"], labels)
    assert len(dataset.splits["test"]) == 20
    assert dataset.classes["digit"] == tuple("0123456789")


def test_sets_with_the_same_file_names_are_told_apart_by_their_folder(
    tmp_path: Path, data_section: Section, write_mnist: Any
) -> None:
    write_mnist(tmp_path / "MNIST" / "raw", train=30)
    write_mnist(tmp_path / "FashionMNIST" / "raw", train=40)
    sizes = [
        len(load(data_section(source=name, root=str(tmp_path))).splits["train"]) for name in ("mnist", "fashion_mnist")
    ]
    assert sizes == [30, 40]


def test_a_single_split_needs_only_its_own_files(tmp_path: Path, data_section: Section, write_mnist: Any) -> None:
    write_mnist(tmp_path)
    for file in tmp_path.glob("train-*"):
        file.unlink()
    section = data_section(source="mnist", root=str(tmp_path), download=False)
    assert set(load(section, None, {"test"}).splits) == {"test"}
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte"):
        load(section, None, {"val"})


def test_what_was_begun_is_taken_once_and_by_who_asks_for_the_same(
    tmp_path: Path, data_section: Section, write_mnist: Any
) -> None:
    images, _ = write_mnist(tmp_path)
    section = data_section(source="mnist", root=str(tmp_path), download=False)
    begin(section, {"train", "val"})
    while any(thread.name == "reading ahead" for thread in threading.enumerate()):
        time.sleep(0.001)
    for file in tmp_path.iterdir():
        file.unlink()
    with pytest.raises(DataError):
        load(section, None, {"test"})
    assert np.array_equal(load(section, None, {"val", "train"}).splits["train"].columns["image"], images)
    with pytest.raises(DataError):
        load(section, None, {"train", "val"})


def test_what_cannot_be_begun_is_told_by_who_needs_it(tmp_path: Path, data_section: Section) -> None:
    section = data_section(source="mnist", root=str(tmp_path), download=False)
    begin(section, None)
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        load(section)
    begin(data_section(source="digits"), None)
    assert not [thread for thread in threading.enumerate() if thread.name == "reading ahead"]


def test_missing_files_are_one_line_that_says_what_was_looked_for_and_where(
    tmp_path: Path, data_section: Section
) -> None:
    with pytest.raises(DataError) as error:
        load(data_section(source="kmnist", root=str(tmp_path), download=False))
    message = str(error.value)
    assert "\n" not in message
    for part in ("t10k-labels-idx1-ubyte[.gz]", str(tmp_path / "KMNIST" / "raw"), "data.download"):
        assert part in message


def test_a_failed_download_is_one_line_and_leaves_no_folder(
    tmp_path: Path, data_section: Section, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(root: str, download: bool) -> None:  # noqa: ARG001
        Path(root, "MNIST", "raw").mkdir(parents=True)
        raise URLError("no route\nto host")

    monkeypatch.setattr(download, "import_torchvision", lambda: SimpleNamespace(datasets=SimpleNamespace(MNIST=fail)))
    with pytest.raises(DataError, match=r"train-images.*; and the download failed: .*no route to host") as error:
        load(data_section(source="mnist", root=str(tmp_path / "new")))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()


def test_a_download_is_used_and_keeps_stdout_clean(
    tmp_path: Path,
    data_section: Section,
    write_mnist: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fetch(root: str, download: bool) -> None:
        assert download
        sys.stdout.write("Downloading\n")
        write_mnist(Path(root) / "FashionMNIST" / "raw")

    monkeypatch.setattr(
        download, "import_torchvision", lambda: SimpleNamespace(datasets=SimpleNamespace(FashionMNIST=fetch))
    )
    dataset = load(data_section(source="fashion_mnist", root=str(tmp_path)))
    assert len(dataset.splits["train"]) == 60
    assert dataset.classes["label"][9] == "Ankle boot"
    assert capsys.readouterr().out == ""


# ---------------------------------------------------------------- CIFAR


class Cifar:
    """A few made-up records, written in every form the sets are given out in."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.planes = rng.integers(0, 256, (12, 3, 32, 32), dtype=np.uint8)  # ten for training, two for the test
        self.labels = rng.integers(0, 10, 12).astype(np.uint8)

    def binary(self, rows: slice, coarse: bool) -> bytes:
        labels = self.labels[rows, None]
        head = np.concatenate([labels * 0 + 99, labels], 1) if coarse else labels
        return np.concatenate([head, self.planes[rows].reshape(-1, 3072)], 1).tobytes()

    def pickled(self, rows: slice, key: str) -> bytes:
        batch = {"data": self.planes[rows].reshape(-1, 3072), key: self.labels[rows].tolist(), "filenames": ["a"]}
        return pickle.dumps(batch, protocol=2)

    def files(self, form: str) -> dict[str, bytes]:
        fifths = {f"data_batch_{i + 1}": slice(2 * i, 2 * i + 2) for i in range(5)} | {"test_batch": slice(10, 12)}
        whole = {"train": slice(0, 10), "test": slice(10, 12)}
        return {
            "cifar-10-batches-bin": {f"{name}.bin": self.binary(rows, False) for name, rows in fifths.items()},
            "cifar-10-batches-py": {name: self.pickled(rows, "labels") for name, rows in fifths.items()},
            "cifar-100-binary": {f"{name}.bin": self.binary(rows, True) for name, rows in whole.items()},
            "cifar-100-python": {name: self.pickled(rows, "fine_labels") for name, rows in whole.items()},
        }[form]


FORMS = {
    "cifar-10-batches-bin": "cifar-10-binary.tar.gz",
    "cifar-10-batches-py": "cifar-10-python.tar.gz",
    "cifar-100-binary": "cifar-100-binary.tar.gz",
    "cifar-100-python": "cifar-100-python.tar.gz",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("archived", [False, True])
def test_cifar_is_read_in_every_form(tmp_path: Path, data_section: Section, form: str, archived: bool) -> None:
    made = Cifar()
    folder = tmp_path / form
    folder.mkdir()
    for name, content in made.files(form).items():
        (folder / name).write_bytes(content)
    root = tmp_path
    if archived:
        root = tmp_path / "elsewhere"
        root.mkdir()
        with tarfile.open(root / FORMS[form], "w:gz") as archive:
            archive.add(folder, form)
    source = "cifar100" if "100" in form else "cifar10"
    dataset = load(data_section(source=source, root=str(root), download=False))
    for split, rows in (("train", slice(0, 10)), ("test", slice(10, 12))):
        table = dataset.splits[split]
        assert np.array_equal(table.columns["image"], made.planes[rows].transpose(0, 2, 3, 1))
        assert np.array_equal(table.columns["label"], made.labels[rows])
    assert len(dataset.classes["label"]) == (100 if source == "cifar100" else 10)


def test_a_pickled_batch_cannot_run_code(tmp_path: Path, data_section: Section) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "attacked"),)

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name, content in Cifar().files(folder.name).items():
        (folder / name).write_bytes(content)
    (folder / "data_batch_3").write_bytes(pickle.dumps({"data": Attack(), "labels": [1]}, protocol=2))
    with pytest.raises(DataError, match=r"data_batch_3: is no batch of CIFAR pictures: it asks for .*mkdir"):
        load(data_section(source="cifar10", root=str(tmp_path), download=False))
    assert not (tmp_path / "attacked").exists()


def test_damaged_cifar_files_are_named(tmp_path: Path, data_section: Section) -> None:
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    for name, content in Cifar().files(folder.name).items():
        (folder / name).write_bytes(content[:-1] if name == "test.bin" else content)
    section = data_section(source="cifar100", root=str(tmp_path), download=False)
    assert len(load(section, None, {"train"}).splits["train"]) == 10
    with pytest.raises(DataError, match=r"test\.bin: .* is it cut short"):
        load(section)
    for file in folder.iterdir():
        file.unlink()
    archive = tmp_path / "cifar-100-binary.tar.gz"
    archive.write_bytes(gzip.compress(b"no archive" * 1000))
    with pytest.raises(DataError, match=r"cifar-100-binary\.tar\.gz: cannot be read"):
        load(section)
    with tarfile.open(archive, "w:gz"):
        pass
    with pytest.raises(DataError, match=r"holds no cifar-100-binary/train\.bin"):
        load(section)


def test_class_names_are_the_published_ones() -> None:
    assert KNOWN["cifar10"].classes is not None
    assert KNOWN["cifar100"].classes is not None
    assert KNOWN["cifar10"].classes[3] == "cat"
    assert KNOWN["cifar100"].classes == tuple(sorted(set(KNOWN["cifar100"].classes)))
    assert len(KNOWN["cifar100"].classes) == 100
