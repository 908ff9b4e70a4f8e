"""The writer beside training: what it writes is what was, and a good file outlives every bad one."""

from __future__ import annotations

import errno
import threading
from pathlib import Path
from typing import Any, Never

import pytest
import torch
from torch import Tensor

from ft.core.engine import checkpoint, saving
from ft.core.engine.checkpoint import load_checkpoint
from ft.core.engine.saving import Saver, lasts, sweep
from ft.core.errors import ResourceError


def contents(value: float) -> dict[str, Any]:
    return {"network": {"weight": torch.full((4, 3), value)}, "step": int(value)}


def value_of(path: Path) -> float:
    return float(load_checkpoint(path)["network"]["weight"][0, 0])


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_training_changes_after_the_call_is_not_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_write = threading.Event()
    write = saving.save_checkpoint

    def late(*arguments: Any, **options: Any) -> None:
        may_write.wait(10)
        write(*arguments, **options)

    monkeypatch.setattr(saving, "save_checkpoint", late)
    saver, state = Saver(tmp_path), contents(1)
    saver.save(last=state)
    state["network"]["weight"].fill_(2)  # the next step, in place, while the write waits
    state["step"] = 2
    may_write.set()
    saver.join()
    assert value_of(tmp_path / "last.pt") == 1
    assert load_checkpoint(tmp_path / "last.pt")["step"] == 1


def test_tensors_that_are_one_are_written_once(tmp_path: Path) -> None:
    shared = torch.zeros(100_000)
    saver = Saver(tmp_path)
    saver.save(last={"weights": {"tied": shared, "also": shared}}, best={"weights": {"tied": shared}})
    saver.join()
    for name in ("last.pt", "best.pt"):
        assert 400_000 < (tmp_path / name).stat().st_size < 500_000


@pytest.mark.parametrize("keep", [1, 2, 4])
def test_the_newest_few_stay_in_order(tmp_path: Path, keep: int) -> None:
    saver = Saver(tmp_path, keep)
    for value in range(6):
        saver.save(last=contents(value))
    saver.join()
    assert [value_of(path) for path in lasts(tmp_path)] == [5, 4, 3, 2][:keep]
    assert files(tmp_path) == {"last.pt", "last-1.pt", "last-2.pt", "last-3.pt"} - {
        f"last-{number}.pt" for number in range(keep, 4)
    }


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_once_there_last_is_there_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: int) -> None:
    """A kill, or a reader, may come after any rename; once one saw no last.pt."""
    saver = Saver(tmp_path, keep)
    saver.save(last=contents(1))
    saver.join()
    move, seen = Path.replace, list[float]()

    def watched(self: Path, target: Path) -> Path:
        moved = move(self, target)
        seen.append(value_of(tmp_path / "last.pt"))
        return moved

    monkeypatch.setattr(Path, "replace", watched)
    for value in (2, 3, 4):
        saver.save(last=contents(value))
        saver.join()
    assert seen == sorted(seen)
    assert {2, 3, 4} <= set(seen)
    assert files(tmp_path) == {"last.pt", *(f"last-{number}.pt" for number in range(1, keep))}


def test_killed_between_two_names_of_one_file_the_next_save_leaves_nothing_behind(tmp_path: Path) -> None:
    saver = Saver(tmp_path)
    saver.save(last=contents(1))
    saver.join()
    (tmp_path / "last-1.pt").hardlink_to(tmp_path / "last.pt")  # as a kill in the middle leaves them
    saver.save(last=contents(2))
    saver.join()
    assert files(tmp_path) == {"last.pt", "last-1.pt"}
    assert [value_of(path) for path in lasts(tmp_path)] == [2, 1]


def test_without_second_names_for_a_file_the_older_ones_stay_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Never:
        raise OSError(errno.EPERM, "not on this file system")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    saver = Saver(tmp_path)
    for value in (1, 2, 3):
        saver.save(last=contents(value))
        saver.join()
    assert [value_of(path) for path in lasts(tmp_path)] == [3, 2]


def test_fewer_to_keep_removes_what_an_earlier_run_kept(tmp_path: Path) -> None:
    for keep, value in ((4, 0), (4, 1), (4, 2), (2, 3)):
        saver = Saver(tmp_path, keep)
        saver.save(last=contents(value))
        saver.join()
    assert [value_of(path) for path in lasts(tmp_path)] == [3, 2]


def test_a_file_that_reads_back_otherwise_never_takes_the_place_of_a_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver = Saver(tmp_path, 1)
    saver.save(last=contents(1))
    saver.join()
    save = torch.save

    def torn(whole: Any, file: Any) -> None:
        save(whole, file)
        file.seek(file.tell() // 2)
        file.write(b"\0" * 64)

    monkeypatch.setattr(checkpoint.torch, "save", torn)
    saver.save(last=contents(2))
    with pytest.raises(ResourceError, match="not what was read back"):
        saver.join()
    assert value_of(tmp_path / "last.pt") == 1
    assert files(tmp_path) == {"last.pt"}


def test_a_full_disk_is_told_at_the_next_event_and_costs_no_good_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver = Saver(tmp_path)
    saver.save(last=contents(1), best=contents(1))
    saver.join()

    def full(_: Any, file: Any) -> Never:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", full)
    saver.save(last=contents(2), best=contents(2))
    saver.close()
    with pytest.raises(ResourceError, match=r"it takes .* MB, .* MB are free.*No space left"):
        saver.check()
    assert value_of(tmp_path / "last.pt") == value_of(saver.best) == 1
    assert files(tmp_path) == {"last.pt", "best.pt"}


def test_an_error_is_told_once(tmp_path: Path) -> None:
    saver = Saver(tmp_path / "gone")
    saver.save(last=contents(1))
    with pytest.raises(ResourceError):
        saver.join()
    saver.check()
    saver.join()


def test_half_written_files_are_swept_and_whole_ones_are_not(tmp_path: Path) -> None:
    for name in (".last.pt.x1.tmp", ".best.pt.y2.tmp", "last.pt", "last-1.pt", "notes.tmp"):
        (tmp_path / name).write_bytes(b"")
    sweep(tmp_path)
    assert files(tmp_path) == {"last.pt", "last-1.pt", "notes.tmp"}


def test_views_and_strides_come_back_as_they_were(tmp_path: Path) -> None:
    whole = torch.arange(24.0).reshape(4, 6)
    views: dict[str, Tensor] = {"row": whole[1], "turned": whole.T, "cut": whole[:, ::2], "empty": whole[:0]}
    saver = Saver(tmp_path)
    saver.save(last={"views": views})
    saver.join()
    read = load_checkpoint(tmp_path / "last.pt")["views"]
    assert {name: value.tolist() for name, value in read.items()} == {k: v.tolist() for k, v in views.items()}
