"""What an output column needs of the model: a head knows its size, its loss, how to read its answers and its scores.

A head has no weights: the last layer belongs to the network, which gives `raw` (B, size), and the head only says
how large it must be. So a head is plain values, and evaluation needs nothing but the checkpoint to rebuild it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor

from ft.core.metrics.by_example import ByExample
from ft.core.metrics.scores import Accumulator

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Decoded:
    """Raw outputs in the user's terms.

    prediction: category: the index of the class, int64 (B,). labels: 1 where a label is given, uint8 (B, K). number:
        in the user's units, float32 (B,). ranking: the column of the item that comes first, int64 (B,).
    probabilities: float32 (B, K) in 0..1. category: of the classes, rows sum to 1. labels: of each label on its own.
        None for a number and a ranking.
    """

    prediction: Tensor
    probabilities: Tensor | None = None


class Head(Protocol):
    """One output of the model.

    Targets have one row per example: (B,) of a category or a number, (B, K) of labels, (B, C) of a ranking.

    name: the output column's.
    size: how many values per example the model gives, the length of `raw`'s last axis; of a ranking 1 per item, and
        raw is (B, C) for C items.
    weight: the share of this output's loss in the total.
    main_metric: what chooses the best checkpoint when the experiment does not say.
    higher_is_better: whether a larger main metric is the better one.
    on_request: metrics that are reported only when asked for.
    answers_by_example: whether a row of `raw` answers for one example, of the split's rows.
    means: those metrics that are the mean of a value of each example, which `per_example` gives.
    """

    name: str
    size: int
    weight: float
    main_metric: str
    higher_is_better: bool
    answers_by_example: bool
    means: tuple[str, ...]
    on_request: tuple[str, ...]

    def loss_sum(self, raw: Tensor, targets: Tensor) -> Tensor:
        """The loss summed over the batch: raw (B, size) of any float type, targets (B, ...) -> scalar float32.

        Sums over any pieces of a batch, added and divided by their added denominators, equal the mean over the batch.
        """

    def denominator(self, targets: Tensor) -> Tensor:
        """What the summed loss is divided by: targets (B, ...) -> scalar float32 on their device; no host sync."""

    def decode(self, raw: Tensor) -> Decoded:
        """raw (B, size) -> answers in the user's terms."""

    def scores(self) -> Accumulator:
        """Fresh sums for one split."""

    def per_example(self, raw: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The values of `means`: (B,), by metric."""

    def by_example(self, raw: Tensor, targets: Tensor) -> ByExample | None:
        """The answers to a whole split, raw (N, size) and targets (N, ...) on the CPU; None where a row answers for
        no example.
        """

    def update(self, scores: Accumulator, raw: Tensor, targets: Tensor) -> None:
        """Add a batch, raw (B, size) and targets (B, ...), to sums that `scores()` gave."""

    def comparable(self) -> list[str]:
        """Those of its metrics in which two models can be compared on the same examples."""

    @property
    def leaves_decisions(self) -> bool:
        """Whether its settings leave something to validation."""

    def decide(self, raw: Tensor, targets: Tensor) -> dict[str, Any]:
        """What its settings leave to validation, chosen from the answers to that split, as `make_head` takes it: plain
        values; empty where they leave nothing.
        """

    def metric_names(self) -> list[str]:
        """Every metric this head can report, `loss` included."""

    def direction(self, metric: str) -> Direction:
        """Whether `metric`, one of `metric_names()`, is better when larger or when smaller."""
