"""Memory: how the C library keeps what was freed, and which errors say that there is none left.

glibc's default is to give large pieces back and to fetch them again. A training step on a CPU frees and takes the same
tens of megabytes again and again, and the kernel then clears every page anew in every step, which took half of the time
of a small convolutional network.
"""

from __future__ import annotations

import ctypes
import sys

# from glibc's malloc.h; see mallopt(3)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 1 << 30  # bytes of one piece that comes from the heap rather than from the kernel
_MOST_KEPT = (1 << 31) - 1  # bytes free at the heap's end before they are given back


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for the next step to take. True where the C library took the wish (glibc).

    No bit of any result changes, nor does the peak of memory; between the peaks the process stays as large as it was.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    wishes = ((_M_MMAP_THRESHOLD, _LARGEST_KEPT), (_M_TRIM_THRESHOLD, _MOST_KEPT))
    taken = [mallopt(option, value) == 1 for option, value in wishes]  # both are made, whatever the first answers
    return all(taken)


_SAID = ("out of memory", "can't allocate memory", "not enough memory", "status_alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """torch has a class for CUDA's allocator, and only words for CPUs, MPS and CUDA's libraries; Python its own."""
    if isinstance(error, MemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or any(words in said for words in _SAID)
    )
