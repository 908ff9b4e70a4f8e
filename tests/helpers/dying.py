"""`ft WORDS` in a process that kills itself (a real SIGKILL): `python dying.py PLACE N WORDS…`, at a place's Nth time.

step: after the Nth optimizer step's end. read: in the thread that reads the Nth picture. clone, written, synced,
verified, moved: in the saving of checkpoints, before the file is written, after its bytes are, after fsync, after it
was read back, after a rename.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def dying(place: str, number: int, *words: object, cwd: Path) -> int:
    """Run it; the exit code, -9 for one that died as it should."""
    command = [sys.executable, __file__, place, str(number), *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, check=False).returncode


def pausing(number: int, *words: object, cwd: Path) -> subprocess.Popen[bytes]:
    """Start it; it stands still at the Nth step's end, alive and with all its locks, until SIGCONT."""
    command = [sys.executable, __file__, "pause", str(number), *map(str, words)]
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ended = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert ended is not None
    assert ended.si_code == os.CLD_STOPPED
    return process


def _count(
    function: Callable[..., Any], number: int, *, before: bool = False, sent: signal.Signals = signal.SIGKILL
) -> Callable[..., Any]:
    """The function, whose `number`th call is the process's last, or where another signal reaches it."""
    calls = itertools.count(1)

    def counted(*args: Any, **options: Any) -> Any:
        call = next(calls)
        if before and call == number:
            os.kill(os.getpid(), sent)
        answer = function(*args, **options)
        if call == number:
            os.kill(os.getpid(), sent)
        return answer

    return counted


def _main(place: str, number: int, words: list[str]) -> None:
    import torch

    from ft.cli.app import app
    from ft.core.data import decode
    from ft.core.engine import checkpoint, loop, saving

    match place:
        case "step":
            loop.Loop._stepped = _count(loop.Loop._stepped, number)  # type: ignore[method-assign]
        case "pause":
            loop.Loop._stepped = _count(loop.Loop._stepped, number, sent=signal.SIGSTOP)  # type: ignore[method-assign]
        case "read":
            decode.read_into = _count(decode.read_into, number)
        case "clone":
            saving.Saver._write = _count(saving.Saver._write, number, before=True)  # type: ignore[method-assign]
        case "written":
            torch.save = _count(torch.save, number)
        case "synced":
            os.fsync = _count(os.fsync, number)
        case "verified":
            saving.load_checkpoint = _count(checkpoint.load_checkpoint, number)
        case "moved":
            Path.replace = _count(Path.replace, number)  # type: ignore[method-assign]
        case _:
            raise SystemExit(f"no place is called {place}")
    app(words, prog_name="ft")


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
