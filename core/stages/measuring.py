"""A model and its compressed form on one scale: size, memory, latency in turn, and the score on the same examples."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ft.core.assemble.parts import build_loader
from ft.core.config.schema import EvalSection
from ft.core.data.prepare import Data
from ft.core.engine.evaluate import Evaluation
from ft.core.engine.record import Recorder
from ft.core.metrics.resampling import Drop
from ft.core.runtime.latency import Latency, race
from ft.core.runtime.timings import phase
from ft.core.stages.baseline import Baseline, PerExample
from ft.core.stages.compress_result import Row
from ft.core.stages.evaluate import Rebuilt, evaluate_split
from ft.core.stages.evidence import weigh
from ft.core.stages.footprint import footprint

BATCHES = (1, 32)


@dataclass(frozen=True)
class Contender:
    """A model to be measured. file: what ships. counts: parameters, and those that are not zero."""

    model: str
    runtime: str
    file: Path
    rebuilt: Rebuilt
    data: Data
    counts: tuple[int, int]
    python: Path | None = None


@dataclass(frozen=True)
class Scored:
    """evaluation: with its intervals. answers: example by example, for the comparison. drops: by metric."""

    evaluation: Evaluation
    answers: PerExample | None
    drops: Mapping[str, Drop]


def score(contender: Contender, settings: EvalSection, before: Scored | None = None) -> Scored:
    """Judge it on the split of the settings; before: what it is compared with, in the metrics of their max_drop."""
    recorder = Recorder()
    evaluation = evaluate_split(contender.rebuilt, contender.data, settings, recorder, smoke=False)
    baseline = None
    if before is not None and before.answers is not None:
        baseline = Baseline("as it was", before.evaluation.metrics(), before.answers)
    evidence = weigh(settings, baseline, evaluation, recorder, contender.data, contender.rebuilt.heads, [])
    return Scored(evidence.evaluation, evidence.answers, evidence.drops)


def measure(contenders: Sequence[Contender], scores: Sequence[Scored], split: str, *, zipped: bool) -> list[Row]:
    """A row for each of them; latencies against the first. zipped: whether it matters how well the files can be."""
    speeds = _latencies(contenders, split)
    return [
        Row(
            model=each.model,
            runtime=each.runtime,
            file_bytes=each.file.stat().st_size,
            zipped_bytes=_zipped(each.file) if zipped else None,
            parameters=each.counts[0],
            nonzero=each.counts[1],
            memory_bytes=_memory(each, split),
            latency={size: speeds[size][place] for size in BATCHES},
            metrics=scored.evaluation.metrics(),
            intervals=scored.evaluation.intervals(),
        )
        for place, (each, scored) in enumerate(zip(contenders, scores, strict=True))
    ]


def count(module: nn.Module) -> tuple[int, int]:
    """Parameters, each once, and those that are not zero."""
    own = list(module.parameters())
    return sum(each.numel() for each in own), sum(int(torch.count_nonzero(each)) for each in own)


def _batch(contender: Contender, split: str, size: int) -> dict[str, Tensor]:
    """The split's first examples, over and over where it has fewer, as the network takes them."""
    rebuilt = contender.rebuilt
    examples = contender.data.examples[split]
    loader = build_loader(examples, rebuilt.inputs, rebuilt.network, rebuilt.machine, size, smoke=False)
    first = next(iter(loader.epoch(0)))
    rows = torch.arange(size, device=rebuilt.machine.device) % len(first.examples)
    return {name: each[rows] for name, each in first.inputs.items()}


@phase("latency")
def _latencies(contenders: Sequence[Contender], split: str) -> dict[int, list[Latency]]:
    device = contenders[0].rebuilt.machine.device
    return {size: race([_caller(each, _batch(each, split, size)) for each in contenders], device) for size in BATCHES}


def _caller(contender: Contender, batch: Mapping[str, Tensor]) -> Callable[[], object]:
    """What answers a batch that lies ready on the device."""
    network, precision = contender.rebuilt.network, contender.rebuilt.machine.precision
    network.module.eval()

    def call() -> object:
        with torch.inference_mode(), precision.forward():
            return network(batch)

    return call


@phase("memory")
def _memory(contender: Contender, split: str) -> int | None:
    with tempfile.TemporaryDirectory(prefix="ft-") as folder:
        batch = Path(folder) / "batch.npz"
        inputs = {name: each.cpu().numpy() for name, each in _batch(contender, split, BATCHES[-1]).items()}
        np.savez(batch, **inputs)  # type: ignore[arg-type]  # its names are arrays, not options
        return footprint(contender.file, batch, contender.python)


def _zipped(file: Path) -> int:
    return len(zlib.compress(file.read_bytes(), 6))
