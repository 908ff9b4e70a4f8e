"""Promises of folders of files: the usual layouts, columns from folders or names, one clear error for each fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ft.core.data.sources import load
from ft.core.data.table import Dataset
from ft.core.errors import ConfigError, DataError

Section = Callable[..., Any]
Read = Callable[..., Dataset]


@pytest.fixture(params=["image_folder", "audio_folder"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def read(tmp_path: Path, data_section: Section, source: str) -> Read:
    def read(wanted: set[str] | None = None, **settings: Any) -> Dataset:
        return load(data_section(**{"source": source, "root": str(tmp_path), **settings}), None, wanted)

    return read


@pytest.fixture
def write(source: str) -> Callable[..., None]:
    """`write(folder, "a", "b")`: files of the source's kind; nothing of them is read here."""
    suffix = {"image_folder": ".png", "audio_folder": ".WAV"}[source]

    def write(folder: Path, *names: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / f"{name}{suffix}").touch()

    return write


def stems(dataset: Dataset, split: str = "train") -> list[str]:
    column = {"pictures": "image", "sounds": "audio"}[dataset.found.split()[0]]
    return [Path(path).with_suffix("").as_posix() for path in dataset.splits[split].columns[column]]


def test_a_folder_per_class_is_training(tmp_path: Path, read: Read, write: Any) -> None:
    write(tmp_path / "bee", "0", "1")
    write(tmp_path / "ant", "0", "1", "2", ".hidden")
    (tmp_path / "ant" / "notes.txt").write_text("neither picture nor sound")
    write(tmp_path / ".cache", "0")
    write(tmp_path / "ant" / ".thumbnails", "0")
    dataset = read()
    table = dataset.splits["train"]
    assert dataset.official == ("train",)
    assert dataset.classes["label"] == ("ant", "bee")
    assert table.columns["label"].tolist() == [0, 0, 0, 1, 1]
    assert stems(dataset) == ["ant/0", "ant/1", "ant/2", "bee/0", "bee/1"]
    assert table.names is not None
    assert [(tmp_path / name).is_file() for name in table.names] == [True] * 5
    assert table.folder == tmp_path


@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_split_folders_are_official_and_classes_meet_by_name(
    tmp_path: Path, read: Read, write: Any, validation: str
) -> None:
    for name in ("ant", "bee", "cow"):
        write(tmp_path / "train" / name, "0")
    write(tmp_path / validation / "cow", "0")
    write(tmp_path / "test" / "bee", "0", "1")
    dataset = read()
    assert list(dataset.official) == ["train", "val", "test"]
    assert dataset.splits["val"].columns["label"].tolist() == [2]
    assert dataset.splits["test"].columns["label"].tolist() == [1, 1]
    assert stems(dataset, "val") == [f"{validation}/cow/0"], "below root, so that names of splits differ"
    assert set(read({"test"}).splits) == {"test"}


def test_only_test_folders_will_do_for_an_evaluation(tmp_path: Path, read: Read, write: Any) -> None:
    write(tmp_path / "test" / "bee", "0", "1")
    dataset = read({"test"})
    assert dataset.official == ("test",)
    assert dataset.classes["label"] == ("bee",)


def test_files_in_folders_below_a_class_belong_to_it(tmp_path: Path, read: Read, write: Any) -> None:
    write(tmp_path / "ant" / "2024" / "may", "0", "1")
    write(tmp_path / "bee", "0")
    assert read().splits["train"].columns["label"].tolist() == [0, 0, 1]


def test_a_missing_or_empty_root_is_named(tmp_path: Path, read: Read) -> None:
    with pytest.raises(DataError, match="no folders in it; one per class"):
        read()
    with pytest.raises(DataError, match="nowhere: No such file"):
        read(root=str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"no (pictures|sounds) in it; expected .*\.(png|wav)"):
        read(names="{digit}")


def test_a_class_folder_without_files_is_named(tmp_path: Path, read: Read, write: Any) -> None:
    write(tmp_path / "ant", "0")
    (tmp_path / "bee").mkdir()
    with pytest.raises(DataError, match=r"bee: no (pictures|sounds) in it; expected .*\.(png|wav)"):
        read()


def test_a_class_that_training_lacks_is_named(tmp_path: Path, read: Read, write: Any) -> None:
    write(tmp_path / "train" / "ants", "0")
    write(tmp_path / "train" / "bees", "0")
    write(tmp_path / "val" / "bee", "0")
    for wanted in (None, {"val"}):
        with pytest.raises(DataError, match=r"val/bee: no such class in .*train; did you mean bees\?"):
            read(wanted)


@pytest.mark.parametrize("names", [None, "{digit}"])
def test_layouts_that_could_mean_two_things_are_refused(
    tmp_path: Path, read: Read, write: Any, names: str | None
) -> None:
    write(tmp_path / "train" / "ant", "0")
    write(tmp_path / "plane" / "ant", "0")
    with pytest.raises(DataError, match="plane/ beside train/"):
        read(names=names)
    (tmp_path / "plane").rename(tmp_path / "val")
    write(tmp_path / "valid" / "ant", "0")
    with pytest.raises(DataError, match="both for validation"):
        read(names=names)


def test_labels_are_integers_that_fit_the_classes(tmp_path: Path, read: Read, write: Any) -> None:
    write(tmp_path / "10", "0")
    write(tmp_path / "9", "0")
    dataset = read()
    labels = dataset.splits["train"].columns["label"]
    assert isinstance(labels, np.ndarray)
    assert np.issubdtype(labels.dtype, np.integer)
    assert [dataset.classes["label"][label] for label in labels] == ["10", "9"]


# ---------------------------------------------------------------- names that say something


def test_each_word_of_a_pattern_is_a_column_of_texts(tmp_path: Path, read: Read, write: Any) -> None:
    write(tmp_path, "7_theo_01", "0_nicolas_12")
    dataset = read(names="{digit}_{speaker}_{index}")
    columns = dataset.splits["train"].columns
    assert "label" not in columns
    assert dataset.classes == {}
    found = {word: columns[word].tolist() for word in ("digit", "speaker", "index")}
    assert found == {"digit": ["0", "7"], "speaker": ["nicolas", "theo"], "index": ["12", "01"]}
    assert stems(dataset) == ["0_nicolas_12", "7_theo_01"]


def test_patterns_hold_within_split_folders_and_for_folders_of_one_s_own(
    tmp_path: Path, read: Read, write: Any
) -> None:
    write(tmp_path / "train" / "theo", "take 7 (a)")
    write(tmp_path / "test" / "lucas", "take 3 (b.2)")
    dataset = read(names="{speaker}/take {digit} ({version})")
    assert dataset.official == ("train", "test")
    test = dataset.splits["test"].columns
    assert [test[word].tolist() for word in ("speaker", "digit", "version")] == [["lucas"], ["3"], ["b.2"]]


def test_a_file_that_does_not_follow_the_pattern_is_named(tmp_path: Path, read: Read, write: Any) -> None:
    write(tmp_path, "7_theo", "readme")
    with pytest.raises(DataError, match=r"readme\.\w+: its name does not follow data\.names, \{digit\}_\{speaker\}"):
        read(names="{digit}_{speaker}")


@pytest.mark.parametrize("names", ["digit", "{}_x", "{a b}", "{digit}_{digit}", "{digit}{speaker}", "COLUMN_{x}"])
def test_a_pattern_that_cannot_be_is_an_error_at_its_setting(
    tmp_path: Path, read: Read, write: Any, source: str, names: str
) -> None:
    write(tmp_path, "7_theo")
    with pytest.raises(ConfigError, match="expected one such as") as error:
        read(names=names.replace("COLUMN", "{" + source.removesuffix("_folder") + "}"))
    assert error.value.problems[0].path == ("data", "names")
