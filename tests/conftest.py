"""What holds for every test: one thread, no setting taken over from the machine, the same examples every time."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import pytest
from faults import FAULTS
from hypothesis import settings

# Before torch is imported anywhere, and inherited by every `ft` a test starts: two workers with two threads each on
# two cores are slower than with one, and bits do not depend on the machine's core count.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("FT_RUNS", None)
# A shell starts what is sent to the background deaf to Ctrl-C, and every process started from there is deaf as well.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("ft", deadline=None, derandomize=True, database=None)
settings.load_profile("ft")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make faults`."""
    parser.addoption("--faults", action="store_true", help="the tests of faults only, the long ones too, and a table")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests are not for every day."""
    faults = config.getoption("--faults")
    unwanted = [item for item in items if (not item.get_closest_marker("fault") if faults else "long" in item.keywords)]
    config.hook.pytest_deselected(items=unwanted)
    items[:] = [item for item in items if item not in unwanted]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report say which faults it is about, also from another process."""
    report = yield
    report.user_properties += [("fault", mark.args[0]) for mark in item.iter_markers("fault") if report.when == "call"]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table of faults: each row's tests, and whether all of them passed."""
    if not config.getoption("--faults"):
        return
    outcomes: dict[int, list[str]] = {number: [] for number in FAULTS}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, number in report.user_properties:
                if name == "fault":
                    outcomes[number].append(outcome)
    terminalreporter.section("faults")
    for number, (fault, promise) in FAULTS.items():
        seen = outcomes[number]
        verdict = "FAIL" if "failed" in seen else "pass" if "passed" in seen else "not tested"
        terminalreporter.write_line(f"{number:>2}  {verdict:<10}  {len(seen):>2} tests  {fault}: {promise}")
