"""How many threads make sense here. Imports nothing but the standard library."""

from __future__ import annotations

import os


def cores() -> int | None:
    """Those this process may use: a container's share where the system tells, not the whole host. None: not known."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
