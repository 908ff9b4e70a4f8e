"""What an evaluation says of each example, beside its sums: values whose mean a metric is, in the rows' own order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ft.core.engine.protocols import Batch, Head, Loader


class Recorder:
    """Stands between `evaluate` and a loader and heads that keep nothing. Keeps 4 bytes a value and example."""

    def __init__(self) -> None:
        self._rows: list[Tensor] = []
        self._values: dict[str, dict[str, list[Tensor]]] = {}

    def loader(self, inner: Loader) -> Loader:
        """The same batches; which rows they hold is kept."""
        return _Watched(inner, self._rows)

    def heads(self, inner: Sequence[Head]) -> list[Head]:
        """The same heads; what `per_example` says is kept."""
        return [_Recording(head, self._values.setdefault(head.name, {})) for head in inner]

    def values(self) -> dict[str, dict[str, Tensor]]:
        """By output and metric, float32 (N,), on the CPU, row after row; nothing for outputs that say nothing."""
        order = torch.cat(self._rows).argsort() if self._rows else torch.empty(0, dtype=torch.int64)
        return {
            output: {metric: torch.cat(parts).float().cpu()[order] for metric, parts in metrics.items()}
            for output, metrics in self._values.items()
            if metrics
        }


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
    def __init__(self, inner: Any, values: dict[str, list[Tensor]]) -> None:
        self._inner, self._values = inner, values

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def update(self, scores: Any, raw: Tensor, targets: Tensor) -> None:
        self._inner.update(scores, raw, targets)
        for metric, values in self._inner.per_example(raw, targets).items():
            self._values.setdefault(metric, []).append(values)
