"""What corruptions cost, as tables: by corruption and severity, and in one sentence."""

from __future__ import annotations

from ft.core.metrics.robustness import CorruptionScores, Degraded, Robustness, RobustnessScores
from ft.core.report.page import Block, Table, Words
from ft.core.report.text import interval, number


def robustness_blocks(found: Robustness | None) -> list[Block]:
    """A sentence and a table of drops for each output's main metric; nothing where nothing was corrupted."""
    if found is None:
        return []
    parts: list[Block] = [part for scores in found.outputs for part in (Words(summary(scores)), _table(scores))]
    note = "Drops are against the clean answers to the same examples, with paired 95 % intervals; below 0: better."
    untouched = [Words(f"Left as they are: {', '.join(found.untouched)}.")] if found.untouched else []
    return [*parts, Words(note), *untouched]


def summary(scores: RobustnessScores) -> str:
    """The mean corruption score beside the clean one, in a line."""
    sure = f" (95 % interval {interval(scores.drop_interval)})" if scores.drop_interval else ""
    of = "" if scores.relative != scores.relative else f", {100 * scores.relative:.1f} % of it"
    return (
        f"{scores.metric} {number(scores.clean)} clean, {number(scores.value)} in the mean over corruptions{of}: "
        f"{number(scores.drop)} worse{sure}"
    )


def severities_of(scores: RobustnessScores) -> list[int]:
    """Every severity that some corruption was judged at, rising."""
    return sorted({each.severity for row in scores.corruptions for each in row.severities})


def _table(scores: RobustnessScores) -> Table:
    severities = severities_of(scores)
    rows = []
    for row in scores.corruptions:
        at = {each.severity: each for each in row.severities}
        cells = [_drop(at[severity]) if severity in at else "" for severity in severities]
        rows.append([row.corruption, number(row.value), *cells, _drop(row)])
    head = ["corruption", f"mean {scores.metric}", *(f"drop at {each}" for each in severities), "mean drop"]
    return Table(f"What corruptions cost in {scores.metric}", head, rows, right=range(1, len(head)))


def _drop(scores: Degraded | CorruptionScores) -> str:
    return number(scores.drop) + (f" ({interval(scores.interval)})" if scores.interval else "")
