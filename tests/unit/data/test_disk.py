"""Promises of decoded files kept on disk: the same bits, decoded once, whole or not at all, and told where they lie."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ft.core.data import disk, files
from ft.core.data.disk import CachedFiles, kept_files
from ft.core.data.files import Files, Keep
from ft.core.data.table import Values
from ft.core.errors import DataError, ResourceError

ROWS = 10
EVERY = torch.arange(ROWS)


class Reader:
    """Files of digits: their number, three times; counts what it reads."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, path: Path, out: np.ndarray) -> Sequence[str]:
        self.read.append(path.name)
        try:
            out[:] = int(path.read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"{path.name}: cannot be read") from error
        return ()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "decoded"


@pytest.fixture
def values(tmp_path: Path) -> Values:
    for number in range(ROWS):
        (tmp_path / f"{number}.txt").write_text(str(number * 11))
    return Values(np.array([f"{number}.txt" for number in range(ROWS)]), "scan", "val", folder=tmp_path)


def on_disk(values: Values, reader: Reader, keep: Keep = "disk", form: str = "a") -> Any:
    return kept_files(values, (3,), torch.uint8, reader, keep, form)


def expected() -> torch.Tensor:
    return (EVERY * 11)[:, None].expand(-1, 3).to(torch.uint8)


def test_a_row_is_decoded_once_and_comes_back_the_same(values: Values, cache: Path) -> None:
    reader = Reader()
    kept = on_disk(values, reader)
    assert torch.equal(kept.take(torch.tensor([7, 2])), expected()[[7, 2]])
    for _ in range(3):
        assert torch.equal(kept.take(EVERY), expected())
    assert sorted(reader.read) == sorted(f"{row}.txt" for row in range(ROWS))
    assert [path.suffix for path in cache.iterdir()] == [".rows"]


@pytest.mark.usefixtures("cache")
def test_a_later_run_decodes_nothing_and_is_told_why(values: Values) -> None:
    kept = on_disk(values, Reader())
    assert isinstance(kept, CachedFiles)
    kept.take(EVERY)
    values.notes.clear()
    reader = Reader()
    later = on_disk(values, reader)
    assert isinstance(later, CachedFiles)
    assert torch.equal(later.take(EVERY), expected())
    assert reader.read == []
    assert later.digest() == Files(values, (3,), torch.uint8, reader).digest(), "a resumed run sees the same data"
    assert values.notes == [
        f"column scan, val: kept decoded on disk, 0.0 MB, as asked for: {kept.place}, from an earlier run"
    ]


@pytest.mark.parametrize("change", ["contents", "time", "form"])
@pytest.mark.usefixtures("cache")
def test_files_or_rules_that_changed_are_decoded_anew(values: Values, tmp_path: Path, change: str) -> None:
    on_disk(values, Reader()).take(EVERY)
    wanted = expected().clone()
    if change == "contents":
        (tmp_path / "3.txt").write_text("199")
        wanted[3] = 199
    elif change == "time":
        os.utime(tmp_path / "3.txt", (1, 1))
    reader = Reader()
    assert torch.equal(on_disk(values, reader, form="b" if change == "form" else "a").take(EVERY), wanted)
    assert len(reader.read) == ROWS


def test_two_at_once_do_not_meet(values: Values, cache: Path) -> None:
    first, second = on_disk(values, Reader()), on_disk(values, Reader())
    assert len(list(cache.glob("*.part"))) == 2, "what another fills is not tidied away"
    for half in (EVERY[:5], EVERY[5:]):
        for kept in (first, second):
            assert torch.equal(kept.take(half), expected()[half])
    assert len(list(cache.iterdir())) == 1
    assert torch.equal(first.take(EVERY), expected())


def test_a_kill_in_the_middle_leaves_nothing_half_and_no_rubbish(values: Values, tmp_path: Path, cache: Path) -> None:
    code = f"""
import os, signal, sys
sys.path[:0] = {[str(Path(__file__).parent)]!r}
from test_disk import *
values = Values(np.array([f"{{n}}.txt" for n in range(ROWS)]), "scan", "val", folder=Path({str(tmp_path)!r}))
kept = on_disk(values, Reader())
kept.take(EVERY[:6])
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.suffix for path in cache.iterdir()] == [".part"]
    reader = Reader()
    assert torch.equal(on_disk(values, reader).take(EVERY), expected())
    assert len(reader.read) == ROWS
    assert [path.suffix for path in cache.iterdir()] == [".rows"]


@pytest.mark.parametrize("places", [(4 * 3, 7 * 3 + 1), (3 * ROWS + 4 * 4, 3 * ROWS + 4 * 7)], ids=["rows", "sums"])
def test_damaged_rows_are_told_once_and_mended_in_the_file(
    values: Values, cache: Path, places: tuple[int, int]
) -> None:
    on_disk(values, Reader()).take(EVERY)
    (whole,) = cache.iterdir()
    before = bytearray(whole.read_bytes())
    damaged = bytearray(before)
    for place in places:
        damaged[place] ^= 1
    whole.write_bytes(damaged)
    kept, reader = on_disk(values, Reader()), Reader()
    values.notes.clear()
    for _ in range(2):
        assert torch.equal(kept.take(EVERY), expected())
    (told,) = values.notes
    assert f"{whole} is damaged, first found in row " in told
    assert told.endswith("decoded anew and mended")
    assert whole.read_bytes() == before
    assert torch.equal(on_disk(values, reader).take(EVERY), expected())
    assert reader.read == []


def test_a_damaged_or_short_file_is_not_believed(values: Values, cache: Path) -> None:
    on_disk(values, Reader()).take(EVERY)
    (whole,) = cache.iterdir()
    contents = bytearray(whole.read_bytes())
    contents[4 * 3] ^= 1  # the first byte of row 4
    whole.write_bytes(contents)
    reader = Reader()
    assert torch.equal(on_disk(values, reader).take(EVERY), expected())
    assert reader.read == ["4.txt"]
    whole.write_bytes(contents[:-1])
    assert torch.equal(on_disk(values, reader).take(EVERY), expected())
    assert len(reader.read) == 1 + ROWS


def test_the_rule_takes_memory_then_disk_then_files_and_says_so(
    values: Values, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(on_disk(values, Reader(), "auto"), torch.Tensor)
    monkeypatch.setattr(files, "MEMORY_LIMIT", 29)  # bytes; the column has 30
    assert isinstance(on_disk(values, Reader(), "auto"), CachedFiles)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: Room(59))
    assert type(on_disk(values, Reader(), "auto")) is Files
    assert values.notes[-1].endswith(f"decoded anew each time: 0.0 MB is more than half of what is free below {cache}")
    assert type(on_disk(values, Reader(), "files")) is Files


class Room:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_folder_that_cannot_be_used_stops_only_who_asked_for_it(
    values: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "taken"))
    with pytest.raises(ResourceError, match=r"taken/decoded: .*; write keep: files, or name a folder .* in FT_CACHE"):
        on_disk(values, Reader())
    monkeypatch.setattr(files, "MEMORY_LIMIT", 29)
    assert type(on_disk(values, Reader(), "auto")) is Files
    assert "decoded anew each time" in values.notes[-1]


def test_what_was_never_whole_goes_with_its_column(values: Values, cache: Path) -> None:
    kept = on_disk(values, Reader())
    kept.take(EVERY[:5])
    del kept
    assert list(cache.iterdir()) == []


def test_caches_that_nobody_used_for_a_month_make_room(values: Values, cache: Path) -> None:
    on_disk(values, Reader()).take(EVERY)
    (whole,) = cache.iterdir()
    os.utime(whole, (1, 1))
    on_disk(values, Reader())
    assert whole.stat().st_mtime > 1, "used just now"
    os.utime(whole, (1, 1))
    on_disk(values, Reader(), form="b").take(EVERY)
    assert not whole.exists()


@pytest.mark.usefixtures("cache")
def test_a_file_that_cannot_be_read_is_named_with_its_row(values: Values, tmp_path: Path) -> None:
    (tmp_path / "4.txt").write_text("four")
    with pytest.raises(DataError, match=r"column scan, val row 4: 4\.txt: cannot be read"):
        on_disk(values, Reader()).take(EVERY)
