"""Checkpoints written beside training: cloned at a step's boundary, written by one thread, one at a time.

A newest file is called `last.pt`; the one before it moves to `last-1.pt`, and so on. Before an older one may go, the
new file has been read back from the disk and its checksum has been found right: so there is always one that is known
to be whole. What goes wrong in the thread is raised at the next event of the loop.
"""

from __future__ import annotations

import re
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from torch import Tensor

from ft.core.engine.checkpoint import load_checkpoint, save_checkpoint
from ft.core.errors import CheckpointError, ResourceError

_OLDER = re.compile(r"last-(\d+)\.pt")
_TEMPORARY = ".*.tmp"


class Saver:
    """Writes checkpoints into `folder`. keep: how many of `last` stay."""

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self._folder, self._keep = folder, keep
        self._pool = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None
        self.has_saved = bool(lasts(folder))

    @property
    def best(self) -> Path:
        return self._folder / "best.pt"

    def save(self, *, best: dict[str, Any] | None = None, last: dict[str, Any] | None = None) -> None:
        """Take a copy of the contents and write it soon. Waits for an earlier write; raises what went wrong in it."""
        self.join()
        seen: dict[Any, Tensor] = {}
        copies = _clone({"best": best, "last": last}, seen)
        self._writing = self._pool.submit(self._write, copies)

    def check(self) -> None:
        """Raise what went wrong in a write that has ended. Waits for nothing."""
        if self._writing is not None and self._writing.done():
            self.join()

    def join(self) -> None:
        """Wait until all is written. Raises ResourceError for what could not be."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def close(self) -> None:
        """Wait for the thread, whatever it still meets: for the way out after an error."""
        self._pool.shutdown(wait=True)

    def _write(self, contents: dict[str, dict[str, Any] | None]) -> None:
        best, last = contents["best"], contents["last"]
        if best is not None:
            save_checkpoint(self.best, best)
        if last is not None:
            save_checkpoint(self._folder / "last.pt", last, put=self._rotate)
            self.has_saved = True

    def _rotate(self, file: Path) -> None:
        """Verify `file`, then let it be the newest; each older one moves back by one, the oldest goes."""
        try:
            load_checkpoint(file)
        except CheckpointError as error:
            raise ResourceError(f"what was written is not what was read back: {error}") from error
        newest = lasts(self._folder)
        for number in range(min(len(newest), self._keep - 1), 0, -1):
            _step_back(newest[number - 1], self._folder / f"last-{number}.pt")
        file.replace(self._folder / "last.pt")
        for old in lasts(self._folder)[self._keep :]:
            old.unlink()


def _step_back(file: Path, older: Path) -> None:
    """Give a checkpoint its older name too; the newer one is what the next file takes over.

    Moving it would leave no `last.pt` for a moment, in which a kill or a reader may come. It is moved where the file
    system knows no second names.
    """
    beside = older.with_name(f".{older.name}.tmp")  # swept, like all that is half done
    beside.unlink(missing_ok=True)
    try:
        beside.hardlink_to(file)
    except OSError:
        file.replace(older)
        return
    beside.replace(older)
    beside.unlink(missing_ok=True)  # renaming does nothing where both are names of one file


def lasts(folder: Path) -> list[Path]:
    """The checkpoints that can be gone on from, the newest first."""
    older = [(int(found[1]), path) for path in folder.glob("last-*.pt") if (found := _OLDER.fullmatch(path.name))]
    newest = folder / "last.pt"
    return [*([newest] if newest.exists() else []), *(path for _, path in sorted(older))]


def sweep(folder: Path) -> None:
    """Remove what a writer that was killed left half written."""
    for stale in folder.glob(_TEMPORARY):
        stale.unlink(missing_ok=True)


def _clone(value: Any, seen: dict[Any, Tensor]) -> Any:
    """A copy on the CPU that training cannot change. Tensors that are one stay one, so they are written once."""
    if isinstance(value, dict):
        return {key: _clone(item, seen) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_clone(item, seen) for item in value)
    if not isinstance(value, Tensor):
        return value
    key = (value.data_ptr(), value.device, value.dtype, value.shape, value.stride())
    if value.numel() == 0 or key not in seen:
        seen[key] = value.detach().to("cpu", copy=True)
    return seen[key]
