"""How the C library keeps memory that was freed: by default it gives large pieces back and fetches them again.

A training step on a CPU frees and takes the same tens of megabytes again and again; with glibc's defaults the kernel
then clears every page anew in every step, which took half of the time of a small convolutional network.
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
