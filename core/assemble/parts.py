"""The parts of an experiment: machine, columns, heads, network, loaders. Each function gives one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import nn

from ft.core.config.schema import Experiment, OutputColumn
from ft.core.data.columns import Column, column_from_state
from ft.core.data.loader import Batch, Examples, Loader
from ft.core.errors import ConfigError, Problem
from ft.core.models.build import build_network
from ft.core.models.heads import Head, make_head
from ft.core.models.network import Network
from ft.core.runtime.device import choose_device
from ft.core.runtime.memory import keep_freed_memory
from ft.core.runtime.precision import Precision, choose_precision
from ft.core.runtime.seed import seed_everything

SMOKE_BATCHES = 2
MAX_THREADS = 1024


@dataclass(frozen=True)
class Machine:
    """Where and how finely to compute. reasons: one line each, for the user."""

    device: torch.device
    precision: Precision
    reasons: tuple[str, ...]


def build_machine(experiment: Experiment) -> Machine:
    """Choose device and precision and set the threads. Raises ConfigError when an explicit wish cannot be met."""
    _set_threads(experiment.threads)
    device = choose_device(experiment.device)
    precision = choose_precision(experiment.precision, device.device)
    if device.device.type == "cpu":
        keep_freed_memory()
    reasons = (f"device {device.device}: {device.reason}", f"precision {precision.name}: {precision.reason}")
    return Machine(device.device, Precision(precision.name, device.device), reasons)


def _set_threads(wish: int | None) -> None:
    """Raises ConfigError for more than any machine has: the thread pools end the process without a word."""
    if wish is None:
        return
    if wish > MAX_THREADS:
        raise ConfigError(Problem(f"threads is {wish}; expected at most {MAX_THREADS}", ("threads",)))
    torch.set_num_threads(wish)


# ---------------------------------------------------------------- model and heads


def build_heads(
    outputs: Mapping[str, OutputColumn],
    columns: Mapping[str, Column],
    counts: Mapping[str, Mapping[str, int]],
    asked: Sequence[str] = (),
) -> dict[str, Head]:
    """One head per output. counts: training examples per class, for balanced weights; asked: metrics to report."""
    heads = {}
    for name, settings in outputs.items():
        state = dict(columns[name].to_state())
        if name in counts:
            state["counts"] = [counts[name].get(label, 0) for label in state["classes"]]
        heads[name] = make_head(name, settings, state, [metric.rsplit("/", 1)[-1] for metric in asked])
    return heads


def build_columns(checkpoint: Mapping[str, Any]) -> tuple[dict[str, Column], dict[str, Column]]:
    """The input and the output columns that a checkpoint holds, fitted as they were."""
    states = checkpoint["columns"]
    inputs, outputs = (
        {name: column_from_state(state) for name, state in states[side].items()} for side in ("inputs", "outputs")
    )
    return inputs, outputs


def build_model(
    experiment: Experiment,
    inputs: Mapping[str, Column],
    heads: Mapping[str, Head],
    device: torch.device,
    code_sha256: str | None = None,
) -> Network:
    """The network with fresh weights drawn from the experiment's seed, on `device`, in its memory format.

    code_sha256: what a `python:` model's file must hash to; other code is refused and does not run.
    """
    seed_everything(experiment.seed)
    network = build_network(
        experiment.model,
        {name: column.shape for name, column in inputs.items()},
        {name: head.size for name, head in heads.items()},
        device,
        cardinalities={name: column.cardinality for name, column in inputs.items() if hasattr(column, "cardinality")},
        code_sha256=code_sha256,
    )
    if device.type != "meta":
        network.module.to(memory_format=memory_format(network.module, device))  # type: ignore[call-overload]
    return network


def memory_format(module: nn.Module, device: torch.device) -> torch.memory_format:
    """Channels last for networks with 2-D convolutions: 1.3 to 1.8 times faster on CPUs, and what tensor cores want.

    A pure rule of model and device because it changes the last bits. MPS keeps the plain format.
    """
    convolves = any(isinstance(child, nn.Conv2d) for child in module.modules())
    return torch.channels_last if convolves and device.type in ("cpu", "cuda") else torch.contiguous_format


def known_metrics(heads: Mapping[str, Head]) -> dict[str, str]:
    """Every flat metric name these heads can report, with its direction, "min" or "max"."""
    single = len(heads) == 1
    names = {"loss": "min"}
    for output, head in heads.items():
        for metric in head.metric_names():
            names[metric if single else f"{output}/{metric}"] = head.direction(metric)
    return names


# ---------------------------------------------------------------- loaders


def build_loader(
    examples: Examples,
    inputs: Mapping[str, Column],
    network: Network,
    machine: Machine,
    batch_size: int,
    *,
    smoke: bool,
) -> Loader | LimitedLoader:
    """A loader in the split's own order, for evaluation."""
    loader = Loader(
        examples,
        inputs,
        machine.device,
        seed=0,
        batch_size=batch_size,
        shuffle=False,
        augment=False,
        memory_format=memory_format(network.module, machine.device),
    )
    return LimitedLoader(loader, SMOKE_BATCHES) if smoke else loader


class LimitedLoader:
    """The first few batches of every epoch, for smoke tests."""

    def __init__(self, loader: Loader, batches: int) -> None:
        self._loader = loader
        self.batches_per_epoch = min(batches, loader.batches_per_epoch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches from `start` up to the limit."""
        return islice(self._loader.epoch(epoch, start), self.batches_per_epoch - start)


# ---------------------------------------------------------------- what a checkpoint says


def column_states(columns: Mapping[str, Column]) -> dict[str, dict[str, Any]]:
    """Every column's fitted state as plain values and tensors."""
    return {name: dict(column.to_state()) for name, column in columns.items()}
