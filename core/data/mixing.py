"""Mixup and cutmix: each example of a batch is mixed with another one of it, inputs and targets alike.

Zhang et al. 2018, "mixup": x = l * x_a + (1 - l) * x_b; Yun et al. 2019, "CutMix": a rectangle of x_b replaces its
place in x_a and l is the share of x_a that is left; both with y = l * y_a + (1 - l) * y_b. l comes from
Beta(alpha, alpha), one for each batch. All is drawn from (seed, epoch, batch), so there is nothing to save, and
cutting a batch in pieces or accumulating several changes nothing. The classes of a category become shares, float
(B, K); its head knows both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ft.core.data import hashing
from ft.core.data.loader import Batch
from ft.core.runtime.seed import mix


class Batches(Protocol):
    """What is mixed: a loader."""

    @property
    def batches_per_epoch(self) -> int: ...
    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]: ...


@dataclass(frozen=True)
class Mixing:
    """mixup, cutmix: alpha of their Beta, None for none; with both, one of them is drawn for each batch, evenly.

    classes: of each category output, how many. Other outputs are numbers, float (B,).
    """

    seed: int
    classes: Mapping[str, int]
    mixup: float | None = None
    cutmix: float | None = None

    def mixed(self, batch: Batch, epoch: int, number: int) -> Batch:
        """The batch with that number in its epoch, mixed. Inputs are float (B, ...), for cutmix (B, C, H, W)."""
        key = (hashing.MIXING, self.seed, epoch, number)
        rng = np.random.Generator(np.random.PCG64(mix(*key) & (2**64 - 1)))
        cut = self.cutmix is not None and (self.mixup is None or rng.random() < 0.5)
        alpha = self.cutmix if cut else self.mixup
        assert alpha is not None, "nothing to mix by"
        share, centre = float(rng.beta(alpha, alpha)), rng.random(2)
        partners = hashing.shuffled(len(batch.examples), *key)  # (B,)
        inputs = {}
        for name, values in batch.inputs.items():
            others = values.index_select(0, partners.to(values.device))
            if cut:
                inputs[name], share = paste(values, others, share, (float(centre[0]), float(centre[1])))
            else:
                inputs[name] = share * values + (1 - share) * others
        targets = {name: self._mixed_target(name, values, partners, share) for name, values in batch.targets.items()}
        return Batch(inputs, targets, batch.examples)

    def _mixed_target(self, name: str, values: Tensor, partners: Tensor, share: float) -> Tensor:
        if name in self.classes:
            values = functional.one_hot(values, self.classes[name]).float()  # (B, K)
        return share * values + (1 - share) * values.index_select(0, partners.to(values.device))


def paste(pictures: Tensor, others: Tensor, share: float, centre: tuple[float, float]) -> tuple[Tensor, float]:
    """A rectangle of about 1 - share of the others on the pictures, and the exact share of the pictures that is left.

    pictures, others: (B, C, H, W). centre: (down, right) as fractions; what lies outside is cut off, as in the paper.
    """
    sides, spans = pictures.shape[-2:], []
    for side, at in zip(sides, centre, strict=True):
        length, middle = int(side * (1 - share) ** 0.5), int(side * at)
        spans.append((max(0, middle - length // 2), min(side, middle - length // 2 + length)))
    (top, bottom), (left, right) = spans
    inside = torch.zeros(sides, dtype=torch.bool, device=pictures.device)
    inside[top:bottom, left:right] = True
    return torch.where(inside, others, pictures), 1 - (bottom - top) * (right - left) / (sides[0] * sides[1])


class MixedLoader:
    """Another loader's batches, mixed."""

    def __init__(self, loader: Batches, mixing: Mixing) -> None:
        self._loader, self._mixing = loader, mixing

    @property
    def batches_per_epoch(self) -> int:
        return self._loader.batches_per_epoch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on."""
        for number, batch in enumerate(self._loader.epoch(epoch, start), start):
            yield self._mixing.mixed(batch, epoch, number)
