"""Looking at an experiment without running it: its layers, and whether its network and optimizer can be built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

import torch

from ft.core.adapt.freeze import freeze
from ft.core.assemble.adapting import adapt
from ft.core.assemble.fit import choose_monitor
from ft.core.assemble.learning import head_paths, what_learns
from ft.core.assemble.parts import build_columns, build_model, checkpoint_heads, data_heads, ranking_sides
from ft.core.config.load import Loaded
from ft.core.config.schema import (
    CategoryOutput,
    DataSection,
    DateInput,
    Experiment,
    ImageFolderData,
    ImageInput,
    InputColumn,
    LabelsOutput,
    ModelSection,
    NumberInput,
    OutputColumn,
    TableData,
    TrainSection,
    VectorInput,
)
from ft.core.config.weights import look_for_weights
from ft.core.data.columns.image import side_lengths
from ft.core.data.columns_there import look_at_columns
from ft.core.data.outline import Outline, outline, settle_columns
from ft.core.data.prepare import prepare_data
from ft.core.data.transforms import build_transforms
from ft.core.errors import ConfigError, Problem
from ft.core.models.build import build_network
from ft.core.models.describe import Parameters, UnitRow, count_parameters, describe
from ft.core.models.forms import InputForm
from ft.core.models.heads import Head, make_head
from ft.core.models.network import Network
from ft.core.optim import optimizers, schedules
from ft.core.runtime.device import choose_device
from ft.core.runtime.precision import choose_precision
from ft.core.stages.baseline import read_baseline
from ft.core.stages.checks import asked_metrics, check_metrics
from ft.core.stages.robustness import check_corruptions
from ft.core.stages.subject import Subject, refuse_overrides

META = torch.device("meta")
MANY = 1_001  # classes, where nobody has looked yet: enough for any top-k that is asked for
COLOURS, USUAL_SIDES = 3, (64, 64)  # of pictures, where nobody has looked yet
STAND_IN = 100  # different values of an input, where nobody has looked yet
STAGES: tuple[Literal["train", "finetune"], ...] = ("train", "finetune")


@dataclass(frozen=True)
class LayersResult:
    """The rows of `ft layers`. notes: what was needed to know them, what is frozen and why."""

    rows: list[UnitRow]
    parameters: Parameters
    notes: list[str]


def layers(subject: Subject, patterns: Sequence[int | str] = ()) -> LayersResult:
    """The numbered units of a file's or checkpoint's network, without weights. patterns: show these as frozen.

    Without patterns a fine-tuned checkpoint shows what its own fine-tuning froze, and its adapters.
    """
    with subject.loaded.locating():
        network, notes = _network(subject)
        own = subject.loaded.experiment.finetune
        checkpoint = {} if patterns or subject.checkpoint is None else subject.checkpoint
        if checkpoint.get("stage") == "finetune" and own:
            patterns = own.freeze if isinstance(own.freeze, list) else [own.freeze]
        report = freeze(network.units, network.module, patterns, (), head_paths(network)) if patterns else None
        adapters = adapt(own, network, report) if own and checkpoint.get("adapter") is not None else None
        notes += [told.lines()[-1] for told in (report, adapters) if told is not None]
        frozen = () if report is None else report.modules
        return LayersResult(describe(network, frozen), count_parameters(network.module), notes)


def validate(loaded: Loaded, device: torch.device = META) -> list[str]:
    """Build what can be built without data: network, optimizer, schedule, metric names. Files of weights must be there.

    device: of the network. On "meta" it costs no memory; on the CPU it saves a second of imports that meta needs.
    Returns what could not be checked and why. Raises ConfigError with the places of everything wrong.
    """
    with loaded.locating():
        experiment = loaded.experiment
        unseen = look_for_weights(loaded)
        if loaded.experiment.eval is not None and loaded.eval.baseline is not None:
            read_baseline(Path(loaded.eval.baseline))
        choose_precision(experiment.precision, choose_device(experiment.device).device)
        for stage in STAGES:
            if getattr(experiment, stage) is not None:
                settings = loaded.stage(stage)
                optimizers.check(settings.optimizer, settings.weight_decay, (stage, "optimizer"))
                warms_up = bool(settings.warmup_steps or settings.warmup_epochs)
                schedules.check(settings.schedule, warms_up, (stage, "schedule"))
        known = outline(experiment.data, experiment.inputs, experiment.outputs)
        stages = {stage: loaded.stage(stage) for stage in STAGES if getattr(experiment, stage) is not None}
        asked = asked_metrics(loaded.eval, [settings.monitor for settings in stages.values()])
        heads = _heads(known, asked)
        _check_sizes(experiment.data, known)
        _check_transforms(known)
        _check_names(loaded, stages, known, heads, asked)
        types = ({name: column.type for name, column in side.items()} for side in (known.inputs, known.outputs))
        check_corruptions(loaded.eval, *types)
        plan = _plan(known, heads)
        if plan.shapes or (plan.classes and not _encodes(experiment.model)):
            return [*unseen, f"the network was not built, as only the data tell {plan.unknown()}; ft layers reads them"]
        ranking = ranking_sides(known.outputs, known.inputs)
        network = build_network(experiment.model, plan.forms, plan.sizes, device, ranking=ranking)
        _check_layers(loaded, network)
        if unknown := plan.unknown():
            unseen.append(f"the network was built with a guess at what only the data tell: {unknown}")
        return unseen


def look_at_data(loaded: Loaded) -> list[str]:
    """Hold the settings against the first lines of the data's tables. Returns why, where there was nothing to look at.

    Raises ConfigError for columns that are not there, DataError for files that cannot be read.
    """
    with loaded.locating():
        experiment = loaded.experiment
        told = look_at_columns(experiment.data, experiment.inputs, experiment.outputs)
        return [told] if told else []


def _check_sizes(data: DataSection, known: Outline) -> None:
    """Raise ConfigError for pictures in files without a size: reading them would, once it had begun."""
    if isinstance(data, TableData | ImageFolderData):
        problems = [
            Problem(f"pictures in files need a size, e.g. {name}: {{type: image, size: 64}}", ("inputs", name, "size"))
            for name, column in known.inputs.items()
            if isinstance(column, ImageInput) and column.size is None
        ]
        if problems:
            raise ConfigError(*problems)


def _check_transforms(known: Outline) -> None:
    """Raise ConfigError for transforms by name that do not do, tried on pictures of about that size."""
    for name, column in known.inputs.items():
        if isinstance(column, ImageInput) and column.augment is not None and column.augment.transforms:
            shape = (column.channels or COLOURS, *(side_lengths(column.size) or USUAL_SIDES))
            build_transforms(column.augment.transforms, shape, ("inputs", name, "augment", "transforms"))


def _check_names(
    loaded: Loaded,
    stages: Mapping[Literal["train", "finetune"], TrainSection],
    known: Outline,
    heads: Mapping[str, Head],
    asked: Sequence[str],
) -> None:
    """Raise ConfigError for metrics that no output reports, however many classes the data turn out to have: two, which
    have metrics of their own, or more."""
    unknown = [name for name in known.outputs if name not in heads]
    errors: list[ConfigError] = []
    for counts in product((2, MANY), repeat=len(unknown)):
        of = dict(zip(unknown, counts, strict=True))
        every = {
            name: heads.get(name) or _likely_head(name, settings, of[name], asked)
            for name, settings in known.outputs.items()
        }
        try:
            check_metrics(loaded.eval, every)
            for stage, settings in stages.items():
                choose_monitor(settings, stage, every, validated=True)
            return
        except ConfigError as error:
            errors.append(error)
    raise min(errors, key=lambda error: len(error.problems))


def _likely_head(name: str, settings: OutputColumn, count: int, asked: Sequence[str]) -> Head:
    """A head that names its metrics. count: of classes that nobody knows yet."""
    plain = {"positive": None, "class_weights": None, "loss": "cross_entropy"}  # these may speak of classes
    changes = {key: value for key, value in plain.items() if key in type(settings).model_fields}
    return make_head(name, settings.model_copy(update=changes), {"classes": list(map(str, range(count)))}, asked)


def _check_layers(loaded: Loaded, network: Network) -> None:
    """Raise ConfigError for layers that `freeze`, `unfreeze` and `layer_lr` name and the network does not have."""
    for stage in STAGES:
        if getattr(loaded.experiment, stage) is not None:
            what_learns(loaded.stage(stage), stage, network)


def _network(subject: Subject) -> tuple[Network, list[str]]:
    """The network on the meta device, from the checkpoint's columns, else from what is certain, else from the data."""
    experiment = subject.loaded.experiment
    if subject.checkpoint is not None:
        refuse_overrides(subject)
        inputs, outputs = build_columns(subject.checkpoint)
        _, settings = settle_columns(experiment.data, experiment.inputs, experiment.outputs)
        heads = checkpoint_heads(subject.checkpoint, settings, outputs)
        return build_model(experiment, inputs, settings, heads, META), []
    known = outline(experiment.data, experiment.inputs, experiment.outputs)
    plan = _plan(known, _heads(known))
    if not (plan.shapes or plan.classes or plan.indices):
        ranking = ranking_sides(known.outputs, known.inputs)
        return build_network(experiment.model, plan.forms, plan.sizes, META, ranking=ranking), []
    return _network_from_data(experiment)


def _network_from_data(experiment: Experiment) -> tuple[Network, list[str]]:
    data = prepare_data(experiment.data, experiment.inputs, experiment.outputs, only={"train"})
    network = build_model(experiment, data.inputs, data.output_settings, data_heads(data), META)
    return network, [f"shapes and classes as the data have them: {data.found}"]


# ---------------------------------------------------------------- without the data


@dataclass(frozen=True)
class _Plan:
    """What a network is built from before any data is read, with stand-ins for what the data decide.

    forms: of the inputs whose shape is certain. sizes: of all outputs. shapes, classes, indices: names of those whose
    shape, classes or number of values are not certain; the first are missing from forms, the others have a stand-in.
    """

    forms: dict[str, InputForm]
    sizes: dict[str, int]
    shapes: list[str]
    classes: list[str]
    indices: list[str]

    def unknown(self) -> str:
        """What is not certain, in words; empty when all is."""
        what = {"the shape of": self.shapes, "the classes of": self.classes, "the number of values of": self.indices}
        return "; ".join(f"{words} {', '.join(names)}" for words, names in what.items() if names)


def _plan(known: Outline, heads: Mapping[str, Head]) -> _Plan:
    forms = {
        name: InputForm(known.inputs[name].type, shape, _cardinality(known, name), flagged=_flagged(known.inputs[name]))
        for name, shape in known.input_shapes.items()
        if shape is not None
    }
    return _Plan(
        forms,
        {name: heads[name].size if name in heads else _likely_size(it) for name, it in known.outputs.items()},
        [name for name in known.inputs if name not in forms],
        [name for name in known.outputs if name not in heads],
        [name for name, count in known.cardinalities.items() if count is None],
    )


def _cardinality(known: Outline, name: str) -> int | None:
    return (known.cardinalities[name] or STAND_IN) if name in known.cardinalities else None


def _flagged(column: InputColumn) -> bool:
    return isinstance(column, NumberInput | VectorInput | DateInput) and column.missing == "flag"


def _likely_size(output: OutputColumn) -> int:
    """Of a head whose classes the data tell: one logit where the file says so, else more."""
    return 1 if isinstance(output, CategoryOutput) and output.loss == "binary_cross_entropy" else 2


def _encodes(model: ModelSection) -> bool:
    """Whether ft puts a head of any size on the network; a list or a function of the user's must fit by itself."""
    return model.layers is None and model.python is None


def _heads(known: Outline, asked: Sequence[str] = ()) -> dict[str, Head]:
    """Heads of the outputs whose classes are certain. asked: metrics to report."""
    heads = {}
    for name, settings in known.outputs.items():
        classes = known.classes.get(name)
        if isinstance(settings, (CategoryOutput, LabelsOutput)) and classes is None:
            continue
        counted = {"classes": list(classes), "counts": [1] * len(classes), "rows": len(classes)} if classes else {}
        heads[name] = make_head(name, settings, {"mean": 0.0, "std": 1.0, **counted}, asked)
    return heads
