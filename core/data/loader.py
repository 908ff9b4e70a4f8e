"""Batches: rows gathered from columns that lie encoded in memory or in files, prepared on the device.

No sampler and no worker processes: gathering 128 small pictures takes microseconds, and which rows make batch k of
epoch e is a function of (seed, e, k). Columns that fit are kept on an accelerator whole, so that nothing is copied for
each batch; those whose preparing never changes are prepared once (spans.py gathers them). Files are read ahead by
threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from ft.core.data.augment import Draws
from ft.core.data.balanced import balanced
from ft.core.data.columns.base import Column
from ft.core.data.files import Files
from ft.core.data.order import batches, bucketed, count_batches, longest_first, permutation
from ft.core.data.spans import Spans
from ft.core.data.stored import Rows, Stored
from ft.core.runtime.device import send

INPUT, TARGET = "input", "target"  # which of the two a gathered column is: both may have one name
LIMIT = 1 << 30  # bytes of a stored column: a larger one is gathered and prepared batch by batch, not kept twice
RESIDENT_SHARE = 0.25  # of an accelerator's free memory: the rest is for the model
READ_AHEAD = 2  # batches whose files are read while the model works on an earlier one


@dataclass(frozen=True)
class Examples:
    """One split, encoded, on the CPU. inputs, targets: N rows by column. names: what each row is called, or None."""

    inputs: Mapping[str, Stored]
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

    columns: of the inputs; they prepare. shuffle: in an order hashed from (seed, epoch), else as the rows lie. Where
    rows differ in length, batches hold like lengths and unshuffled rows come longest first, unless in_order asks for
    them as they lie; Batch.examples says which they are. The last batch may be short.
    classes: int64 (N,), on the CPU; shuffled, each of them comes equally often (balanced.py).
    augment: with draws from (seed, epoch, example), so a resumed epoch goes on with the same bits. views: after so many
    epochs the draws come again; None: never.
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
        in_order: bool = False,
        augment: bool = False,
        classes: Tensor | None = None,
        views: int | None = None,
        memory_format: torch.memory_format = torch.contiguous_format,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        assert not (shuffle and in_order), "one order at a time"
        self.examples, self.columns, self.device = examples, columns, device
        self.batch_size, self.seed, self.shuffle, self.augment = batch_size, seed, shuffle, augment
        self._classes = classes
        self.views, self.memory_format, self.rank, self.world_size = views, memory_format, rank, world_size
        self._lengths = None if in_order else _lengths(examples.inputs)
        self._draws = augment and any(_changes(column) for column in columns.values())
        self._home = _choose_home(examples, device)
        fixed: dict[str, Tensor] = {}
        self._tensors: dict[str, Tensor] = {}
        self._rows: dict[str, Rows] = {}
        for name, stored in examples.inputs.items():
            if not isinstance(stored, Tensor):
                self._rows[name] = stored
            elif columns[name].fixed and stored.nbytes < LIMIT:
                fixed[name] = columns[name].prepare(stored.to(self._home))
            else:
                self._tensors[name] = stored.to(self._home)
        ready = {(INPUT, name): values for name, values in fixed.items()}
        ready |= {(TARGET, name): stored.to(self._home) for name, stored in examples.targets.items()}
        self._ready = Spans.of(ready, batch_size, self._home, device)

    def changing(self, columns: Mapping[str, Column], seed: int) -> Loader:
        """The same batches with inputs of these columns, augmented by draws from the seed."""
        return Loader(
            self.examples,
            columns,
            self.device,
            batch_size=self.batch_size,
            seed=seed,
            augment=True,
            memory_format=self.memory_format,
            rank=self.rank,
            world_size=self.world_size,
        )

    @property
    def batches_per_epoch(self) -> int:
        return count_batches(len(self.examples), self.batch_size, self.world_size)

    @property
    def augments(self) -> bool:
        """Whether an input changes from epoch to epoch."""
        return self._draws

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `start` on, exactly those of an epoch that was never interrupted.

        Raises DataError naming a file that cannot be read.
        """
        order, first = self._order(epoch), self._ready.first(start)
        ready = islice(self._ready.gather(self._cut(order % len(self.examples), first)), start - first, None)
        return self._batches(self._cut(order, start), ready, epoch)

    def rows(self, epoch: int, start: int = 0) -> Iterator[Tensor]:
        """The rows of those batches, int64 (B,) each, on the CPU, as `_order` has them."""
        return self._cut(self._order(epoch), start)

    def targets(self, rows: Tensor) -> dict[str, Tensor]:
        """The targets of some rows, as a batch of them has them. rows: int64 (B,) on the CPU."""
        ready = self._ready.take(rows % len(self.examples))
        return {name: ready[TARGET, name] for name in self.examples.targets}

    def of_rows(self, some: Sequence[Tensor], epoch: int) -> Iterator[Batch]:
        """A batch of each of the given rows, int64 (B,) on the CPU, with the draws of that epoch."""
        return self._batches(iter(some), (self._ready.take(rows % len(self.examples)) for rows in some), epoch)

    def _batches(
        self, cut: Iterator[Tensor], ready: Iterator[Mapping[tuple[str, str], Tensor]], epoch: int
    ) -> Iterator[Batch]:
        if not any(isinstance(stored, Files) for stored in self._rows.values()):
            for rows in cut:
                yield self._gather(rows, self._take_rows(rows), next(ready), epoch)
            return
        with closing(self._read_ahead(cut)) as read:
            for rows, taken in read:
                yield self._gather(rows, taken, next(ready), epoch)

    def _cut(self, order: Tensor, start: int) -> Iterator[Tensor]:
        return batches(order, self.batch_size, start, self.rank, self.world_size)

    def _order(self, epoch: int) -> Tensor:
        """int64 (N,), on the CPU: rows, and of a repeated row the row and a multiple of N."""
        n = len(self.examples)
        if not self.shuffle:
            return torch.arange(n) if self._lengths is None else longest_first(self._lengths)
        order = permutation(self.seed, epoch, n) if self._classes is None else balanced(self._classes, self.seed, epoch)
        if self._lengths is None:
            return order
        return bucketed(order, self._lengths, self.batch_size * self.world_size, self.seed, epoch)

    def _read_ahead(self, cut: Iterator[Tensor]) -> Generator[tuple[Tensor, dict[str, Tensor]], None, None]:
        """Each batch's rows with what was read for them. Closed early, it waits for the batch in hand and no more."""
        pool = ThreadPoolExecutor(1, "read-ahead")  # Files itself reads by several threads
        waiting: deque[tuple[Tensor, Future[dict[str, Tensor]]]] = deque()
        try:
            for rows in islice(cut, READ_AHEAD):
                waiting.append((rows, pool.submit(self._take_rows, rows)))
            while waiting:
                rows, taken = waiting.popleft()
                found = taken.result()
                waiting.extend((later, pool.submit(self._take_rows, later)) for later in islice(cut, 1))
                yield rows, found
        finally:
            pool.shutdown(cancel_futures=True)

    def _take_rows(self, rows: Tensor) -> dict[str, Tensor]:
        rows = rows % len(self.examples)
        return {name: stored.take(rows) for name, stored in self._rows.items()}

    def _gather(
        self, rows: Tensor, taken: Mapping[str, Tensor], ready: Mapping[tuple[str, str], Tensor], epoch: int
    ) -> Batch:
        """rows: int64 (B,) on the CPU, as `_order` has them. taken: their values in the columns that are no tensors.
        ready: what is fixed.
        """
        found: dict[str, Tensor] = {}
        rows, drawn = rows % len(self.examples), rows  # a repeat has draws of its own
        if taken or self._tensors:
            view = epoch % self.views if self.views else epoch
            draws = Draws(self.seed, view, drawn, self.device) if self._draws else None
            at = send(rows, self._home)
            tensors = {name: stored.index_select(0, at) for name, stored in self._tensors.items()}
            for name, values in (*taken.items(), *tensors.items()):
                found[name] = self.columns[name].prepare(send(values, self.device), draws)
        inputs = {
            name: self._arrange(found[name] if name in found else ready[INPUT, name]) for name in self.examples.inputs
        }
        return Batch(inputs, {name: ready[TARGET, name] for name in self.examples.targets}, rows)

    def _arrange(self, prepared: Tensor) -> Tensor:
        return prepared.contiguous(memory_format=self.memory_format) if prepared.ndim == 4 else prepared


def _changes(column: Column) -> bool:
    return any(getattr(column, change, None) is not None for change in ("augment", "corrupt"))


def _lengths(inputs: Mapping[str, Stored]) -> Tensor | None:
    """int64 (N,): of each row the sum over the columns whose rows differ in length; None when none do."""
    found = [stored.lengths for stored in inputs.values() if not isinstance(stored, Tensor)]
    known = [lengths for lengths in found if lengths is not None]
    return torch.stack(known).sum(0) if known else None


def _choose_home(examples: Examples, device: torch.device) -> torch.device:
    """Where the columns lie: on a CUDA device when they take little of its memory, else on the CPU."""
    if device.type != "cuda":
        return torch.device("cpu")
    every = (stored for columns in (examples.inputs, examples.targets) for stored in columns.values())
    size = sum(stored.nbytes for stored in every if isinstance(stored, Tensor))
    free, _ = torch.cuda.mem_get_info(device)
    return device if size < RESIDENT_SHARE * free else torch.device("cpu")
