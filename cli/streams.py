"""The standard streams while a command runs: results have stdout to themselves, everything else goes to stderr.

What a user's model or a library prints must not get between a result and the program that reads it: inside
`own_streams` a `print` goes to stderr, and `results` is the real stdout. A reader that went away (`ft … | head`, a
terminal that was closed) is no error: what is still said goes nowhere, and the work goes on to its own end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO, cast

from ft.core.errors import ResourceError


class Enduring:
    """A text stream that outlives its reader; all else is as in the stream it stands for.

    essential: a write that fails for another reason, such as a full disk, raises ResourceError. On a stream that is
    not essential it goes unheard: no training dies of its progress lines. written: whether something was.
    """

    def __init__(self, stream: TextIO, *, essential: bool) -> None:
        self._stream, self._essential = stream, essential
        self.written = False

    def write(self, text: str) -> int:
        try:
            count = self._stream.write(text)
            self.written = True
            return count
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        """From here on into nowhere, with what the stream still holds: Python flushes it once more when it ends."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        if self._essential and not isinstance(error, BrokenPipeError):
            raise ResourceError(f"cannot write the result: {error.strerror}") from error


_results: ContextVar[TextIO | None] = ContextVar("results", default=None)


def results() -> TextIO:
    """Where results go: the stdout that the process was started with."""
    return _results.get() or sys.stdout


@contextmanager
def own_streams() -> Iterator[None]:
    """Inside, `sys.stdout` is stderr, `results()` the real stdout, and neither minds a reader that leaves."""
    before = sys.stdout, sys.stderr
    out, err = (cast(TextIO, Enduring(stream or _nowhere(), essential=stream is before[0])) for stream in before)
    token = _results.set(out)
    sys.stdout = sys.stderr = err
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        _results.reset(token)


def _nowhere() -> TextIO:
    """Stands for a stream the process was started without (`ft … >&-`)."""
    return Path(os.devnull).open("w", encoding="utf-8")
