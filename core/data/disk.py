"""Decoded files kept in one file on disk, over epochs and runs: for columns that would not fit in memory.

A row is written when it is first decoded and read back afterwards, the same bits. While rows are lacking the file is
this process's own, NAME.PID.part; when it is whole it is synced and renamed. So a kill leaves nothing half, and two
processes do not meet. Rows are read and written at their places, not mapped: the system's cache holds them alike, but
a disk that fails is an error instead of a signal. Each row has a checksum; one that is damaged is decoded anew, and
mended in the file where that can be written.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
import weakref
import zlib
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from ft.core.data.files import MEMORY_LIMIT, Files, Keep, Read, in_memory, path_of, stored_files
from ft.core.data.stored import Stored
from ft.core.data.table import Values
from ft.core.errors import DataError, ResourceError

WHOLE, PART = ".rows", ".part"
SHARE = 0.5  # of a disk's free room that auto may take
UNUSED_DAYS = 30  # after which a cache makes room for others
SUM_BYTES = 4
HINT = "write keep: files, or name a folder with room in FT_CACHE"


class CachedFiles(Files):
    """Files whose decoded rows are kept below `folder`.

    form: what, besides the files, decides their bytes: shape and dtype are added. Files are known by path, size and
    time. Raises OSError when the folder cannot be used or the disk lacks room.
    """

    def __init__(
        self, values: Values, row_shape: tuple[int, ...], dtype: torch.dtype, read: Read, folder: Path, form: str
    ) -> None:
        super().__init__(values, row_shape, dtype, read)
        self._row_bytes = self.nbytes // max(1, len(self))
        self._there = np.zeros(len(self), dtype=bool)
        self._sums = np.zeros(len(self), dtype="<u4")
        self._lock = Lock()
        self._damaged = False
        folder.mkdir(parents=True, exist_ok=True)
        self.place = folder / f"{_key(values, f'{row_shape} {dtype} {form}')}{WHOLE}"
        self._part: Path | None = None
        if (whole := self._open_whole()) is not None:
            self._file = whole
        else:
            _tidy(folder)
            self._file, self._part = _begin(self.place, self._total)
        self._close = weakref.finalize(self, _end, self._file, self._part)

    @property
    def _total(self) -> int:
        return self.nbytes + SUM_BYTES * len(self)

    @property
    def whole(self) -> bool:
        """Whether every row is there."""
        return bool(self._there.all())

    def take(self, rows: Tensor) -> Tensor:
        found = super().take(rows)
        with self._lock:
            if self._part is not None and self.whole:
                self._publish(self._part)
        return found

    def fill(self, row: int, out: np.ndarray) -> Sequence[str]:
        known = self._there[row]
        if known and self._fetch(row, out):
            return ()
        remarks = super().fill(row, out)
        if self._part is not None:
            self._put(row, out)
        elif known:
            self._mend(row, out)
        return remarks

    def _fetch(self, row: int, out: np.ndarray) -> bool:
        """Read a row back. False where it cannot be, or is not what was written."""
        try:
            count = os.preadv(self._file, [out.data.cast("B")], row * self._row_bytes)
        except OSError:  # a bad sector: the file that it was decoded from is still there
            return False
        return count == self._row_bytes and zlib.crc32(out.data) == self._sums[row]

    def _put(self, row: int, decoded: np.ndarray) -> None:
        try:
            written = os.pwrite(self._file, decoded.data.cast("B"), row * self._row_bytes)
        except OSError as error:
            raise ResourceError(f"{self._part}: {error.strerror or error}; {HINT}") from error
        self._sums[row] = zlib.crc32(decoded.data)
        self._there[row] = written == self._row_bytes

    def _mend(self, row: int, decoded: np.ndarray) -> None:
        """Write a damaged row anew into the whole file. Others that read it meanwhile see that it is damaged."""
        self._sums[row] = zlib.crc32(decoded.data)
        with self._lock:
            first, self._damaged = not self._damaged, True
        try:
            file = os.open(self.place, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(file, decoded.data.cast("B"), row * self._row_bytes)
                os.pwrite(file, self._sums[row].tobytes(), self.nbytes + row * SUM_BYTES)
            finally:
                os.close(file)
        except OSError as error:  # another user's, or gone meanwhile: what was decoded is right in any case
            mended = f"not mended, {error.strerror or error}"
        else:
            mended = "mended"
        if first:
            self._values.note(
                f"{self.place} is damaged, first found in row {row}; such rows are decoded anew and {mended}"
            )

    def _publish(self, part: Path) -> None:
        """Give the whole file its name. Where that fails this process goes on with it, and it is gone afterwards."""
        self._part = None
        try:
            os.pwrite(self._file, self._sums.tobytes(), self.nbytes)
            os.fsync(self._file)
            part.replace(self.place)
        except OSError:
            part.unlink(missing_ok=True)

    def _open_whole(self) -> int | None:
        """The file of an earlier run, with its checksums read; None where there is none or it is too short."""
        try:
            file = os.open(self.place, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        sums = os.pread(file, self._sums.nbytes, self.nbytes)
        if os.fstat(file).st_size != self._total or len(sums) != self._sums.nbytes:
            os.close(file)
            return None
        self._sums = np.frombuffer(sums, dtype="<u4").copy()
        self._there[:] = True
        os.utime(self.place)
        return file


def kept_files(
    values: Values, row_shape: tuple[int, ...], dtype: torch.dtype, read: Read, keep: Keep, form: str
) -> Stored:
    """Files kept as `keep` says, and a note of where. auto: in memory up to 1 GiB, else on disk where there is room.

    Raises ResourceError when they are to be kept on disk and cannot be, DataError naming a file that cannot be read.
    """
    files = Files(values, row_shape, dtype, read)
    size = _in_units(files.nbytes)
    if in_memory(files.nbytes, keep):
        if values.split == "train":
            values.note(f"decoded once and kept in memory, {size}")
        return stored_files(files, keep)
    if keep == "files":
        values.note(f"decoded anew each time; decoded they would take {size}")
        return files
    folder = cache_folder()
    try:
        room = shutil.disk_usage(_existing(folder)).free
        cached = None
        if keep == "disk" or files.nbytes <= SHARE * room:
            cached = CachedFiles(values, row_shape, dtype, read, folder, form)
    except OSError as error:
        if keep == "disk":
            raise ResourceError(f"{folder}: {error.strerror or error}; {size} are needed there; {HINT}") from error
        values.note(f"decoded anew each time: {folder}: {error.strerror or error}, where {size} would be kept")
        return files
    if cached is None:
        values.note(f"decoded anew each time: {size} is more than half of what is free below {folder}")
        return files
    why = "as asked for" if keep == "disk" else f"as that is more than {_in_units(MEMORY_LIMIT)}"
    state = "from an earlier run" if cached.whole else "as they are decoded"
    values.note(f"kept decoded on disk, {size}, {why}: {cached.place}, {state}")
    return cached


def cache_folder() -> Path:
    """$FT_CACHE, else ft/ in the user's folder of caches (XDG base directories)."""
    own, users = os.environ.get("FT_CACHE"), os.environ.get("XDG_CACHE_HOME")
    return (Path(own) if own else Path(users or Path.home() / ".cache") / "ft") / "decoded"


def _key(values: Values, form: str) -> str:
    """SHA-256, shortened, of the form and of every file's path, size and time."""
    digest = hashlib.sha256(form.encode())
    for row in range(len(values.array)):
        try:
            path = path_of(values, row).absolute()
            found = path.stat()
            line = f"{path}\0{found.st_size} {found.st_mtime_ns}\n"
        except (OSError, DataError):  # reading it will say so
            line = "\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _begin(place: Path, size: int) -> tuple[int, Path]:
    """A file of this process beside `place`, locked as long as it is open, with its room set aside."""
    file, name = tempfile.mkstemp(PART, f"{place.stem}.{os.getpid()}.", place.parent)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file, 0, size)
        else:
            os.ftruncate(file, size)
    except BaseException:
        _end(file, Path(name))
        raise
    return file, Path(name)


def _end(file: int, part: Path | None) -> None:
    """Close it; what never became whole goes."""
    if part is not None:
        part.unlink(missing_ok=True)
    os.close(file)


def _tidy(folder: Path) -> None:
    """Remove what killed processes left behind, and what nobody has used for long."""
    oldest = time.time() - UNUSED_DAYS * 24 * 3600
    for path in folder.iterdir():
        try:
            old = path.suffix == WHOLE and path.stat().st_mtime < oldest
            if old or (path.suffix == PART and _ownerless(path)):
                path.unlink()
        except OSError:  # another process was faster, or it is another user's
            continue


def _ownerless(part: Path) -> bool:
    file = os.open(part, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _in_units(nbytes: int) -> str:
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.1f} MB"
