"""Whether the probabilities mean what they say, and where the model erred most, as blocks of a report."""

from __future__ import annotations

from collections.abc import Iterator

from ft.core.metrics.calibration import BINS
from ft.core.metrics.intervals import wilson
from ft.core.report.answered import Answered, Reliability
from ft.core.report.page import Bin, Block, Cell, Diagram, Gallery, Table, Words
from ft.core.report.text import interval, number


def reliability(answered: Answered) -> list[Block]:
    """A sentence, the diagram, and the bins behind it; empty bins are left out."""
    found = answered.reliability
    count = sum(found.examples)
    if not count:
        return []
    bins = list(_bins(found))
    rows: list[list[Cell | str]] = [
        [f"{each.low:.2f} to {each.high:.2f}", f"{each.examples:,}", number(each.confidence), number(each.accuracy),
         interval(each.interval)]
        for each in bins
    ]  # fmt: skip
    head = ["confidence", "examples", "mean", "right", "95 % interval"]
    table = Table("Confidence against accuracy by bin", head, rows, right=(1, 2, 3), folded=True)
    return [Words(_sentence(found, count)), Diagram("accuracy by confidence", bins), table]


def _bins(found: Reliability) -> Iterator[Bin]:
    for place, (examples, confidence, right) in enumerate(
        zip(found.examples, found.confidence, found.right, strict=True)
    ):
        if examples:
            ends = place / BINS, (place + 1) / BINS
            yield Bin(*ends, examples, confidence / examples, right / examples, wilson(right, examples))


def _sentence(found: Reliability, count: int) -> str:
    said, was = sum(found.confidence) / count, sum(found.right) / count
    gap = said - was
    way = "over" if gap > 0 else "under"
    how = f"{way}-confident by {number(abs(gap))}" if round(gap, 4) else "as sure as it may be"
    return (
        f"The likeliest class is given {number(said)} on average and right for {number(was)} of the examples: {how}. "
        f"The expected calibration error, over {BINS} bins, is {number(found.ece)}."
    )


def mistakes(answered: Answered) -> list[Block]:
    """The largest losses and the surest wrong answers, and how many there are in all."""
    wrong = answered.wrong
    text = f"{wrong:,} of {answered.count:,} answers are wrong." if wrong else "Every answer is right."
    title = "The largest losses: the true class was given the least."
    blocks: list[Block] = [Words(text), Gallery(title, answered.largest_loss)]
    if answered.surest:
        blocks.append(Gallery("Wrong, and given with the most confidence.", answered.surest))
    if answered.unshown:
        blocks.append(Words(answered.unshown))
    return blocks if answered.count else []
