"""One optimizer step: accumulate, clip, step. The whole update on one screen.

Losses are sums divided by the count of the *whole* step, over all its batches and processes, so four batches of 32
give the gradient of one batch of 128 even when the last is short (batch norm, whose statistics are per batch, aside).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ft.core.engine.protocols import Batch, Head, Network
from ft.core.runtime.distributed import all_reduce_sum
from ft.core.runtime.precision import Precision


def train_step(
    network: Network,
    heads: Sequence[Head],
    batches: Sequence[Batch],
    optimizer: torch.optim.Optimizer,
    precision: Precision,
    clip_norm: float | None = None,
) -> Tensor:
    """Take one step on `batches` together. Returns the step's loss, a detached float scalar still on the device."""
    optimizer.zero_grad(set_to_none=True)
    denominators = {head.name: _denominator(head, batches) for head in heads}
    step_loss: Tensor | None = None
    for batch in batches:
        with precision.forward():
            raw = network(batch.inputs)  # (B, K) for every output
        loss = _loss(heads, raw, batch, denominators)
        precision.backward(loss)
        step_loss = loss.detach() if step_loss is None else step_loss + loss.detach()
    if clip_norm is not None:
        precision.unscale(optimizer)
        trainable = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(trainable, clip_norm)
    precision.step(optimizer)
    assert step_loss is not None, "a step needs at least one batch"
    return step_loss


def _denominator(head: Head, batches: Sequence[Batch]) -> Tensor:
    """The global count (or sum of class weights) of one output over the step: known before the first backward."""
    return all_reduce_sum(torch.stack([head.denominator(batch.targets[head.name]) for batch in batches]).sum())


def _loss(heads: Sequence[Head], raw: object, batch: Batch, denominators: dict[str, Tensor]) -> Tensor:
    assert hasattr(raw, "__getitem__")
    terms = [
        head.weight * head.loss_sum(raw[head.name].float(), batch.targets[head.name]) / denominators[head.name]
        for head in heads
    ]
    return torch.stack(terms).sum() if len(terms) > 1 else terms[0]
