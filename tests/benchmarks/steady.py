"""Steady state: a step of ft's engine against a bare step of the same network, with nothing else around them.

Ours is the loop that `ft train` builds, its loader included: order, gathering, normalising, loss bookkeeping, events.
The rival has everything made beforehand: normalised floats in memory, the same network, optimizer and precision.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from figures import ratios, table
from torch import Tensor
from torch.nn.functional import cross_entropy

from ft.core.assemble.fit import Fit, build_fit
from ft.core.assemble.parts import Machine, build_machine, build_model, data_heads
from ft.core.config.load import Loaded, load_experiment
from ft.core.data.prepare import Data, prepare_data
from ft.core.engine.events import Stepped

HERE = Path(__file__).parent
BLOCK_STEPS = 50
ENDLESS = 10_000  # epochs; nobody waits for them

Blocks = dict[str, list[float]]  # milliseconds per step, by contender


def measure(data: Path, device: str, pairs: int) -> dict[str, Blocks]:
    """Alternating blocks of steps in one process, by precision. A first pair of blocks does not count."""
    found = {}
    for wish in ("auto", "fp32"):
        loaded = load_experiment(HERE / "guide.yaml", [f"data.root={data}", f"precision={wish}", f"device={device}"])
        machine = build_machine(loaded.experiment)
        if machine.precision.name not in found:
            found[machine.precision.name] = _measure(loaded, machine, pairs)
    return found


def _measure(loaded: Loaded, machine: Machine, pairs: int) -> Blocks:
    experiment = loaded.experiment
    data = prepare_data(experiment.data, experiment.inputs, experiment.outputs, only={"train"})  # nothing to validate
    contenders = {"ft": engine_steps(loaded, data, machine), "bare": _bare_steps(loaded, data, machine)}
    return in_turn(contenders, pairs, BLOCK_STEPS, machine.device)


def in_turn(contenders: dict[str, Iterator[object]], pairs: int, block: int, device: torch.device) -> Blocks:
    """Milliseconds per step, block by block, every second pair backwards. A first pair does not count."""
    blocks: Blocks = {name: [] for name in contenders}
    for pair in range(pairs + 1):
        for name in list(contenders)[:: -1 if pair % 2 else 1]:
            milliseconds = _time_block(contenders[name], block, device)
            if pair:
                blocks[name].append(milliseconds)
    return blocks


def _time_block(steps: Iterator[object], count: int, device: torch.device) -> float:
    """Milliseconds per step. A GPU's queue is waited for once a block."""
    started = time.perf_counter()
    for _ in range(count):
        next(steps)
    if device.type != "cpu":
        torch.accelerator.synchronize()
    return 1000 * (time.perf_counter() - started) / count


def engine_steps(loaded: Loaded, data: Data, machine: Machine) -> Iterator[object]:
    """The steps of the loop that `ft train` builds, for ever."""
    fit = _build(loaded, data, machine)
    return (event for event in fit.loop.run() if isinstance(event, Stepped))


def _build(loaded: Loaded, data: Data, machine: Machine) -> Fit:
    heads = data_heads(data)
    network = build_model(loaded.experiment, data.inputs, data.output_settings, heads, machine.device)
    settings = loaded.stage("train").model_copy(update={"epochs": ENDLESS, "monitor": None})
    return build_fit(loaded.complete, settings, data, network, heads, machine)


def _bare_steps(loaded: Loaded, data: Data, machine: Machine) -> Iterator[object]:
    fit, batch_size = _build(loaded, data, machine), loaded.stage("train").batch_size
    module, optimizer, precision = fit.network.module, fit.loop.optimizer, machine.precision
    pictures, targets = in_memory(data, machine.device)
    module.train()
    while True:
        for rows in torch.randperm(len(pictures), device=machine.device).split(batch_size):
            with precision.forward():
                logits = module(pictures[rows])
            loss = cross_entropy(logits.float(), targets[rows])
            optimizer.zero_grad()
            precision.backward(loss)
            precision.step(optimizer)
            yield loss


def in_memory(data: Data, device: torch.device) -> tuple[Tensor, Tensor]:
    """All training pictures, normalised, float32 (N, 1, 28, 28), and their digits, int64 (N,)."""
    examples = data.examples["train"]
    (column,), (stored,), (targets,) = data.inputs.values(), examples.inputs.values(), examples.targets.values()
    return column.prepare(stored.to(device)), targets.to(device)


def show(found: dict[str, Blocks]) -> str:
    """Of ft and one rival."""
    (_, rival), *_ = found.values()
    rows = [("", "ft ms", f"{rival} ms", "ratio, block by block")]
    for what, blocks in found.items():
        times = (f"{median(own):.3f}" for own in blocks.values())
        rows.append((what, *times, str(ratios(*blocks.values()))))
    return table(rows)


def plain(found: dict[str, Blocks]) -> dict[str, Any]:
    return {what: {"ms_per_step": blocks, "ratio": asdict(ratios(*blocks.values()))} for what, blocks in found.items()}
