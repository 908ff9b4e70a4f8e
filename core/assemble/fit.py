"""A training put together: freeze, optimizer, schedule, loaders, loop; and what would go wrong in it, found before."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from ft.core.adapt.proof import digests
from ft.core.assemble.feature_cache import cache_features
from ft.core.assemble.learning import Learning, what_learns
from ft.core.assemble.parts import (
    BatchLoader,
    LimitedLoader,
    Machine,
    Rankings,
    build_loader,
    input_forms,
    known_metrics,
)
from ft.core.assemble.picking import mixing, sampled_classes, tell_sampling
from ft.core.assemble.speed import describe_speed, tell_speed
from ft.core.assemble.teaching import Teacher, teach
from ft.core.config.schema import Experiment, FinetuneSection, RankingOutput, TrainSection
from ft.core.config.suggest import nearest
from ft.core.data.columns import Column
from ft.core.data.loader import Loader
from ft.core.data.mixing import MixedLoader
from ft.core.data.prepare import Data
from ft.core.data.ranking import RankingLoader
from ft.core.engine.balance import Balance
from ft.core.engine.ema import Ema
from ft.core.engine.loop import Loop
from ft.core.engine.state import LoopSettings
from ft.core.errors import ConfigError, Problem
from ft.core.models.heads import Head
from ft.core.models.network import Network
from ft.core.optim.optimizers import make_optimizer
from ft.core.optim.schedules import Schedule, make_schedule
from ft.core.runtime.timings import phase


@dataclass(frozen=True)
class Fit:
    """A training, ready to run.

    still: SHA-256 of each tensor that is frozen at first, as it was. choices: what is to be told of it. cached: whose
    answers are kept. teacher, speed: what a run records of them.
    """

    loop: Loop
    network: Network
    heads: dict[str, Head]
    learning: Learning
    still: dict[str, str]
    warnings: tuple[str, ...]
    choices: tuple[str, ...] = ()
    cached: str = "not used"
    teacher: dict[str, str] | None = None
    speed: dict[str, object] = field(default_factory=dict)


@phase("building")
def build_fit(
    experiment: Experiment,
    settings: TrainSection,
    data: Data,
    network: Network,
    heads: dict[str, Head],
    machine: Machine,
    *,
    smoke: bool = False,
    teacher: Teacher | None = None,
) -> Fit:
    """Freeze, adapters, then optimizer, schedule, loaders and loop. Raises ConfigError with the place of what does not
    fit.

    experiment: complete, with every stage filled in. settings: those of the stage that runs.
    """
    stage = "finetune" if isinstance(settings, FinetuneSection) else "train"
    examples = len(data.examples["train"])
    check_batch_size(settings, stage, examples)
    _check_micro_batch(settings, stage, data)
    learning = what_learns(settings, stage, network)
    still = digests(network.module, learning.frozen.tensors())
    at_last = partial(learning.frozen.train_mode, at_last=True)
    _check_last_batch(settings, stage, examples, network, data.inputs, at_last)
    balance = _balance(settings, stage, heads, machine)
    training, judged = _fit_loaders(experiment, settings, data, network, machine)
    cache = cache_features(settings, network, training, judged, machine, learning.frozen, smoke=smoke)
    taught = teach(teacher, settings, heads, training, cache.training, machine, smoke=smoke)
    loader, validation = taught.loader, cache.validation
    if smoke:
        loader, validation = LimitedLoader(loader), None if validation is None else LimitedLoader(validation)
        settings = settings.model_copy(update={"epochs": 1, "max_steps": None})
    groups = list(learning.groups)
    if balance is not None:
        groups.append({"params": [("balance.log_variances", balance.log_variances)], "weight_decay": 0.0})
    place, fused = (stage, "optimizer"), settings.speed.fused
    optimizer = make_optimizer(settings.optimizer, groups, settings.lr, machine.device, place, fused=fused)
    schedule = _schedule(settings, stage, loader.batches_per_epoch, validated=validation is not None)
    ema = Ema(network.module, settings.ema) if settings.ema else None
    loop = Loop(
        _loop_settings(settings, stage, heads, validated=validation is not None),
        cache.on(network),
        taught.heads,
        loader,
        validation,
        optimizer,
        schedule,
        machine.precision,
        train_mode=learning.frozen.train_mode,
        ema=ema,
        shipped=cache.on(replace(network, module=ema.module)) if ema else None,
        balance=balance,
        name_example=partial(_name_example, data.examples["train"].names),
        enter=learning.frozen.enter,
    )
    speed = describe_speed(network, optimizer)
    told = (tell_speed(speed), *tell_sampling(settings, stage, data), *cache.told, *taught.told)
    warnings = () if smoke else _warnings(settings, stage, loop)
    record = teacher.record() if teacher else None
    return Fit(loop, network, heads, learning, still, warnings, told, cache.name, record, speed)


def _name_example(names: Sequence[str] | None, row: int) -> str:
    """As its file calls it, else by its number in the training split."""
    return f"number {row} of train" if names is None else names[row]


def _fit_loaders(
    experiment: Experiment, settings: TrainSection, data: Data, network: Network, machine: Machine
) -> tuple[BatchLoader, BatchLoader | None]:
    """Shuffled and augmented training batches, and the validation split in its own order if there is one."""
    plain = _training_loader(experiment.seed, settings, data, network, machine)
    stage = "finetune" if isinstance(settings, FinetuneSection) else "train"
    mixed = mixing(experiment.seed, settings, stage, data)
    training = plain if mixed is None else MixedLoader(plain, mixed)
    assert experiment.eval is not None, "a complete experiment"
    size = experiment.eval.batch_size or settings.batch_size
    validation = None
    if examples := data.examples.get("val"):
        rankings = Rankings.of(data.outputs, "val")
        validation = build_loader(examples, data.inputs, network, machine, size, smoke=False, rankings=rankings)
    return training, validation


def _training_loader(
    seed: int, settings: TrainSection, data: Data, network: Network, machine: Machine
) -> Loader | RankingLoader:
    examples, size = data.examples["train"], settings.batch_size
    classes = sampled_classes(settings, "finetune" if isinstance(settings, FinetuneSection) else "train", data)
    rankings = Rankings.of(data.outputs, "train")
    if rankings is None:
        return Loader(
            examples,
            data.inputs,
            machine.device,
            seed=seed,
            batch_size=size,
            shuffle=True,
            augment=settings.augment,
            classes=classes,
            views=settings.augment_views if isinstance(settings, FinetuneSection) else None,
            memory_format=network.memory_format,
        )
    output = data.output_settings[rankings.output]
    assert isinstance(output, RankingOutput)
    return rankings.loader(
        examples,
        data.inputs,
        machine.device,
        batch_size=size,
        seed=seed,
        train=True,
        negatives=output.negatives,
        augment=settings.augment,
    )


def _balance(settings: TrainSection, stage: str, heads: Mapping[str, Head], machine: Machine) -> Balance | None:
    """The learned weights of several outputs' losses, where they are asked for."""
    if settings.loss_weights == "fixed":
        return None
    if len(heads) < 2:
        message = f"{stage}.loss_weights: uncertainty weighs several outputs, and there is only {next(iter(heads))}"
        raise ConfigError(Problem(f"{message}; leave it out", (stage, "loss_weights")))
    return Balance(list(heads.values()), machine.device)


def _schedule(settings: TrainSection, stage: str, batches_per_epoch: int, *, validated: bool) -> Schedule:
    steps_per_epoch = math.ceil(batches_per_epoch / settings.accumulate)
    total_steps = settings.epochs * steps_per_epoch
    schedule = make_schedule(
        settings.schedule,
        total_steps=min(total_steps, settings.max_steps or total_steps),
        steps_per_epoch=steps_per_epoch,
        warmup_steps=_warmup_steps(settings, steps_per_epoch),
        path=(stage, "schedule"),
    )
    if schedule.needs_validation and not validated:
        raise ConfigError(
            Problem("plateau needs a validation split; set data.split.val, e.g. 0.1", (stage, "schedule"))
        )
    return schedule


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
        micro_batch=None if settings.micro_batch == "auto" else settings.micro_batch,
        halve_micro_batch=settings.micro_batch == "auto",
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


def _warmup_steps(settings: TrainSection, steps_per_epoch: int) -> int:
    return settings.warmup_steps or round(settings.warmup_epochs * steps_per_epoch)


def _warnings(settings: TrainSection, stage: str, loop: Loop) -> tuple[str, ...]:
    """What is allowed and hardly meant."""
    warmup_steps = _warmup_steps(settings, loop.steps_per_epoch)
    if warmup_steps < loop.total_steps:
        return ()
    return (f"{stage}: the warm-up of {warmup_steps} steps is not shorter than training, {loop.total_steps} steps",)


def check_batch_size(settings: TrainSection, stage: str, examples: int) -> None:
    """Raise ConfigError when a batch is larger than the training split."""
    size = settings.batch_size
    if size > examples:
        message = f"{stage}.batch_size is {size}, more than the {examples} training examples; make it smaller"
        raise ConfigError(Problem(message, (stage, "batch_size")))


def _check_micro_batch(settings: TrainSection, stage: str, data: Data) -> None:
    """A ranking's batch shares its candidates, so it has no pieces."""
    ranked = [name for name, output in data.output_settings.items() if isinstance(output, RankingOutput)]
    if settings.micro_batch is not None and ranked:
        message = f"{stage}.micro_batch: batches of the ranking {ranked[0]} cannot be cut; use a smaller batch_size"
        raise ConfigError(Problem(message, (stage, "micro_batch")))


def _check_last_batch(
    settings: TrainSection,
    stage: str,
    examples: int,
    network: Network,
    inputs: Mapping[str, Column],
    train_mode: Callable[[], None],
) -> None:
    """Batch norm cannot train on one value per channel: an epoch may not end with one example where that is so.

    Found out by trying, on a copy, and only where a batch of one example would come.
    """
    size = settings.batch_size
    if size > 1 and examples % size != 1:
        return
    train_mode()
    trial = replace(network, module=copy.deepcopy(network.module))
    device = next((p.device for p in trial.module.parameters()), torch.device("cpu"))
    try:
        with torch.random.fork_rng(), torch.no_grad():
            trial({name: form.zeros(1, device) for name, form in input_forms(inputs).items()})
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        last = "every batch" if size == 1 else "the last batch of an epoch"
        message = (
            f"{stage}.batch_size {size} leaves one example in {last} ({examples} training examples), "
            "which batch norm cannot train on; choose another size"
        )
        raise ConfigError(Problem(message, (stage, "batch_size"))) from error
