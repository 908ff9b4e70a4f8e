"""One process at a time in a run's folder.

The lock is the kernel's (flock), so that of a dead process is free at once, however it died. What the file says, which
process on which machine holds it, is for the message; where a file system has no locks, it is what decides.
"""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Self

from ft.core.errors import ResourceError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PROBE = 0.1  # seconds after which `is_held`, which has the lock for a moment, is done


class Lock:
    """Held from `take` until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> Self:
        """Raise ResourceError when another process has it, which is named, or it cannot be written."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ResourceError(f"cannot write {self._path}: {error.strerror or error}") from error
        if not _locked(file):
            time.sleep(_PROBE)
        if not _locked(file):
            holder = _holder(file)
            os.close(file)
            raise ResourceError(f"{self._path.parent} is in use by {_told(holder)}; one process at a time")
        try:
            os.truncate(file, 0)
            os.pwrite(file, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        except OSError as error:  # a full disk
            os.close(file)
            raise ResourceError(f"cannot write {self._path}: {error.strerror or error}") from error
        self._file = file
        return self

    def release(self) -> None:
        """Free it; once more does nothing."""
        if self._file is not None:
            os.truncate(self._file, 0)
            os.close(self._file)
            self._file = None

    def is_held(self) -> bool | None:
        """Whether some process has it. None: that cannot be told, as its file is not there or cannot be opened."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return not _locked(file)
        finally:
            os.close(file)


class Turn:
    """One process at a time, for a moment; the others wait. Of a process that dies the kernel frees it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """Wait until it is free. Raises ResourceError where the file system has no locks, or nothing can be written."""
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError as error:
            raise ResourceError(f"cannot lock {self._path}: {error.strerror or error}") from error
        return True

    def release(self) -> None:
        """Let the next one in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _locked(file: int) -> bool:
    """Take the kernel's lock; where there is none, see whether the process that the file names still lives."""
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    holder = _holder(file)
    here = holder.get("host") == socket.gethostname()
    return not holder or (here and (holder["pid"] == os.getpid() or not _lives(int(holder["pid"]))))


def _holder(file: int) -> dict[str, int | str]:
    try:
        holder = json.loads(os.pread(file, 1000, 0))
        return {"pid": int(holder["pid"]), "host": str(holder["host"])}
    except (ValueError, KeyError, TypeError):
        return {}


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _told(holder: dict[str, int | str]) -> str:
    if not holder:
        return "another process"
    elsewhere = "" if holder["host"] == socket.gethostname() else f" on {holder['host']}"
    return f"process {holder['pid']}{elsewhere}"
