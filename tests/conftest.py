"""What holds for every test: one thread, no setting taken over from the machine, the same examples every time."""

from __future__ import annotations

import os

from hypothesis import settings

# Before torch is imported anywhere, and inherited by every `ft` a test starts: two workers with two threads each on
# two cores are slower than with one, and bits do not depend on the machine's core count.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("FT_RUNS", None)

settings.register_profile("ft", deadline=None, derandomize=True, database=None)
settings.load_profile("ft")
