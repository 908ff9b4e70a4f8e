"""One pass over a split without gradients: the loss and every output's scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor, nn

from ft.core.engine.protocols import Head, Loader, Network
from ft.core.metrics.scores import Interval, Scores, flat_intervals, flat_metrics
from ft.core.runtime.distributed import all_gather_rows, all_reduce_sum
from ft.core.runtime.precision import Precision


@dataclass(frozen=True)
class Evaluation:
    """loss: the weighted sum over outputs of their mean losses. scores: by output. examples: how many were seen, of a
    ranking how many users.
    """

    loss: float
    scores: dict[str, Scores]
    examples: int

    @property
    def is_finite(self) -> bool:
        """Whether every answer and the loss were finite numbers."""
        return math.isfinite(self.loss) and not any(scores.nonfinite for scores in self.scores.values())

    def metrics(self) -> dict[str, float]:
        """Every scalar by its flat name: `output/metric`, the bare name with one output; `loss` is the total."""
        return {"loss": self.loss} | flat_metrics(self.scores) | {"loss": self.loss}

    def intervals(self) -> dict[str, Interval]:
        """95 % intervals of those metrics that have one, by the same names."""
        return flat_intervals(self.scores)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """The module in eval mode inside; each submodule's own mode restored after, also after an error."""
    modes = [(child, child.training) for child in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for child, training in modes:
            child.training = training


@overload
def evaluate(network: Network, loader: Loader, heads: Sequence[Head], precision: Precision) -> Evaluation: ...


@overload
def evaluate(
    network: Network, loader: Loader, heads: Sequence[Head], precision: Precision, until: Callable[[], bool]
) -> Evaluation | None: ...


def evaluate(
    network: Network,
    loader: Loader,
    heads: Sequence[Head],
    precision: Precision,
    until: Callable[[], bool] | None = None,
) -> Evaluation | None:
    """Evaluate over the loader's epoch 0 in order. One host sync, at the end.

    The module's modes are as before afterwards. until: asked before every batch; once it is true, all is given up and
    the answer is None.
    """
    sums = {head.name: _LossSum() for head in heads}
    scores = {head.name: head.scores() for head in heads}
    examples = 0
    with evaluating(network.module), torch.inference_mode():
        for batch in loader.epoch(0):
            if until is not None and until():
                return None
            with precision.forward():
                outputs = network(batch.inputs)
            for head in heads:
                raw, targets = outputs[head.name].float(), batch.targets[head.name]
                sums[head.name].add(head.loss_sum(raw, targets), head.denominator(targets))
                head.update(scores[head.name], raw, targets)
            examples += len(batch.examples)
    for accumulator in scores.values():
        accumulator.reduce(all_reduce_sum, all_gather_rows)
    losses = {head.name: sums[head.name].mean() for head in heads}
    total = sum(head.weight * losses[head.name] for head in heads)
    by_output = {name: accumulator.compute().with_loss(losses[name]) for name, accumulator in scores.items()}
    return Evaluation(total, by_output, int(all_reduce_sum(torch.tensor(examples)).item()))


class _LossSum:
    """A loss sum and its denominator, kept in float64 where the device has it (MPS has not)."""

    def __init__(self) -> None:
        self._sums: Tensor | None = None

    def add(self, loss: Tensor, denominator: Tensor) -> None:
        both = torch.stack([loss, denominator.to(loss.dtype)])
        both = both if both.device.type == "mps" else both.double()
        self._sums = both if self._sums is None else self._sums + both

    def mean(self) -> float:
        if self._sums is None:
            return float("nan")
        loss, denominator = all_reduce_sum(self._sums).tolist()
        return float(loss / denominator) if denominator else float("nan")
