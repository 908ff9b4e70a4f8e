"""Batches: rows gathered from columns that lie encoded in memory, prepared on the device.

No workers and no sampler: gathering 128 small pictures takes microseconds, and which rows make batch k of epoch e is a
function of (seed, e, k). Columns that fit are kept on an accelerator whole, so that nothing is copied for each batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ft.core.data.augment import Draws
from ft.core.data.columns.base import Column
from ft.core.data.order import batches, count_batches, permutation

RESIDENT_SHARE = 0.25  # of an accelerator's free memory: the rest is for the model


@dataclass(frozen=True)
class Examples:
    """One split, encoded, on the CPU. inputs, targets: (N, ...) by column. names: what each row is called, or None."""

    inputs: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]
    names: Sequence[str] | None
    count: int

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True)
class Batch:
    """inputs: as the model takes them. targets: encoded, in the user's units. examples: int64 (B,), on the CPU."""

    inputs: dict[str, Tensor]
    targets: dict[str, Tensor]
    examples: Tensor


class Loader:
    """Batches of one split as a function of (epoch, position).

    columns: of the inputs; they prepare. shuffle: in an order hashed from (seed, epoch), else as the rows lie. The last
    batch may be short. augment: with draws from (seed, epoch, example), so a resumed epoch goes on with the same bits.
    memory_format: of inputs with four axes. world_size processes share each batch of batch_size * world_size.
    """

    def __init__(
        self,
        examples: Examples,
        columns: Mapping[str, Column],
        device: torch.device,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        augment: bool = False,
        memory_format: torch.memory_format = torch.contiguous_format,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.examples, self.columns, self.device = examples, columns, device
        self.batch_size, self.seed, self.shuffle, self.augment = batch_size, seed, shuffle, augment
        self.memory_format, self.rank, self.world_size = memory_format, rank, world_size
        home = _choose_home(examples, device)
        self._inputs = {name: stored.to(home) for name, stored in examples.inputs.items()}
        self._targets = {name: stored.to(home) for name, stored in examples.targets.items()}

    @property
    def batches_per_epoch(self) -> int:
        return count_batches(len(self.examples), self.batch_size, self.world_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on, exactly those of an epoch that was never interrupted."""
        n = len(self.examples)
        order = permutation(self.seed, epoch, n) if self.shuffle else torch.arange(n)
        for rows in batches(order, self.batch_size, start, self.rank, self.world_size):
            yield self._gather(rows, epoch)

    def _gather(self, rows: Tensor, epoch: int) -> Batch:
        """rows: int64 (B,) on the CPU."""
        on_device = rows.to(self.device, non_blocking=True)
        draws = Draws(self.seed, epoch, rows, self.device) if self.augment else None
        inputs = {
            name: self._arrange(self.columns[name].prepare(self._take(stored, rows, on_device), draws))
            for name, stored in self._inputs.items()
        }
        targets = {name: self._take(stored, rows, on_device) for name, stored in self._targets.items()}
        return Batch(inputs, targets, rows)

    def _take(self, stored: Tensor, rows: Tensor, on_device: Tensor) -> Tensor:
        """Rows of a column, on the device: gathered where the column lies."""
        if stored.device == rows.device:
            return stored.index_select(0, rows).to(self.device)
        return stored.index_select(0, on_device)

    def _arrange(self, prepared: Tensor) -> Tensor:
        return prepared.contiguous(memory_format=self.memory_format) if prepared.ndim == 4 else prepared


def _choose_home(examples: Examples, device: torch.device) -> torch.device:
    """Where the columns lie: on a CUDA device when they take little of its memory, else on the CPU."""
    if device.type != "cuda":
        return torch.device("cpu")
    size = sum(stored.nbytes for columns in (examples.inputs, examples.targets) for stored in columns.values())
    free, _ = torch.cuda.mem_get_info(device)
    return device if size < RESIDENT_SHARE * free else torch.device("cpu")
