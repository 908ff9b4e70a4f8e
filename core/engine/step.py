"""One optimizer step: accumulate, clip, step unless something is not finite. The whole update on one screen.

Losses are sums divided by the count of the *whole* step, over all its batches and processes, so four batches of 32
give the gradient of one batch of 128 even when the last is short (batch norm, whose statistics are per batch, aside).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ft.core.engine.balance import Balance
from ft.core.engine.guard import Guard, total_norm
from ft.core.engine.micro import pieces
from ft.core.engine.protocols import Batch, Head, Network
from ft.core.runtime.distributed import all_reduce_sum, world_size
from ft.core.runtime.precision import Precision


def train_step(
    network: Network,
    heads: Sequence[Head],
    batches: Sequence[Batch],
    optimizer: torch.optim.Optimizer,
    precision: Precision,
    guard: Guard,
    clip_norm: float | None = None,
    balance: Balance | None = None,
    micro_batch: int | None = None,
) -> Tensor:
    """Take one step on `batches` together. Returns the step's loss, a detached float scalar still on the device.

    The loss is the sum over outputs of weight * mean loss, also where `balance` weighs them anew to step. guard: holds
    the update back when the gradient is not finite. micro_batch: most examples in one forward pass.
    """
    forget_gradients(optimizer)
    denominators = {head.name: _denominator(head, batches) for head in heads}
    parts = [piece for batch in batches for piece in pieces(batch, micro_batch)]
    step_loss: Tensor | None = None
    for part in parts:
        with precision.forward():
            raw = network(part.inputs)  # (B, K) for every output
        terms = _terms(heads, raw, part, denominators)
        loss = torch.stack(terms).sum() if len(terms) > 1 else terms[0]
        precision.backward(loss if balance is None else balance.total(terms, 1 / (len(parts) * world_size())))
        step_loss = loss.detach() if step_loss is None else step_loss + loss.detach()
    assert step_loss is not None, "a step needs at least one batch"
    guard.update(step_loss, _clip(optimizer, precision, clip_norm))
    return step_loss


def forget_gradients(optimizer: torch.optim.Optimizer) -> None:
    """As optimizer.zero_grad(), without its profiler's mark: a small network's step feels it."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def _clip(optimizer: torch.optim.Optimizer, precision: Precision, clip_norm: float | None) -> Tensor:
    """The norm of the whole gradient, which is no longer than `clip_norm` afterwards. In fp16 unclipped: scaled."""
    trainable = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    if clip_norm is None:
        return total_norm([p.grad for p in trainable])
    precision.unscale(optimizer)
    return torch.nn.utils.clip_grad_norm_(trainable, clip_norm)


def _denominator(head: Head, batches: Sequence[Batch]) -> Tensor:
    """The global count (or sum of class weights) of one output over the step: known before the first backward."""
    counts = [head.denominator(batch.targets[head.name]) for batch in batches]
    return all_reduce_sum(torch.stack(counts).sum() if len(counts) > 1 else counts[0])


def _terms(
    heads: Sequence[Head], raw: Mapping[str, Tensor], batch: Batch, denominators: Mapping[str, Tensor]
) -> list[Tensor]:
    """One batch's share of every output's weighted mean loss."""
    losses = [
        head.loss_sum(raw[head.name].float(), batch.targets[head.name]) / denominators[head.name] for head in heads
    ]
    # a small network's step is short enough to feel one multiplication by 1 and its gradient
    return [loss if head.weight == 1 else head.weight * loss for head, loss in zip(heads, losses, strict=True)]
