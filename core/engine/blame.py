"""Which examples broke a step: its batches are made again, which order and augmentation as functions allow.

The weights are still those that the step started from, because its update was masked. Everything is evaluated without
dropout and with batch norm's running statistics, so that one broken example does not spoil the answers of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

import torch
from torch import Tensor

from ft.core.engine.evaluate import evaluating
from ft.core.engine.micro import pieces
from ft.core.engine.protocols import Batch, Head, Loader, Network
from ft.core.runtime.precision import Precision

MOST_NAMED = 5  # examples in one message


def culprits(
    network: Network,
    heads: Sequence[Head],
    loader: Loader,
    precision: Precision,
    epoch: int,
    first: int,
    count: int,
    micro_batch: int | None = None,
) -> tuple[list[int], int]:
    """(row numbers of the examples whose own input or loss is not finite, how many examples the step had).

    epoch: from 0. first, count: the step's batches in it. micro_batch: most examples in one forward pass. An empty
    list: each is finite by itself. Statistics of a batch norm that the step spoiled are mended.
    """
    for buffer in network.module.buffers():
        if buffer.is_floating_point():
            buffer.nan_to_num_(1.0, 1.0, 1.0)
    broken: list[int] = []
    seen = 0
    with evaluating(network.module), torch.no_grad():
        whole = islice(loader.epoch(epoch, start=first), count)
        for batch in chain.from_iterable(pieces(each, micro_batch) for each in whole):
            bad = torch.stack(list(_bad(network, heads, batch, precision))).any(0)  # (B,)
            broken += batch.examples[bad.cpu()].tolist()
            seen += len(batch.examples)
    return broken, seen


def tell_culprits(broken: Sequence[int], count: int, name: Callable[[int], str]) -> str:
    """What `culprits` found, as the rest of a sentence."""
    if not broken:
        return f"no single one of its {count} examples"
    more = f" and {len(broken) - MOST_NAMED} more" if len(broken) > MOST_NAMED else ""
    return f"{'example' if len(broken) == 1 else 'examples'} {', '.join(map(name, broken[:MOST_NAMED]))}{more}"


def _bad(network: Network, heads: Sequence[Head], batch: Batch, precision: Precision) -> Iterator[Tensor]:
    """bool (B,) each: rows of an input, then of an output's loss, that are not finite."""
    size = len(batch.examples)
    for values in batch.inputs.values():
        if values.is_floating_point() and len(values) == size:
            yield ~values.isfinite().flatten(1).all(1)
    with precision.forward():
        raw = network(batch.inputs)
    for head in heads:
        answers, targets = raw[head.name].float(), batch.targets[head.name]
        losses = [head.loss_sum(answers[row : row + 1], targets[row : row + 1]) for row in range(size)]
        yield ~torch.stack(losses).isfinite()
