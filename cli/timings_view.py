"""Where the time went, as people read it."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

LEAST = 0.005  # seconds, below which a phase is not worth a line


def view(seconds: Mapping[str, float]) -> Table:
    """A line for each phase that took noticeable time, its seconds and its share; the total last."""
    table = Table("timings", box=None, padding=(0, 2, 0, 0), header_style="")
    for name in ("seconds", "share"):
        table.add_column(name, justify="right")
    for name, taken in seconds.items():
        if taken >= LEAST:
            table.add_row(f"  {name}", f"{taken:.2f}", f"{taken / seconds['total']:.0%}")
    return table
