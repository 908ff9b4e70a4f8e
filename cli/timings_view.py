"""Where the time went, as people read it."""

from __future__ import annotations

from collections.abc import Mapping

LEAST = 0.005  # seconds, below which a phase is not worth a line


def lines(seconds: Mapping[str, float]) -> str:
    """A line for each phase that took noticeable time, its seconds and its share; the total last."""
    shown = {f"  {name}": taken for name, taken in seconds.items() if taken >= LEAST}
    width = max(map(len, ("timings", *shown)))
    rows = [f"{name:<{width}}  {taken:>7.2f}  {taken / seconds['total']:>5.0%}" for name, taken in shown.items()]
    return "\n".join([f"{'timings':<{width}}  seconds  share", *rows])
