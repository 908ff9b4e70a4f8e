"""Promises of picture folders: the usual layouts, names from folders, one clear error for each thing wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ft.core.config.schema import ImageInput
from ft.core.data.sources import load
from ft.core.data.table import Dataset
from ft.core.errors import ConfigError, DataError

Section = Callable[..., Any]


@pytest.fixture
def read(tmp_path: Path, data_section: Section) -> Callable[..., Dataset]:
    def read(wanted: set[str] | None = None, **image: Any) -> Dataset:
        settings = ImageInput(type="image", **{"size": (4, 4), **image})
        return load(data_section(source="image_folder", root=str(tmp_path)), {"image": settings}, wanted)

    return read


def test_a_folder_per_class_is_training(tmp_path: Path, read: Callable[..., Dataset], write_pictures: Any) -> None:
    write_pictures(tmp_path / "bee", 2, 200)
    write_pictures(tmp_path / "ant", 3, 100)
    (tmp_path / "ant" / "notes.txt").write_text("not a picture")
    (tmp_path / ".cache").mkdir()
    dataset = read()
    table = dataset.splits["train"]
    assert dataset.official == ("train",)
    assert dataset.classes["label"] == ("ant", "bee")
    assert table.columns["label"].tolist() == [0, 0, 0, 1, 1]
    assert table.columns["image"].shape == (5, 4, 4, 1), "all grey"
    assert table.columns["image"][:, 0, 0, 0].tolist() == [100] * 3 + [200] * 2
    assert table.names == [str(Path("ant", f"{i}.png")) for i in range(3)] + [
        str(Path("bee", f"{i}.png")) for i in range(2)
    ]


@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_split_folders_are_official_and_classes_meet_by_name(
    tmp_path: Path, read: Callable[..., Dataset], write_pictures: Any, validation: str
) -> None:
    for name in ("ant", "bee", "cow"):
        write_pictures(tmp_path / "train" / name)
    write_pictures(tmp_path / validation / "cow", 1)
    write_pictures(tmp_path / "test" / "bee", 2)
    dataset = read()
    assert list(dataset.official) == ["train", "val", "test"]
    assert dataset.splits["val"].columns["label"].tolist() == [2]
    assert dataset.splits["test"].columns["label"].tolist() == [1, 1]
    assert set(read({"test"}).splits) == {"test"}


def test_only_test_folders_will_do_for_an_evaluation(
    tmp_path: Path, read: Callable[..., Dataset], write_pictures: Any
) -> None:
    write_pictures(tmp_path / "test" / "bee", 2)
    dataset = read({"test"})
    assert dataset.official == ("test",)
    assert dataset.classes["label"] == ("bee",)


def test_pictures_in_folders_below_a_class_belong_to_it(
    tmp_path: Path, read: Callable[..., Dataset], write_pictures: Any
) -> None:
    write_pictures(tmp_path / "ant" / "2024" / "may", 2)
    write_pictures(tmp_path / "bee", 1)
    assert read().splits["train"].columns["label"].tolist() == [0, 0, 1]


def test_channels_follow_training_so_that_reading_the_test_changes_nothing(
    tmp_path: Path, read: Callable[..., Dataset], write_pictures: Any
) -> None:
    write_pictures(tmp_path / "train" / "ant", 1, 50)
    write_pictures(tmp_path / "train" / "bee", 1, 60)
    write_pictures(tmp_path / "test" / "bee", 1, (255, 0, 0))
    splits = read().splits
    assert splits["train"].columns["image"].shape[-1] == splits["test"].columns["image"].shape[-1] == 1
    write_pictures(tmp_path / "train" / "bee", 1, (1, 2, 3))
    image = read().splits["train"].columns["image"]
    assert image[:, 0, 0].tolist() == [[50, 50, 50], [1, 2, 3]]
    assert read(channels=1).splits["train"].columns["image"].shape[-1] == 1


def test_without_a_size_the_setting_that_lacks_is_named(tmp_path: Path, data_section: Section, read: Any) -> None:
    with pytest.raises(ConfigError, match="size") as error:
        read(size=None)
    assert error.value.problems[0].path == ("inputs", "image", "size")
    with pytest.raises(ConfigError) as error:
        load(data_section(source="image_folder", root=str(tmp_path)), {})
    assert error.value.problems[0].path == ("inputs",)


def test_a_missing_or_empty_root_is_named(tmp_path: Path, read: Any, data_section: Section) -> None:
    with pytest.raises(DataError, match="no folders in it; one per class"):
        read()
    image = ImageInput(type="image", size=4)
    with pytest.raises(DataError, match="nowhere: No such file"):
        load(data_section(source="image_folder", root=str(tmp_path / "nowhere")), {"image": image})


def test_a_class_folder_without_pictures_is_named(tmp_path: Path, read: Any, write_pictures: Any) -> None:
    write_pictures(tmp_path / "ant")
    (tmp_path / "bee").mkdir()
    with pytest.raises(DataError, match=r"bee: no pictures in it; expected .*\.png"):
        read()


def test_a_class_that_training_lacks_is_named(tmp_path: Path, read: Any, write_pictures: Any) -> None:
    write_pictures(tmp_path / "train" / "ants")
    write_pictures(tmp_path / "train" / "bees")
    write_pictures(tmp_path / "val" / "bee")
    for wanted in (None, {"val"}):
        with pytest.raises(DataError, match=r"val/bee: no such class in .*train; did you mean bees\?"):
            read(wanted)


def test_layouts_that_could_mean_two_things_are_refused(tmp_path: Path, read: Any, write_pictures: Any) -> None:
    write_pictures(tmp_path / "train" / "ant")
    write_pictures(tmp_path / "plane" / "ant")
    with pytest.raises(DataError, match="plane/ beside train/"):
        read()
    (tmp_path / "plane").rename(tmp_path / "val")
    write_pictures(tmp_path / "valid" / "ant")
    with pytest.raises(DataError, match="both for validation"):
        read()


def test_a_file_that_is_no_picture_is_named(tmp_path: Path, read: Any, write_pictures: Any) -> None:
    write_pictures(tmp_path / "ant", 20)
    (tmp_path / "ant" / "7.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(DataError, match=r"ant/7\.png: cannot be read as a picture"):
        read()


def test_labels_are_integers_that_fit_the_classes(tmp_path: Path, read: Any, write_pictures: Any) -> None:
    write_pictures(tmp_path / "10", 1)
    write_pictures(tmp_path / "9", 1)
    dataset = read()
    labels = dataset.splits["train"].columns["label"]
    assert np.issubdtype(labels.dtype, np.integer)
    assert [dataset.classes["label"][label] for label in labels] == ["10", "9"]
