"""Looking at an experiment without running it: its layers, and whether its network and optimizer can be built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from ft.core.adapt.freeze import freeze
from ft.core.assemble.fit import choose_monitor
from ft.core.assemble.parts import build_columns, build_heads, build_model
from ft.core.config.load import Loaded
from ft.core.config.schema import CategoryOutput, Experiment
from ft.core.data.columns import Column
from ft.core.data.outline import Outline, outline, settle_columns
from ft.core.data.prepare import prepare_data
from ft.core.models.build import build_network
from ft.core.models.describe import Parameters, UnitRow, count_parameters, describe
from ft.core.models.heads import Head, make_head
from ft.core.models.network import Network
from ft.core.optim import optimizers, schedules
from ft.core.runtime.device import choose_device
from ft.core.runtime.precision import choose_precision
from ft.core.stages.checks import check_metrics
from ft.core.stages.subject import Subject, refuse_overrides

META = torch.device("meta")
STAGES: tuple[Literal["train", "finetune"], ...] = ("train", "finetune")


@dataclass(frozen=True)
class LayersResult:
    """The rows of `ft layers`. notes: what was needed to know them, what is frozen and why."""

    rows: list[UnitRow]
    parameters: Parameters
    notes: list[str]


def layers(subject: Subject, patterns: Sequence[int | str] = ()) -> LayersResult:
    """The numbered units of a file's or checkpoint's network, without weights. patterns: show these as frozen.

    Without patterns a fine-tuned checkpoint shows what its own fine-tuning froze.
    """
    with subject.loaded.locating():
        network, notes = _network(subject)
        own = subject.loaded.experiment.finetune
        if not patterns and subject.checkpoint is not None and subject.checkpoint["stage"] == "finetune" and own:
            patterns = own.freeze if isinstance(own.freeze, list) else [own.freeze]
        frozen: Sequence[str] = ()
        if patterns:
            report = freeze(network.units, network.module, patterns, ())
            frozen = report.modules
            notes.append(report.lines()[-1])
        return LayersResult(describe(network, frozen), count_parameters(network.module), notes)


def validate(loaded: Loaded, device: torch.device = META) -> list[str]:
    """Build what can be built without data: network, optimizer, schedule, metric names.

    device: of the network. On "meta" it costs no memory; on the CPU it saves a second of imports that meta needs.
    Returns what could not be checked and why. Raises ConfigError with the places of everything wrong.
    """
    with loaded.locating():
        experiment = loaded.experiment
        choose_precision(experiment.precision, choose_device(experiment.device).device)
        for stage in STAGES:
            if getattr(experiment, stage) is not None:
                settings = loaded.stage(stage)
                optimizers.check(settings.optimizer, settings.weight_decay, (stage, "optimizer"))
                warms_up = bool(settings.warmup_steps or settings.warmup_epochs)
                schedules.check(settings.schedule, warms_up, (stage, "schedule"))
        known = outline(experiment.data, experiment.inputs, experiment.outputs)
        stages = {stage: loaded.stage(stage) for stage in STAGES if getattr(experiment, stage) is not None}
        monitors = [settings.monitor for settings in stages.values() if settings.monitor]
        heads, unknown = _heads(known, [*(loaded.eval.metrics or []), *loaded.eval.min, *monitors])
        if len(heads) == len(known.outputs):
            check_metrics(loaded.eval, heads)
            for stage, settings in stages.items():
                choose_monitor(settings, stage, heads, validated=True)
        shapes = {name: shape for name, shape in known.input_shapes.items() if shape is not None}
        unknown += [f"the shape of input {name}" for name in known.input_shapes if name not in shapes]
        if unknown:
            return [f"the network was not built: {' and '.join(unknown)} can be known only from the data (ft layers)"]
        sizes = {name: head.size for name, head in heads.items()}
        network = build_network(experiment.model, shapes, sizes, device)
        if experiment.finetune is not None:
            _check_freeze(loaded, network)
        return []


def _check_freeze(loaded: Loaded, network: Network) -> None:
    settings = loaded.experiment.finetune
    if settings is not None:
        freeze(network.units, network.module, settings.freeze)


def _network(subject: Subject) -> tuple[Network, list[str]]:
    """The network on the meta device, from the checkpoint's columns, else from what is certain, else from the data."""
    experiment = subject.loaded.experiment
    if subject.checkpoint is not None:
        refuse_overrides(subject)
        inputs, outputs = build_columns(subject.checkpoint)
        _, settings = settle_columns(experiment.data, experiment.inputs, experiment.outputs)
        heads = build_heads(settings, outputs, subject.checkpoint["class_counts"])
        return build_model(experiment, inputs, heads, META), []
    known = outline(experiment.data, experiment.inputs, experiment.outputs)
    certain, unknown = _heads(known)
    shapes = {name: shape for name, shape in known.input_shapes.items() if shape is not None}
    if not unknown and len(shapes) == len(known.input_shapes):
        sizes = {name: head.size for name, head in certain.items()}
        return build_network(experiment.model, shapes, sizes, META), []
    return _network_from_data(experiment)


def _network_from_data(experiment: Experiment) -> tuple[Network, list[str]]:
    data = prepare_data(experiment.data, experiment.inputs, experiment.outputs, only={"train"})
    heads = build_heads(data.output_settings, data.outputs, data.class_counts)
    inputs: Mapping[str, Column] = data.inputs
    return build_model(experiment, inputs, heads, META), [f"shapes and classes as the data have them: {data.found}"]


def _heads(known: Outline, asked: Sequence[str] = ()) -> tuple[dict[str, Head], list[str]]:
    """Heads of the outputs whose classes are certain, and what is unknown of the others. asked: metrics to report."""
    heads, unknown = {}, []
    for name, settings in known.outputs.items():
        classes = known.classes.get(name)
        if isinstance(settings, CategoryOutput) and classes is None:
            unknown.append(f"the classes of {name}")
            continue
        state = {"classes": list(classes), "counts": [1] * len(classes)} if classes else {"mean": 0.0, "std": 1.0}
        heads[name] = make_head(name, settings, state, [metric.rsplit("/", 1)[-1] for metric in asked])
    return heads, unknown
