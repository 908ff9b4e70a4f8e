"""What a signal does outside of training."""

from __future__ import annotations

import signal

import pytest

from ft.core.runtime.signals import Terminated, terminable

STOPS = [signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("first", STOPS)
@pytest.mark.parametrize("echo", STOPS)
def test_a_wish_to_stop_interrupts_once(first: signal.Signals, echo: signal.Signals) -> None:
    with terminable():
        with pytest.raises(Terminated):
            signal.raise_signal(first)
        signal.raise_signal(echo)  # while whoever was interrupted cleans up
    assert [signal.getsignal(each) for each in STOPS] == [signal.SIG_DFL, signal.SIG_DFL]


@pytest.mark.fault(9)
def test_a_wish_to_save_before_there_is_anything_is_no_end() -> None:
    with terminable():
        signal.raise_signal(signal.SIGUSR1)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_nohup_stays_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminable():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
