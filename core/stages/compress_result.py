"""What `ft compress` is asked for, what it measured, and the words that its figures allow.

A word such as faster or smaller is chosen here, from the figures alone: what is not measured so is not called so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ft.core.errors import ConfigError
from ft.core.metrics.resampling import Drop
from ft.core.metrics.scores import Interval
from ft.core.report.gates import GateResult
from ft.core.runtime.latency import Latency
from ft.core.ship.int8 import WAYS, Way

DTYPES = ("fp16", "bf16")
LESS = 0.98  # of the file: what a few names of metadata change is not called smaller
LESS_MEMORY, LEAST_MEMORY = 0.9, 2 << 20  # of two processes' peaks, which differ by some pages each time


@dataclass(frozen=True)
class Wishes:
    """quantize: to an ONNX file of int8. dtype: of the stored weights. prune: share of single weights set to zero.
    prune_channels: share of every layer's channels that go. heal: epochs of fine-tuning behind that. distil: from the
    uncompressed model. calibrate: training examples that fix the scales of static. split: None for the experiment's.
    max_drop: gates, by metric. memory: whether processes are started to measure it.
    """

    quantize: Way | None = None
    dtype: str | None = None
    prune: float | None = None
    prune_channels: float | None = None
    heal: int | None = None
    distil: bool = False
    calibrate: int | None = None
    split: str | None = None
    max_drop: Mapping[str, float] = field(default_factory=dict)
    gate_on: Literal["estimate", "lower_bound"] | None = None

    @property
    def called(self) -> str:
        """As a file's name says it: `channels-0.3-int8-static`."""
        parts = [
            f"channels-{self.prune_channels:g}" if self.prune_channels is not None else "",
            f"pruned-{self.prune:g}" if self.prune is not None else "",
            self.dtype or "",
            f"int8-{self.quantize}" if self.quantize else "",
        ]
        return "-".join(filter(None, parts))

    def check(self) -> None:
        """Raise ConfigError for what cannot be, or does nothing."""
        problems = [*self._ranges(), *self._together()]
        if problems:
            raise ConfigError(*problems)

    def _ranges(self) -> list[str]:
        shares = {"--prune": self.prune, "--prune-channels": self.prune_channels}
        found = [
            f"{option} {share:g}: expected a share between 0 and 1, as 0.3; 1 leaves nothing, 0 changes nothing"
            for option, share in shares.items()
            if share is not None and not 0 < share < 1
        ]
        if self.quantize not in (None, *WAYS):
            found.append(f"--quantize {self.quantize}: there are {', '.join(WAYS)}")
        if self.dtype not in (None, *DTYPES):
            found.append(f"--dtype {self.dtype}: there are {' and '.join(DTYPES)}")
        if self.heal is not None and self.heal < 1:
            found.append(f"--heal {self.heal}: expected epochs, at least 1")
        if self.calibrate is not None and self.calibrate < 1:
            found.append(f"--calibrate {self.calibrate}: the calibration set is empty; expected at least 1 example")
        if self.split not in (None, "train", "val", "test"):
            found.append(f"--split {self.split}: there are train, val and test")
        return found

    def _together(self) -> list[str]:
        pruned = self.prune is not None or self.prune_channels is not None
        found = []
        if not self.called:
            found.append(
                "say how: --quantize dynamic|static|weights, --dtype fp16|bf16, --prune 0.3, --prune-channels 0.3"
            )
        elif self.heal is not None and not pruned:
            found.append("--heal trains what --prune or --prune-channels left; stored types do not learn")
        if self.quantize and self.dtype:
            found.append("--quantize and --dtype: the weights are stored as int8 or as floats; say one of the two")
        if self.distil and self.heal is None:
            found.append("--distil lets the healing learn from the uncompressed model; add --heal EPOCHS")
        if self.calibrate is not None and self.quantize != "static":
            found.append("--calibrate is for --quantize static; the other ways need no examples")
        if self.gate_on is not None and not self.max_drop:
            found.append("--gate-on says how --max-drop is held; add --max-drop METRIC=VALUE")
        return found


@dataclass(frozen=True)
class Row:
    """A model as it was measured. model: what it is. runtime: torch, or onnxruntime.

    file_bytes: of a checkpoint without what only resuming needs. zipped_bytes: of the same, deflated; None where
    nothing was pruned. parameters: values that were learned; nonzero of them. memory_bytes: what a process grows by to
    load it and to answer a batch; None where that could not be measured. latency: by batch size, against the first row.
    """

    model: str
    runtime: str
    file_bytes: int
    zipped_bytes: int | None
    parameters: int
    nonzero: int
    memory_bytes: int | None
    latency: Mapping[int, Latency]
    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]


@dataclass(frozen=True)
class Compressed:
    """rows: the model as it was, as ONNX where the result is one, and the result. main_metrics: what speaks for each
    output. drops: from the first row to the last, by metric. how: what was done, a sentence each. healed: the run.
    """

    name: str
    checkpoint: Path
    out: Path
    split: str
    examples: int
    device: str
    precision: str
    threads: int
    how: tuple[str, ...]
    rows: Sequence[Row]
    main_metrics: tuple[str, ...]
    drops: Mapping[str, Drop]
    gates: Sequence[GateResult]
    healed: Path | None
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every gate held; true without gates."""
        return all(gate.passed for gate in self.gates)

    @property
    def verdict(self) -> list[str]:
        """What may be said of the result, a sentence each."""
        before, after = self.rows[0], self.rows[-1]
        return [
            _file(before, after),
            *([_zipped(before, after)] if after.zipped_bytes is not None else []),
            _memory(before, after),
            *(_speed(size, each, "") for size, each in after.latency.items()),
            *self._against_onnx(),
            *(_score(metric, drop) for metric, drop in self.drops.items()),
        ]

    def _against_onnx(self) -> list[str]:
        """Of a quantised file: what int8 itself brought, beside the other runtime."""
        if len(self.rows) < 3:
            return []
        plain, after = self.rows[1], self.rows[-1]
        share = after.file_bytes / plain.file_bytes
        told = [f"of the plain ONNX file, {plain.file_bytes / 1e6:.3g} MB, it has {share:.2f}"]
        for size, each in after.latency.items():
            share = each.p50_ms / plain.latency[size].p50_ms
            told.append(f"batch {size}: {share:.2f} of the median time of the plain ONNX file")
        return told


def _file(before: Row, after: Row) -> str:
    share = after.file_bytes / before.file_bytes
    word = "smaller" if share < LESS else "larger" if share > 1 / LESS else "no smaller"
    return f"the file is {word}: {share:.2f} of {before.file_bytes / 1e6:.3g} MB"


def _zipped(before: Row, after: Row) -> str:
    assert before.zipped_bytes
    assert after.zipped_bytes
    share = after.zipped_bytes / before.zipped_bytes
    word = "smaller" if share < LESS else "no smaller"
    return (
        f"zipped it is {word}: {share:.2f} of {before.zipped_bytes / 1e6:.3g} MB; zeros save nothing else by themselves"
    )


def _memory(before: Row, after: Row) -> str:
    if before.memory_bytes is None or after.memory_bytes is None:
        return "memory was not measured: the process that should have answered did not"
    less = before.memory_bytes - after.memory_bytes
    smaller = after.memory_bytes < LESS_MEMORY * before.memory_bytes and less > LEAST_MEMORY
    larger = before.memory_bytes < LESS_MEMORY * after.memory_bytes and -less > LEAST_MEMORY
    word = "less" if smaller else "more" if larger else "no less"
    return f"it takes {word} memory: {after.memory_bytes / 1e6:.3g} MB, {before.memory_bytes / 1e6:.3g} MB before"


def _speed(size: int, latency: Latency, of: str) -> str:
    word = "faster" if latency.faster else "slower" if latency.slower else "no faster"
    return f"batch {size}: {word}, {latency.ratio:.2f} of the time ({latency.low:.2f} to {latency.high:.2f}){of}"


def _score(metric: str, drop: Drop) -> str:
    low, high = drop.interval
    way = "worse" if drop.value > 0 else "better" if drop.value < 0 else "the same"
    size = f" by {abs(drop.value):.4g}" if drop.value else ""
    chance = "p < 0.001" if drop.p < 0.001 else f"p = {drop.p:.2g}"
    return f"{metric} is {way}{size} (95 % interval of the drop {low:.4g} to {high:.4g}, by chance with {chance})"
