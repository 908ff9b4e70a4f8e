"""Experiment -> objects: the only place where settings become devices, networks, optimizers and loops.

Every function takes settings and gives one part; `build_fit` puts the parts of a training together. What the machine
or the data decided is said in `notices`, so nothing is chosen in silence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ft.core.adapt.freeze import FreezeReport, freeze, set_train_mode
from ft.core.config.schema import Experiment, FinetuneSection, OutputColumn, TrainSection
from ft.core.config.suggest import nearest
from ft.core.data.columns import Column
from ft.core.data.loader import Batch, Examples, Loader
from ft.core.data.prepare import Data
from ft.core.engine.ema import Ema
from ft.core.engine.loop import Loop, LoopSettings
from ft.core.errors import ConfigError, Problem
from ft.core.models.build import build_network
from ft.core.models.heads import Head, make_head
from ft.core.models.network import Network
from ft.core.optim.groups import parameter_groups
from ft.core.optim.optimizers import make_optimizer
from ft.core.optim.schedules import Schedule, make_schedule
from ft.core.runtime.device import choose_device
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


def build_model(
    experiment: Experiment, inputs: Mapping[str, Column], heads: Mapping[str, Head], device: torch.device
) -> Network:
    """The network with fresh weights drawn from the experiment's seed, on `device`, in its memory format."""
    seed_everything(experiment.seed)
    network = build_network(
        experiment.model,
        {name: column.shape for name, column in inputs.items()},
        {name: head.size for name, head in heads.items()},
        device,
        Path(),
        cardinalities={name: column.cardinality for name, column in inputs.items() if hasattr(column, "cardinality")},
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


# ---------------------------------------------------------------- a training


@dataclass(frozen=True)
class Fit:
    """A training, ready to run."""

    loop: Loop
    network: Network
    heads: dict[str, Head]
    freeze: FreezeReport | None


def build_fit(
    experiment: Experiment,
    settings: TrainSection,
    data: Data,
    network: Network,
    heads: dict[str, Head],
    machine: Machine,
    *,
    smoke: bool = False,
) -> Fit:
    """Freeze, then optimizer, schedule, loaders and loop. Raises ConfigError with the place of what does not fit.

    experiment: complete, with every stage filled in. settings: those of the stage that runs.
    """
    stage = "finetune" if isinstance(settings, FinetuneSection) else "train"
    _check_batches(settings, stage, len(data.examples["train"]), network.module)
    frozen = _freeze(settings, network)
    loader, validation = _fit_loaders(experiment, settings, data, network, machine, smoke=smoke)
    if smoke:
        settings = settings.model_copy(update={"epochs": 1, "max_steps": None})
    groups = parameter_groups(network.module, settings.weight_decay, settings.weight_decay_on)
    optimizer = make_optimizer(settings.optimizer, groups, settings.lr, machine.device, (stage, "optimizer"))
    schedule = _schedule(settings, stage, loader.batches_per_epoch, validated=validation is not None)
    ema = Ema(network.module, settings.ema) if settings.ema else None
    loop = Loop(
        _loop_settings(settings, stage, heads, validated=validation is not None),
        network,
        list(heads.values()),
        loader,
        validation,
        optimizer,
        schedule,
        machine.precision,
        train_mode=lambda: set_train_mode(network.module, frozen.modules if frozen else ()),
        ema=ema,
        shipped=replace(network, module=ema.module) if ema else None,
    )
    return Fit(loop, network, heads, frozen)


def _fit_loaders(
    experiment: Experiment, settings: TrainSection, data: Data, network: Network, machine: Machine, *, smoke: bool
) -> tuple[Loader | LimitedLoader, Loader | LimitedLoader | None]:
    """Shuffled and augmented training batches, and the validation split in its own order if there is one."""
    training = Loader(
        data.examples["train"],
        data.inputs,
        machine.device,
        seed=experiment.seed,
        batch_size=settings.batch_size,
        shuffle=True,
        augment=settings.augment,
        memory_format=memory_format(network.module, machine.device),
    )
    assert experiment.eval is not None, "a complete experiment"
    size = experiment.eval.batch_size or settings.batch_size
    examples = data.examples.get("val")
    validation = build_loader(examples, data.inputs, network, machine, size, smoke=smoke) if examples else None
    return LimitedLoader(training, SMOKE_BATCHES) if smoke else training, validation


def _schedule(settings: TrainSection, stage: str, batches_per_epoch: int, *, validated: bool) -> Schedule:
    steps_per_epoch = math.ceil(batches_per_epoch / settings.accumulate)
    total_steps = settings.epochs * steps_per_epoch
    schedule = make_schedule(
        settings.schedule,
        total_steps=min(total_steps, settings.max_steps or total_steps),
        steps_per_epoch=steps_per_epoch,
        warmup_steps=settings.warmup_steps or round(settings.warmup_epochs * steps_per_epoch),
        path=(stage, "schedule"),
    )
    if schedule.needs_validation and not validated:
        raise ConfigError(
            Problem("plateau needs a validation split; set data.split.val, e.g. 0.1", (stage, "schedule"))
        )
    return schedule


def _freeze(settings: TrainSection, network: Network) -> FreezeReport | None:
    if not isinstance(settings, FinetuneSection) or (not settings.freeze and settings.freeze != 0):
        return None
    return freeze(network.units, network.module, settings.freeze)


def _loop_settings(settings: TrainSection, stage: str, heads: Mapping[str, Head], *, validated: bool) -> LoopSettings:
    monitor, direction = choose_monitor(settings, stage, heads, validated=validated)
    return LoopSettings(
        epochs=settings.epochs,
        max_steps=settings.max_steps,
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
        monitor=monitor,
        direction="max" if direction == "max" else "min",
        patience=settings.patience,
        validate_every_epochs=settings.validate_every_epochs,
        validate_every_steps=settings.validate_every_steps,
        log_every_steps=settings.log_every_steps,
    )


def choose_monitor(
    settings: TrainSection, stage: str, heads: Mapping[str, Head], *, validated: bool
) -> tuple[str, str]:
    """The metric that chooses best and its direction: the setting, else the only head's main one, else the loss."""
    needing = [key for key in ("monitor", "patience") if getattr(settings, key) is not None]
    if not validated and needing:
        raise ConfigError(
            *(
                Problem(
                    f"{stage}.{key} needs a validation split, and there is none; set data.split.val, e.g. 0.1",
                    (stage, key),
                )
                for key in needing
            )
        )
    known = known_metrics(heads)
    if settings.monitor is None:
        only = next(iter(heads.values()))
        monitor = only.main_metric if len(heads) == 1 else "loss"
        return monitor, known[monitor]
    if settings.monitor not in known:
        close = nearest(settings.monitor, known)
        hint = f"did you mean {close}?" if close else f"there are: {', '.join(known)}"
        raise ConfigError(
            Problem(f"{stage}.monitor: no metric is called {settings.monitor}; {hint}", (stage, "monitor"))
        )
    return settings.monitor, known[settings.monitor]


def _check_batches(settings: TrainSection, stage: str, examples: int, module: nn.Module) -> None:
    size = settings.batch_size
    if size > examples:
        raise ConfigError(
            Problem(
                f"{stage}.batch_size is {size}, more than the {examples} training examples; "
                f"make it {examples} or smaller",
                (stage, "batch_size"),
            )
        )
    normalises = any(isinstance(child, nn.modules.batchnorm._BatchNorm) for child in module.modules())
    if normalises and (size == 1 or examples % size == 1):
        last = "every batch" if size == 1 else "the last batch of an epoch"
        raise ConfigError(
            Problem(
                f"{stage}.batch_size {size} leaves one example in {last} ({examples} training examples), "
                "which batch norm cannot train on; choose another size",
                (stage, "batch_size"),
            )
        )


# ---------------------------------------------------------------- what a checkpoint says


def column_states(columns: Mapping[str, Column]) -> dict[str, dict[str, Any]]:
    """Every column's fitted state as plain values and tensors."""
    return {name: dict(column.to_state()) for name, column in columns.items()}
