"""What the raw answers to every example come to, for one output of a category: whether its probabilities mean what they
say, and where it erred most.

The mistakes are of two kinds that teach different things: the largest losses, where the true class was given the least
(a label that is wrong, an example like none in training), and the wrong answers that were given with most confidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ft.core.metrics import calibration
from ft.core.report.showing import Shown

MISTAKES = 12  # of each kind


@dataclass(frozen=True)
class Reliability:
    """By bin of confidence, of equal width: examples, the sum of their confidence, how many were right; the expected
    calibration error, 0..1.
    """

    examples: tuple[int, ...]
    confidence: tuple[float, ...]
    right: tuple[int, ...]
    ece: float


@dataclass(frozen=True)
class Mistake:
    """An example. probability: of the answer, own: of the true class. loss: -log own. shown: what it looked like."""

    name: str
    true: str
    answered: str
    probability: float
    own: float
    loss: float
    shown: Sequence[Shown] = ()


@dataclass(frozen=True)
class Answered:
    """One output on one split. wrong: how many answers were; largest_loss, surest: the mistakes, worst first; surest is
    empty where it would say the same again. unshown: why examples have no picture, or nothing.
    """

    count: int
    wrong: int
    reliability: Reliability
    largest_loss: Sequence[Mistake]
    surest: Sequence[Mistake]
    unshown: str = ""


def look_at(
    logits: Tensor,
    chosen: Tensor,
    targets: Tensor,
    classes: Sequence[str],
    name_of: Callable[[int], str],
    show: Callable[[Tensor], list[list[Shown]]] | None = None,
) -> Answered:
    """logits: float32 (N, K). chosen, targets: int64 (N,); chosen is what was answered, by a threshold not always the
    likeliest class. name_of: a row's. show: what rows looked like, int64 (M,) -> M.
    """
    logs = logits.log_softmax(1)  # (N, K)
    best = logs.gather(1, chosen[:, None]).squeeze(1)  # (N,)
    own = logs.gather(1, targets[:, None]).squeeze(1)  # (N,)
    wrong = chosen != targets
    worst = own.argsort(stable=True)[:MISTAKES]
    mistaken = wrong.nonzero().squeeze(1)
    surest = mistaken[best[mistaken].argsort(descending=True, stable=True)[:MISTAKES]]
    if set(surest.tolist()) <= set(worst.tolist()):  # of two classes, mostly
        surest = surest[:0]
    rows = torch.cat([worst, surest])
    shown = show(rows) if show is not None else [[] for _ in rows]

    def told(row: int, seen: Sequence[Shown]) -> Mistake:
        names = classes[int(targets[row])], classes[int(chosen[row])]
        return Mistake(name_of(row), *names, float(best[row].exp()), float(own[row].exp()), -float(own[row]), seen)

    mistakes = [told(row, seen) for row, seen in zip(rows.tolist(), shown, strict=True)]
    return Answered(
        count=len(targets),
        wrong=int(wrong.sum()),
        reliability=_reliability(logits, targets),
        largest_loss=mistakes[: len(worst)],
        surest=mistakes[len(worst) :],
    )


def _reliability(logits: Tensor, targets: Tensor) -> Reliability:
    sums = calibration.zero_sums()
    calibration.add(sums, logits, targets)
    examples, confidence, right = sums["bins"].tolist()
    ece = calibration.ece(sums, len(targets))
    return Reliability(tuple(map(int, examples)), tuple(confidence), tuple(map(int, right)), ece)
