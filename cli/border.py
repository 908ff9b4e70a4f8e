"""The one error border: which error becomes which exit code, and how it is told.

Inside, errors are exceptions; outside, they are one clear message on stderr and an exit code that a pipeline can trust.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum
from typing import ParamSpec

from ft.core.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DivergedError,
    FtError,
    GateError,
    ResourceError,
)

P = ParamSpec("P")
SCHEMA_VERSION = 1


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


def bordered(command: Callable[P, None]) -> Callable[P, None]:
    """A command whose errors end the process with their exit code. Heeds `debug` and `as_json`."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        debug, as_json = bool(kwargs.get("debug")), bool(kwargs.get("as_json"))
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:  # `ft … | head` has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(ExitCode.DONE) from None
        except KeyboardInterrupt:
            _tell("interrupted", ExitCode.INTERRUPTED, as_json=as_json)
        except SystemExit as end:  # of the user's own code: ft itself leaves only through this border
            _tell(f"code outside of ft ended the process (sys.exit({end.code!r}))", ExitCode.USAGE, as_json=as_json)
        except FtError as error:
            if debug:
                traceback.print_exc()
            told = isinstance(error, GateError)  # the document is out, and says which gate failed
            _tell(str(error), code_of(error), as_json=as_json and not told)
        except MemoryError:
            _tell("out of memory; a smaller batch_size needs less", ExitCode.RESOURCE, as_json=as_json)
        except Exception as error:
            if _is_out_of_memory(error):
                _tell(f"{_first_line(error)}; a smaller batch_size needs less", ExitCode.RESOURCE, as_json=as_json)
            traceback.print_exc()
            _tell(f"this is a bug in ft, not in your file: {_first_line(error)}", ExitCode.BUG, as_json=as_json)

    return guarded


def code_of(error: FtError) -> ExitCode:
    """The exit code of the error's class, or of the nearest class above it."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)


def _tell(message: str, code: ExitCode, *, as_json: bool) -> None:
    """The message on stderr (and as the one JSON document), then the end of the process."""
    for line in message.splitlines() or [""]:
        sys.stderr.write(f"error: {line}\n")
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "error": message, "exit_code": int(code)}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    raise SystemExit(int(code))


def _is_out_of_memory(error: Exception) -> bool:
    """torch says it with a class on GPUs and with words on CPUs. Looked up only when torch is there already."""
    return type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
