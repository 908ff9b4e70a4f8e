"""What a process is told from outside: stop (SIGTERM, SIGHUP, Ctrl-C), or save (SIGUSR1, a scheduler's warning).

While something is there to be finished, the first wish to stop is passed on, for the next step boundary; a second one
ends the process on the spot. Otherwise a wish to stop is an exception where the program stands. No torch here.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_ECHO = 1.0  # seconds: `timeout` and some shells send the same signal twice
_HANGUP: signal.Signals | None = getattr(signal, "SIGHUP", None)  # the terminal went; not on Windows, nor the next
_SAVE: signal.Signals | None = getattr(signal, "SIGUSR1", None)


class Terminated(KeyboardInterrupt):
    """SIGTERM, as a scheduler or `timeout` sends it, or SIGHUP: an interrupt to whoever cleans up."""


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM and SIGHUP raise Terminated inside, once: cleaning up must not be cut short by an echo. SIGUSR1 does
    nothing yet, where its default would end the process.

    Left alone off the main thread, and where whoever started the process, or hosts it, has decided otherwise.
    """
    with (
        _handling(signal.SIGTERM, _terminate, signal.SIG_DFL),
        _handling(_HANGUP, _terminate, signal.SIG_DFL),  # `nohup` has decided otherwise
        _handling(_SAVE, _nothing, signal.SIG_DFL),
    ):
        yield


def _terminate(_: int, __: FrameType | None) -> None:
    for number in (signal.SIGTERM, _HANGUP):
        if number is not None and signal.getsignal(number) is _terminate:
            signal.signal(number, _nothing)
    raise Terminated


class Wishes:
    """What signals asked for. stopped: the first one that asked to stop, or None."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.stopped: signal.Signals | None = None
        self._stop, self._since = stop, 0.0

    def hear(self, number: int, _: FrameType | None) -> None:
        """A signal's handler: pass the first on; end the process at a second one that is no echo of the first."""
        now = time.monotonic()
        if self.stopped is None:
            self.stopped, self._since = signal.Signals(number), now
            self._stop()
        elif now - self._since > _ECHO:
            _leave(signal.Signals(number))


@contextmanager
def passed_on(stop: Callable[[], None], save: Callable[[], None]) -> Iterator[Wishes]:
    """Inside, SIGTERM, SIGHUP and Ctrl-C call `stop`, SIGUSR1 `save`; handlers of someone else's stay in force."""
    wishes = Wishes(stop)
    with (
        _handling(signal.SIGTERM, wishes.hear, signal.SIG_DFL, _terminate),
        _handling(_HANGUP, wishes.hear, signal.SIG_DFL, _terminate),
        _handling(signal.SIGINT, wishes.hear, signal.default_int_handler),
        _handling(_SAVE, lambda *_: save(), signal.SIG_DFL, _nothing),
    ):
        yield wishes


def _nothing(_: int, __: FrameType | None) -> None:
    """Nothing is there to save yet, or to end twice."""


@contextmanager
def _handling(
    number: signal.Signals | None, handler: Callable[[int, FrameType | None], object], *ours: object
) -> Iterator[None]:
    """Handle a signal inside, if what handles it now is one of `ours`."""
    if number is None or not _in_main_thread() or (before := signal.getsignal(number)) not in ours:
        yield
        return
    signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _leave(number: signal.Signals) -> NoReturn:
    """End the process without waiting for anything. What is written by renaming is whole at any moment."""
    shown = "\x1b[?25h\r" if sys.stderr.isatty() else ""  # a bar hides the cursor
    os.write(2, f"{shown}error: {number.name} once more: left at once; what was saved before is whole\n".encode())
    os._exit(130 if number is signal.SIGINT else 75)
