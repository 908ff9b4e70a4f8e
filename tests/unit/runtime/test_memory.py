"""Memory that a step frees is there for the next step, without a visit to the kernel."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROBE = """
import resource, sys
import torch
if "keep" in sys.argv:
    from ft.core.runtime.memory import keep_freed_memory
    assert keep_freed_memory()
def steps(count):
    for _ in range(count):
        kept = torch.empty(10_000_000).fill_(1.0)  # 40 MB: above 32 MB glibc never learns to keep by itself
        del kept
steps(10)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
steps(20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked")
def test_steady_steps_fetch_no_pages_from_the_kernel() -> None:
    faults = {
        word: int(
            subprocess.run([sys.executable, "-c", PROBE, word], capture_output=True, text=True, check=True).stdout
        )
        for word in ("keep", "default")
    }
    # 20 steps of 40 MB are 195,312 pages of 4 kB; a heap that settles a few steps late fetches some of them again
    assert faults["keep"] < faults["default"] / 2
