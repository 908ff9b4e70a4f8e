"""The one error border: which error becomes which exit code, and how it is told.

Inside, errors are exceptions; outside, they are one clear message on stderr and an exit code that a pipeline can trust.
"""

from __future__ import annotations

import functools
import json
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType
from typing import NoReturn, ParamSpec

from ft.cli.streams import own_streams, results
from ft.core.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DivergedError,
    FtError,
    GateError,
    ResourceError,
    SpoiledDataError,
)

P = ParamSpec("P")
SCHEMA_VERSION = 1
LESS_MEMORY = "a smaller batch_size needs less (accumulate makes up for it)"
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "status_alloc_failed")


class ExitCode(IntEnum):
    """What a command's exit code means; the README holds the same table."""

    DONE = 0
    BUG = 1
    USAGE = 2
    GATE = 3
    DATA = 4
    DIVERGED = 5
    RESOURCE = 6
    PREEMPTED = 75
    INTERRUPTED = 130


CODES: dict[type[FtError], ExitCode] = {
    ConfigError: ExitCode.USAGE,
    GateError: ExitCode.GATE,
    DataError: ExitCode.DATA,
    CheckpointError: ExitCode.DATA,
    DivergedError: ExitCode.DIVERGED,
    ResourceError: ExitCode.RESOURCE,
}


class Terminated(KeyboardInterrupt):
    """SIGTERM, as a scheduler or `timeout` sends it: an interrupt to whoever cleans up."""


def bordered(command: Callable[P, None]) -> Callable[P, None]:
    """A command whose errors end the process with their exit code. Heeds `debug` and `as_json`."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        debug, as_json = bool(kwargs.get("debug")), bool(kwargs.get("as_json"))
        with own_streams(), _terminable():
            try:
                command(*args, **kwargs)
                results().flush()
            except BaseException as error:
                message, code, trace = _verdict(error)
                if trace or debug:
                    traceback.print_exception(error)
                told = isinstance(error, GateError | SpoiledDataError)  # the document is out, and says what failed
                _tell(message, code, as_json=as_json and not told)

    return guarded


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises Terminated inside, once: `timeout` sends it twice, and cleaning up must not be cut short.

    Left alone off the main thread, and where whoever started the process, or hosts it, has decided otherwise.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise Terminated


def _verdict(error: BaseException) -> tuple[str, ExitCode, bool]:
    """What to say, the exit code, and whether to show where it came from."""
    if isinstance(error, FtError):
        return str(error), code_of(error), False
    if isinstance(error, KeyboardInterrupt):
        what = "terminated" if isinstance(error, Terminated) else "interrupted"
        return "; ".join([what, *getattr(error, "__notes__", ())]), ExitCode.INTERRUPTED, False
    if isinstance(error, SystemExit):  # of the user's own code: ft itself leaves only through this border
        return f"code outside of ft ended the process (sys.exit({error.code!r}))", ExitCode.USAGE, False
    if isinstance(error, MemoryError):
        return f"out of memory; {LESS_MEMORY}", ExitCode.RESOURCE, False
    if _is_out_of_memory(error):
        return f"{_first_line(error)}; {LESS_MEMORY}", ExitCode.RESOURCE, False
    return f"this is a bug in ft, not in your file: {_first_line(error)}", ExitCode.BUG, True


def code_of(error: FtError) -> ExitCode:
    """The exit code of the error's class, or of the nearest class above it."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def _tell(message: str, code: ExitCode, *, as_json: bool) -> NoReturn:
    """The message on stderr (and as the one JSON document), then the end of the process."""
    for line in message.splitlines() or [""]:
        sys.stderr.write(f"error: {line}\n")
    if as_json:
        write_error(message, code)
    raise SystemExit(int(code))


def write_error(message: str, code: ExitCode) -> None:
    """The one JSON document of a command that failed."""
    document = {"schema_version": SCHEMA_VERSION, "error": message, "exit_code": int(code)}
    results().write(json.dumps(document, indent=2) + "\n")
    results().flush()


def _is_out_of_memory(error: BaseException) -> bool:
    """torch has a class for CUDA's allocator, and only words for CPUs, MPS and CUDA's libraries."""
    said = str(error).lower()
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or any(words in said for words in OUT_OF_MEMORY)
    )


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
