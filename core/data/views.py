"""Test-time augmentation: every example seen several times over, as it is and changed, to be answered once.

The views of a batch lie one below another; models/averaged.py means their answers. Changes are drawn from (seed, view,
example), so an evaluation gives the same figures every time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from ft.core.data.loader import Batch, Loader

View = Callable[[int], Iterator[Batch]]  # the batches from one number on


@dataclass(frozen=True)
class Views:
    """A loader of what several others of the same examples give, in the same order. batches_per_epoch: of each."""

    views: Sequence[View]
    batches_per_epoch: int

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:  # noqa: ARG002  (evaluation has one)
        """Inputs are (V * B, ...), view by view; targets and examples those of one view."""
        for seen in zip(*(view(start) for view in self.views), strict=True):
            first = seen[0]
            inputs = {name: torch.cat([batch.inputs[name] for batch in seen]) for name in first.inputs}
            yield Batch(inputs, first.targets, first.examples)


def drawn(plain: Loader, changing: Loader, count: int) -> Views:
    """The examples as they are, and `count` - 1 times changed by what `changing` draws in its epochs 1, 2, ..."""

    def view(number: int) -> View:
        loader = changing if number else plain
        return lambda start: loader.epoch(number, start)

    return Views([view(number) for number in range(count)], plain.batches_per_epoch)


def mirrored(plain: Loader, pictures: Sequence[str]) -> Views:
    """The examples as they are, and with these inputs, (B, C, H, W), left and right exchanged."""

    def mirror(start: int) -> Iterator[Batch]:
        for batch in plain.epoch(0, start):
            inputs = {name: values.flip(3) if name in pictures else values for name, values in batch.inputs.items()}
            yield Batch(inputs, batch.targets, batch.examples)

    return Views([lambda start: plain.epoch(0, start), mirror], plain.batches_per_epoch)
