"""The one error border: which error becomes which exit code, and how it is told.

Inside, errors are exceptions; outside, they are one clear message on stderr and an exit code that a pipeline can trust.
"""

from __future__ import annotations

import errno
import functools
import json
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from enum import IntEnum
from pathlib import Path
from typing import NoReturn, ParamSpec

from ft.cli import timings_view
from ft.cli.streams import own_streams, results
from ft.core.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DivergedError,
    FtError,
    GateError,
    PreemptedError,
    ResourceError,
    visible,
)
from ft.core.runtime.memory import is_out_of_memory
from ft.core.runtime.signals import Terminated, terminable
from ft.core.runtime.timings import measured, measuring

P = ParamSpec("P")
SCHEMA_VERSION = 1
FULL = (errno.ENOSPC, errno.EDQUOT)
VIEWED = "view size is not compatible with input tensor's size and stride"  # torch's words
LAYOUT = "call reshape or flatten instead, or set train.speed.memory_format: contiguous"
LESS_MEMORY = "a smaller batch_size needs less (accumulate makes up for it)"


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
    PreemptedError: ExitCode.PREEMPTED,
}


def bordered(command: Callable[P, None]) -> Callable[P, None]:
    """A command whose errors end the process with their exit code. Heeds `debug`, `as_json`, `form` and `timings`;
    `form="json"` is `as_json`, and beside another form `as_json` is an error.
    """

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        form = "json" if kwargs.get("as_json") else kwargs.get("form")
        if form == "json":
            kwargs["as_json"] = True
        timed = measuring() if kwargs.get("timings") else nullcontext()
        with own_streams(), terminable(), timed:
            try:
                if kwargs.get("form") not in (None, form):
                    raise ConfigError(f"--json is --format json, not {kwargs['form']}: choose one of the two")
                command(*args, **kwargs)
                results().flush()
            except BaseException as error:
                message, code, trace = _verdict(error)
                if trace or kwargs.get("debug"):
                    traceback.print_exception(error)
                told = getattr(results(), "written", False)  # the document is out, and says what failed
                form = None if told else str(form or "text")
                if form not in (None, "json") and (seconds := measured()) is not None:
                    sys.stderr.write(f"{timings_view.lines(seconds)}\n")
                if form is not None and "form" in kwargs:  # a command that ends with a verdict
                    from ft.cli.formats import tell_failure

                    file = kwargs.get("junit")
                    tell_failure(file if isinstance(file, Path) else None, form, message, int(code))
                _tell(message, code, form)

    return guarded


def _verdict(error: BaseException) -> tuple[str, ExitCode, bool]:
    """What to say, the exit code, and whether to show where it came from."""
    if isinstance(error, FtError):
        return str(error), code_of(error), False
    if isinstance(error, KeyboardInterrupt):
        terminated = isinstance(error, Terminated)
        words = "; ".join(["terminated" if terminated else "interrupted", *getattr(error, "__notes__", ())])
        return words, ExitCode.PREEMPTED if terminated else ExitCode.INTERRUPTED, False
    if isinstance(error, SystemExit):  # of the user's own code: ft itself leaves only through this border
        return f"code outside of ft ended the process (sys.exit({error.code!r}))", ExitCode.USAGE, False
    if isinstance(error, RuntimeError) and VIEWED in str(error):
        return f"your model's code calls view on a tensor in another memory layout; {LAYOUT}", ExitCode.USAGE, True
    if is_out_of_memory(error):
        said = "out of memory" if isinstance(error, MemoryError) else _first_line(error)
        return f"{said}; {LESS_MEMORY}", ExitCode.RESOURCE, False
    if isinstance(error, OSError) and error.errno in FULL:
        return (
            f"cannot write{f' {error.filename}' if error.filename else ''}: {error.strerror}",
            ExitCode.RESOURCE,
            False,
        )
    return f"this is a bug in ft, not in your file: {_first_line(error)}", ExitCode.BUG, True


def code_of(error: FtError) -> ExitCode:
    """The exit code of the error's class, or of the nearest class above it."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def _tell(message: str, code: ExitCode, form: str | None) -> NoReturn:
    """The message on stderr, and on stdout in the form asked for (None: that is told), then the end of the process."""
    for line in message.removesuffix("\n").split("\n"):
        sys.stderr.write(f"error: {visible(line)}\n")
    if form == "json":
        write_error(message, code)
    elif form not in (None, "text"):
        from ft.cli.formats import failure

        results().write(failure(form, message, int(code)))
        results().flush()
    raise SystemExit(int(code))


def write_error(message: str, code: ExitCode) -> None:
    """The one JSON document of a command that failed."""
    seconds = measured()
    timings = {} if seconds is None else {"timings": seconds}
    told = {"kind": "error", "error": message, "exit_code": int(code), **timings}
    document = {"schema_version": SCHEMA_VERSION, **told}
    results().write(json.dumps(document, indent=2) + "\n")
    results().flush()


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
