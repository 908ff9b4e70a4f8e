"""What a stage says of its frozen parts: what learns, before it begins; that nothing frozen moved, at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ft.core.adapt.proof import Unmoved, check_unmoved, digests
from ft.core.assemble.fit import Fit
from ft.core.assemble.learning import Learning
from ft.core.engine.events import Event, Unfrozen
from ft.core.stages.notices import Notice


def tell_learning(learning: Learning, on_notice: Callable[[Notice], None]) -> None:
    """What each pattern froze; and, where layers differ in rate or in when they begin, the table of all."""
    if learning.report is not None:
        *patterns, total = learning.report.lines()
        on_notice(Notice("freeze", total, tuple(patterns)))
    if learning.adapters is not None:
        *details, total = learning.adapters.lines()
        on_notice(Notice("freeze", total, tuple(details)))
    if learning.varied:
        learn, values = (sum(getattr(row, key) for row in learning.rows) for key in ("learn", "values"))
        on_notice(Notice("freeze", f"what learns: {learn:,} of {values:,} values", learning.table()))


class Watch:
    """Holds what is frozen against its digests, which a run that goes on brings with it.

    saved: what an earlier process of this run kept; None for a run that begins here.
    """

    def __init__(self, fit: Fit, saved: Mapping[str, str] | None) -> None:
        self._fit = fit
        self.still = dict(fit.still if saved is None else saved)

    def __call__(self, event: Event) -> None:
        """What begins to learn with an epoch has not moved until then. Raises GateError."""
        if isinstance(event, Unfrozen):
            self.check(at=f" by the end of epoch {event.epoch - 1}", all_of_them=True)

    def check(self, at: str = "", *, all_of_them: bool = False) -> Unmoved | None:
        """None where nothing is frozen. all_of_them: what joined in this epoch too. Raises GateError."""
        names = self._fit.learning.frozen.tensors(joining=all_of_them)
        if not names:
            return None
        loop = self._fit.loop
        if loop.ema is not None:
            check_unmoved(loop.ema.module, names, self.still, f"{at}, in the averaged weights")
        return check_unmoved(self._fit.network.module, names, self.still, at)

    def begin_anew(self) -> None:
        """From here on: for a run of an older ft, whose checkpoint has no digests."""
        self.still = digests(self._fit.network.module, self.still)


def learning_rows(learning: Learning) -> tuple[dict[str, Any], ...]:
    """The table as plain values, for result.json."""
    return tuple(
        {
            "index": row.index,
            "name": row.name,
            "parameters": row.values,
            "trainable": row.learn,
            "rates": list(row.rates),
            "from_epochs": list(row.epochs),
        }
        for row in learning.rows
    )
