"""Promises of the loader about files: the batches memory gives, read ahead no further than said, no thread kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loaders import AUGMENT, CPU, same
from PIL import Image
from torch import Tensor

from ft.core.config.schema import ImageInput
from ft.core.data.columns import fit_column
from ft.core.data.files import Files
from ft.core.data.loader import Examples, Loader
from ft.core.data.table import Values
from ft.core.errors import DataError


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Loader]:
    """A loader of 23 files that are read when needed."""
    pixels = np.random.default_rng(0).integers(0, 256, (23, 8, 6, 3), dtype=np.uint8)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    values = Values(np.array([f"{n}.png" for n in range(23)]), "image", "train", folder=tmp_path)

    def make(keep: Any = "files", **options: Any) -> Loader:
        settings = ImageInput(type="image", size=(8, 6), keep=keep, augment=AUGMENT)
        column, stored = fit_column(settings, values)
        examples = Examples({"image": stored}, {"row": torch.arange(23)}, None, 23)
        return Loader(
            examples, {"image": column}, CPU, **{"batch_size": 5, "shuffle": True, "augment": True, **options}
        )

    return make


@pytest.mark.parametrize("start", [0, 2, 4, 5])
@pytest.mark.parametrize("keep", ["files", "disk"])
def test_files_read_ahead_give_the_batches_of_pictures_in_memory(
    photos: Callable[..., Loader], start: int, keep: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))
    lazy, kept = list(photos(keep).epoch(1, start)), list(photos("memory").epoch(1, start))
    assert len(lazy) == len(kept) == 5 - start
    assert all(same(a, b) for a, b in zip(lazy, kept, strict=True))


def test_the_next_two_batches_are_read_while_one_is_used(photos: Callable[..., Loader]) -> None:
    loader = photos(shuffle=False)
    files = loader.examples.inputs["image"]
    assert isinstance(files, Files)
    taken: list[int] = []
    original = files.take

    def watched(rows: Tensor) -> Tensor:
        found = original(rows)
        taken.append(int(rows[0]))
        return found

    files.take = watched  # type: ignore[method-assign]
    epoch = loader.epoch(0)
    next(epoch)
    for _ in range(200):
        if len(taken) == 3:
            break
        time.sleep(0.01)
    assert taken == [0, 5, 10], "this batch and two more, no further"
    epoch.close()  # type: ignore[attr-defined]


def test_a_file_that_breaks_comes_out_as_the_error_it_is(photos: Callable[..., Loader], tmp_path: Path) -> None:
    loader = photos(shuffle=False)
    (tmp_path / "17.png").write_bytes(b"no longer a picture")
    seen: list[int] = []
    with pytest.raises(DataError, match=r"column image, train row 17: .*17\.png: cannot be read as a picture"):
        list(map(seen.extend, (batch.examples.tolist() for batch in loader.epoch(0))))
    assert seen == list(range(15)), "what comes before it is served"
    assert not threads()


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_no_thread_is_left_when_an_epoch_is_given_up(photos: Callable[..., Loader]) -> None:
    epoch = photos().epoch(0)
    next(epoch)
    assert threads()
    epoch.close()  # type: ignore[attr-defined]
    assert not threads()
