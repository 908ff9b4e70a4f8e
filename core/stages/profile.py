"""`ft profile`: where a training step's time goes on this machine, and which settings would make it shorter.

Two measurements of the very loop that trains, on the experiment's own data. First the parts of a step are timed one by
one; then whole steps, in blocks, in turn with blocks of the same step under one other setting at a time. The clock
decides nothing by itself: what is faster in every round is printed, to be written into the file, because it changes the
last bits of what is learned.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from ft.core.assemble.fit import Fit, build_fit
from ft.core.assemble.parts import Machine, build_machine, build_model, data_heads
from ft.core.config.load import Loaded, load_experiment
from ft.core.config.yaml import scalar
from ft.core.data.prepare import Data, prepare_data
from ft.core.engine.dissect import BACKWARD, DATA, FORWARD, OPTIMIZER, REST, dissect, peak_memory
from ft.core.engine.events import Stepped
from ft.core.runtime.cores import cores
from ft.core.runtime.precision import fast_precisions
from ft.core.stages.drive import Stage
from ft.core.stages.notices import Notice, tell_data
from ft.core.stages.options import Options
from ft.core.stages.teaching import load_teacher

ENDLESS = 1_000_000  # epochs; nobody waits for them
WARM_UP = 5  # steps that do not count
ROUNDS = 7  # of blocks: by chance alone one is faster in all of them once in 128 times
BLOCK = 0.4  # seconds
LONGEST = 1.0  # seconds of a block of a slow setting
WORTH = 0.97  # of the time it takes now, from which on a setting is worth writing down

ADVICE = {
    DATA: "batches come too slowly: keep: memory or disk for pictures, fewer or cheaper augmentations, more cores",
    FORWARD: "the network's own arithmetic: a smaller or cheaper network, smaller inputs, a lower precision",
    BACKWARD: "the network's own arithmetic: freeze what need not learn, a cheaper network, smaller inputs",
    OPTIMIZER: "the update of the weights: fewer weights that learn, sgd, or a larger batch_size for fewer updates",
    REST: "what surrounds the network: a larger batch_size shares it among more examples",
}


@dataclass(frozen=True)
class Alternative:
    """The same step under other settings. ratio: of its time to that of the step as it is, the median of all rounds;
    low, high: the least and the largest of them.
    """

    settings: tuple[str, ...]
    milliseconds: float
    ratio: float
    low: float
    high: float

    @property
    def faster(self) -> bool:
        """In every round, and by enough to be worth a line."""
        return self.high < 1 and self.ratio <= WORTH


@dataclass(frozen=True)
class Profile:
    """milliseconds: of a step as it is, the median. parts: milliseconds of its parts, timed one by one, in order; where
    an accelerator is waited for after each they add up to more. bottleneck: the longest of them. faster: settings to
    write down, () for none. peak_bytes: of the process, or of the accelerator's memory. choices: what was chosen by
    rule.
    """

    name: str
    stage: str
    device: str
    precision: str
    threads: int
    batch_size: int
    milliseconds: float
    examples_per_second: float
    parts: dict[str, float]
    bottleneck: str
    advice: str
    peak_bytes: int
    alternatives: tuple[Alternative, ...]
    faster: tuple[str, ...]
    choices: tuple[str, ...]


def profile(file: Path, overrides: Sequence[str], options: Options) -> Profile:
    """Measure the training of the file's first stage. Writes nothing.

    Raises what building the stage raises.
    """
    loaded = load_experiment(file, overrides)
    stage: Stage = "train" if "train" in loaded.named_stages() or loaded.experiment.finetune is None else "finetune"
    with loaded.locating():
        options.on_notice(Notice("stage", f"profile {loaded.experiment.name}: {stage}"))
        experiment = loaded.complete
        data = prepare_data(experiment.data, experiment.inputs, experiment.outputs, only={"train"})
        tell_data(data, options.on_notice)
    bench = _Bench(file, overrides, stage, data, torch.get_num_threads())
    plain = bench.contender(())
    for reason in (*plain.machine.reasons, *plain.fit.choices):
        options.on_notice(Notice("choice", reason))
    settings, examples = loaded.stage(stage), len(data.examples["train"])
    batch = min(settings.batch_size * settings.accumulate, examples)
    first = plain.block(WARM_UP)
    steps = max(1, math.ceil(BLOCK / first))
    parts = dissect(plain.fit.loop, steps, WARM_UP, plain.machine.device)
    plain.restart()
    peak = peak_memory(plain.machine.device)
    options.on_notice(Notice("stage", f"{ROUNDS} rounds of {steps:,} steps with each other setting"))
    own, alternatives = bench.compare(plain, bench.others(plain), steps)
    faster = tuple(setting for each in alternatives if each.faster for setting in each.settings)
    if sum(each.faster for each in alternatives) > 1:
        _, together = bench.compare(plain, [faster], steps)
        alternatives += together
        faster = faster if together[0].faster else min(alternatives, key=lambda each: each.ratio).settings
    longest = max(parts, key=lambda name: parts[name])
    return Profile(
        name=experiment.name,
        stage=stage,
        device=str(plain.machine.device),
        precision=plain.machine.precision.name,
        threads=plain.threads,
        batch_size=batch,
        milliseconds=1000 * own,
        examples_per_second=batch / own,
        parts={name: 1000 * seconds for name, seconds in parts.items()},
        bottleneck=longest,
        advice=ADVICE[longest],
        peak_bytes=peak,
        alternatives=tuple(alternatives),
        faster=faster,
        choices=plain.fit.choices,
    )


class _Contender:
    """A loop that trains for ever, under some settings."""

    def __init__(self, machine: Machine, fit: Fit) -> None:
        self.machine, self.fit = machine, fit
        self.threads = torch.get_num_threads()
        self._steps = self._taken()

    def _taken(self) -> Iterator[Stepped]:
        return (event for event in self.fit.loop.run() if isinstance(event, Stepped))

    def restart(self) -> None:
        """Go on after somebody else has run the loop."""
        self._steps = self._taken()

    def block(self, steps: int) -> float:
        """Seconds of a step, the mean of so many, fewer where they are slow."""
        torch.set_num_threads(self.threads)
        began, taken = time.perf_counter(), 0
        while taken < steps and time.perf_counter() - began < LONGEST:
            next(self._steps)
            taken += 1
        if self.machine.device.type != "cpu":
            torch.accelerator.synchronize()
        return (time.perf_counter() - began) / taken


@dataclass(frozen=True)
class _Bench:
    """What all contenders share: the file, the line's settings, the stage, the data, torch's own number of threads."""

    file: Path
    overrides: Sequence[str]
    stage: Stage
    data: Data
    threads: int

    def contender(self, settings: tuple[str, ...]) -> _Contender:
        """The stage's loop under these settings, too, as a training would build it."""
        torch.set_num_threads(self.threads)
        loaded = load_experiment(self.file, [*self.overrides, *settings])
        with loaded.locating():
            return _Contender(*self._build(loaded))

    def _build(self, loaded: Loaded) -> tuple[Machine, Fit]:
        experiment, section, data = loaded.complete, loaded.stage(self.stage), self.data
        machine, heads = build_machine(experiment), data_heads(data)
        network = build_model(experiment, data.inputs, data.output_settings, heads, machine.device, speed=section.speed)
        teacher = load_teacher(loaded, self.stage, data, heads, machine)
        endless: dict[str, Any] = {
            "epochs": ENDLESS,
            "max_steps": None,
            "schedule": "constant",
            "monitor": None,
            "patience": None,
        }
        endless |= {"warmup_steps": 0, "warmup_epochs": 0.0}
        fit = build_fit(experiment, section.model_copy(update=endless), data, network, heads, machine, teacher=teacher)
        return machine, fit

    def others(self, plain: _Contender) -> list[tuple[str, ...]]:
        """What else could be set, one thing at a time: only what is not so already and can make a difference."""
        device, speed, network = plain.machine.device, plain.fit.speed, plain.fit.network
        found = [f"precision={name}" for name in fast_precisions(device) if name != plain.machine.precision.name]
        if device.type == "cpu":
            most = plain.threads
            found += [f"threads={count}" for count in sorted({1, most // 2, cores() or most} - {0, plain.threads})]
        if any(isinstance(child, nn.Conv2d) for child in network.module.modules()):
            formats = {"channels_last", "contiguous"} - {speed["memory_format"]}
            found += [f"{self.stage}.speed.memory_format={name}" for name in formats]
        if speed["rewrites"]:
            found.append(f"{self.stage}.speed.rewrite=false")
        if speed["fused"]:
            found.append(f"{self.stage}.speed.fused=false")
        return [(setting,) for setting in found]

    def compare(
        self, plain: _Contender, others: Sequence[tuple[str, ...]], steps: int
    ) -> tuple[float, list[Alternative]]:
        """Seconds of the step as it is, and how it fares under the other settings. In turn, so that what disturbs the
        machine disturbs all alike.
        """
        contenders = [plain, *(self.contender(settings) for settings in others)]
        for each in contenders:
            each.block(WARM_UP)
        rounds = [[each.block(steps) for each in contenders] for _ in range(ROUNDS)]
        columns = list(zip(*rounds, strict=True))
        return median(columns[0]), [
            _alternative(settings, column, columns[0]) for settings, column in zip(others, columns[1:], strict=True)
        ]


def _alternative(settings: tuple[str, ...], own: Sequence[float], plain: Sequence[float]) -> Alternative:
    ratios = [a / b for a, b in zip(own, plain, strict=True)]
    return Alternative(settings, 1000 * median(own), median(ratios), min(ratios), max(ratios))


def as_tree(settings: Sequence[str]) -> dict[str, Any]:
    """`["train.speed.fused=false"]` -> {"train": {"speed": {"fused": False}}}: what to write into the file."""
    tree: dict[str, Any] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        *parents, last = key.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = scalar(value)
    return tree
