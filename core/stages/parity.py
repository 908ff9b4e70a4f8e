"""Whether two forms of a model give the same answers: a split through both, in batches of other sizes.

The reference computes in float32 on the CPU, as exported files do, in the batches that evaluation makes. The other gets
the rows in order, in batches of 1, 2 and 7, then of evaluation's size, and an odd rest: so a size that was fixed by
mistake comes out, and padding that has a say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ft.core.assemble.parts import Machine, Rankings, build_loader
from ft.core.data.columns import Column
from ft.core.data.loader import Batch, Loader
from ft.core.data.prepare import Data
from ft.core.engine.evaluate import Evaluation, evaluate
from ft.core.engine.protocols import Loader as LoaderLike
from ft.core.engine.record import Answers, Recorder
from ft.core.models.heads import Head
from ft.core.models.network import Network

FIRST_SIZES = (1, 2, 7)


@dataclass(frozen=True)
class Said:
    """What a model said of a split. answers: by output, in the rows' order; empty for rankings."""

    evaluation: Evaluation
    answers: Mapping[str, Answers]
    batch_sizes: tuple[int, ...]


@dataclass(frozen=True)
class Difference:
    """Of one tensor or metric. largest: absolute. scale: what it is held against, at least 1."""

    name: str
    largest: float
    scale: float

    def within(self, tolerance: float) -> bool:
        """Whether it is at most that share of the scale; NaN is not."""
        return self.largest <= tolerance * self.scale


@dataclass(frozen=True)
class Parity:
    """raw: of each output's raw answers. metrics: of each output's main metric and the loss. before, after: those
    metrics, by name. batch_sizes: those that were tried, each once.
    """

    examples: int
    batch_sizes: tuple[int, ...]
    raw: tuple[Difference, ...]
    metrics: tuple[Difference, ...]
    before: Mapping[str, float]
    after: Mapping[str, float]
    tolerance: float

    @property
    def beyond(self) -> list[Difference]:
        """What differs by more than the tolerance."""
        return [each for each in (*self.raw, *self.metrics) if not each.within(self.tolerance)]


def ask(
    network: Network,
    inputs: Mapping[str, Column],
    heads: Mapping[str, Head],
    outputs: Mapping[str, Column],
    machine: Machine,
    data: Data,
    split: str,
    batch_size: int,
    *,
    mixed: bool,
) -> Said:
    """A split through a model. mixed: in batches of different sizes, else, and for rankings, in those of evaluation."""
    examples, recorder = data.examples[split], Recorder()
    rankings = Rankings.of(outputs, split)
    loader: LoaderLike
    if mixed and rankings is None:
        plain = Loader(examples, inputs, machine.device, batch_size=batch_size, in_order=True)
        rows = _cut(len(examples), batch_size)
        loader, sizes = _Mixed(plain, rows), tuple(sorted({len(each) for each in rows}))
    else:
        sizes = (batch_size,)
        loader = build_loader(examples, inputs, network, machine, batch_size, smoke=False, rankings=rankings)
    recording = recorder.heads(list(heads.values()))
    evaluation = evaluate(network, recorder.loader(loader), recording, machine.precision)
    return Said(evaluation, recorder.answers(), sizes)


def compare(before: Said, after: Said, main_metrics: Sequence[str], tolerance: float) -> Parity:
    """Each output's raw answers, its main metric and the loss. tolerance: as a share of the largest absolute value of
    the reference, at least of 1.
    """
    raw = [_difference(f"{name}.raw", before.answers[name].raw, after.answers[name].raw) for name in before.answers]
    old, new = before.evaluation.metrics(), after.evaluation.metrics()
    names = list(dict.fromkeys([*main_metrics, "loss"]))
    metrics = [_difference(name, *(torch.tensor([each[name]]).double() for each in (old, new))) for name in names]
    return Parity(
        before.evaluation.examples,
        after.batch_sizes,
        tuple(raw),
        tuple(metrics),
        {name: old[name] for name in names},
        {name: new[name] for name in names},
        tolerance,
    )


def _difference(name: str, before: Tensor, after: Tensor) -> Difference:
    same = before.isnan() & after.isnan()  # a metric that neither could measure, such as R² of one value
    apart = (before.double() - after.double()).abs().masked_fill(same, 0.0)
    return Difference(name, float(apart.max()), max(1.0, float(before.abs().nan_to_num(0.0).max())))


def _cut(count: int, batch_size: int) -> list[Tensor]:
    """All rows in order, the first few in small batches, the last few in an odd one."""
    sizes = [size for place, size in enumerate(FIRST_SIZES) if sum(FIRST_SIZES[: place + 1]) < count]
    rows, done = torch.arange(count), sum(sizes)
    *rest, last = torch.split(rows[done:], batch_size)
    ends = [last[:1], last[1:]] if len(last) % 2 == 0 else [last]
    return [*torch.split(rows[:done], sizes), *rest, *ends]


class _Mixed:
    """A loader's examples in batches of the given rows."""

    def __init__(self, inner: Loader, rows: list[Tensor]) -> None:
        self.rows, self._inner = rows, inner
        self.batches_per_epoch = len(rows)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        return self._inner.of_rows(self.rows[start:], epoch)
