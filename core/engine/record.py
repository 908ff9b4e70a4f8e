"""What an evaluation said of each example, beside its sums, in the rows' own order.

`evaluate` keeps sums alone. Verdicts ask for more: who erred most, how a part of the examples fared, how far a score
may be off, whether another model was better on the same examples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ft.core.engine.protocols import Batch, Head, Loader

ROOM = 1 << 30  # bytes of raw answers of one output that are kept; above it only `values` are


@dataclass(frozen=True)
class Answers:
    """Of one output. raw: what the model gave, float32 (N, size). targets: what was wanted, (N, ...). On the CPU."""

    raw: Tensor
    targets: Tensor

    def take(self, rows: Tensor) -> Answers:
        """Those of some rows, int64 (M,)."""
        return Answers(self.raw[rows], self.targets[rows])


class Recorder:
    """Stands between `evaluate` and a loader and heads that keep nothing."""

    def __init__(self) -> None:
        self._rows: list[Tensor] = []
        self._outputs: dict[str, _Recording] = {}

    def loader(self, inner: Loader) -> Loader:
        """The same batches; which rows they hold is kept."""
        return _Watched(inner, self._rows)

    def heads(self, inner: Sequence[Head]) -> list[Head]:
        """The same heads; what they are given, and what their `per_example` says, is kept."""
        self._outputs = {head.name: _Recording(head) for head in inner}
        return list(self._outputs.values())

    def values(self) -> dict[str, dict[str, Tensor]]:
        """By output and metric, float32 (N,), row after row; nothing for outputs that say nothing."""
        return {
            name: {metric: torch.cat(parts).float().cpu()[self._order] for metric, parts in output.values.items()}
            for name, output in self._outputs.items()
            if output.values
        }

    def answers(self) -> dict[str, Answers]:
        """By output. Left out: those whose raw answers are no example's, or take more room than there is."""
        return {
            name: Answers(*(torch.cat(parts).cpu()[self._order] for parts in (output.raw, output.targets)))
            for name, output in self._outputs.items()
            if output.raw
        }

    @property
    def rows(self) -> Tensor:
        """Which rows were seen, ascending: int64 (N,)."""
        return torch.cat(self._rows)[self._order] if self._rows else torch.empty(0, dtype=torch.int64)

    @property
    def _order(self) -> Tensor:
        return torch.cat(self._rows).argsort()


class _Watched:
    def __init__(self, inner: Loader, rows: list[Tensor]) -> None:
        self._inner, self._rows = inner, rows

    @property
    def batches_per_epoch(self) -> int:
        return self._inner.batches_per_epoch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for batch in self._inner.epoch(epoch, start):
            self._rows.append(batch.examples)
            yield batch


class _Recording:
    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.values: dict[str, list[Tensor]] = {}
        self.raw: list[Tensor] = []
        self.targets: list[Tensor] = []
        self._room = ROOM if inner.answers_by_example else 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def update(self, scores: Any, raw: Tensor, targets: Tensor) -> None:
        self._inner.update(scores, raw, targets)
        for metric, values in self._inner.per_example(raw, targets).items():
            self.values.setdefault(metric, []).append(values)
        self._room -= raw.nbytes
        if self._room >= 0:
            self.raw.append(raw)
            self.targets.append(targets)
        else:
            self.raw.clear()
            self.targets.clear()
