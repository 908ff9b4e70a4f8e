"""Distillation (Hinton, Vinyals and Dean 2015, arXiv:1503.02531): a student learns from labels and a teacher's answers.

    loss = (1 - weight) * own loss + weight * imitation

of each output that is taught; what imitation is, and its temperature, is the head's to say. The teacher's answers come
with the targets of a batch, so micro-batches, accumulation and learned weights of several losses need to know nothing
of them. Validation has plain targets, and there a taught head is the plain one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ft.core.engine.protocols import Batch, Head, Loader
from ft.core.metrics.scores import Accumulator


class Imitating(Head, Protocol):
    """A head that can learn from another model's answers, and can teach."""

    def answers(self, raw: Tensor) -> Tensor: ...
    def imitation_sum(self, raw: Tensor, answers: Tensor, targets: Tensor, temperature: float) -> Tensor: ...


@dataclass(frozen=True)
class Taught:
    """An output's targets with the teacher's answers beside them: (B, ...) each. Rows are taken of both together."""

    targets: Tensor
    answers: Tensor

    def __getitem__(self, rows: slice) -> Taught:
        return Taught(self.targets[rows], self.answers[rows])


class TaughtHead:
    """A head whose training targets are `Taught`. weight: the imitation's share of the loss, above 0 and at most 1."""

    def __init__(self, head: Imitating, weight: float, temperature: float) -> None:
        self.head, self._share, self._temperature = head, weight, temperature

    @property
    def name(self) -> str:
        return self.head.name

    @property
    def weight(self) -> float:
        return self.head.weight

    def denominator(self, targets: Tensor | Taught) -> Tensor:
        return self.head.denominator(targets.targets if isinstance(targets, Taught) else targets)

    def loss_sum(self, raw: Tensor, targets: Tensor | Taught) -> Tensor:
        """Of taught targets the blend, of plain ones the head's own loss."""
        if not isinstance(targets, Taught):
            return self.head.loss_sum(raw, targets)
        imitation = self.head.imitation_sum(raw, targets.answers, targets.targets, self._temperature)
        if self._share == 1:
            return imitation
        return (1 - self._share) * self.head.loss_sum(raw, targets.targets) + self._share * imitation

    def scores(self) -> Accumulator:
        return self.head.scores()

    def update(self, scores: Accumulator, raw: Tensor, targets: Tensor) -> None:
        self.head.update(scores, raw, targets)


@dataclass(frozen=True)
class TaughtBatch:
    """A batch whose taught outputs have `Taught` targets."""

    inputs: Mapping[str, Tensor]
    targets: dict[str, Any]
    examples: Tensor


class TaughtLoader:
    """The batches of a loader with a teacher's answers. answers: (epoch, rows) -> (B, ...) by output."""

    def __init__(self, loader: Loader, answers: Callable[[int, Tensor], Mapping[str, Tensor]]) -> None:
        self._loader, self._answers = loader, answers

    @property
    def batches_per_epoch(self) -> int:
        return self._loader.batches_per_epoch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """As the loader's."""
        for batch in self._loader.epoch(epoch, start):
            answers = self._answers(epoch, batch.examples)
            taught = {name: Taught(batch.targets[name], answer) for name, answer in answers.items()}
            yield TaughtBatch(batch.inputs, {**batch.targets, **taught}, batch.examples)
