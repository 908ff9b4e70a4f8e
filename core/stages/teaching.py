"""The teacher of a distillation, rebuilt from its own checkpoint, and its inputs of the student's training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ft.core.assemble.parts import Machine
from ft.core.assemble.teaching import Teacher, lessons
from ft.core.config.load import Loaded
from ft.core.data.columns import Column
from ft.core.data.columns.audio import AudioColumn
from ft.core.data.columns.image import ImageColumn
from ft.core.data.loader import Examples
from ft.core.data.outline import settle_columns
from ft.core.data.prepare import Data, prepare_with
from ft.core.engine.checkpoint import digest
from ft.core.errors import ConfigError, DataError, Problem, TreePath
from ft.core.models.heads import Head
from ft.core.runtime.seed import rng_state, set_rng_state
from ft.core.stages.drive import Stage
from ft.core.stages.evaluate import Rebuilt, rebuild
from ft.core.stages.resume import Continuation
from ft.core.stages.subject import is_config, open_subject


def load_teacher(
    loaded: Loaded, stage: Stage, data: Data, heads: Mapping[str, Head], machine: Machine
) -> Teacher | None:
    """None where no teacher is asked for. heads: the student's. Leaves the random generators as they were.

    Raises ConfigError where it has other classes, inputs that the data lack, or code that nobody named; CheckpointError
    where its file is damaged.
    """
    wish = loaded.stage(stage).teacher
    if wish is None:
        return None
    place = (stage, "teacher", "checkpoint")
    path = Path(wish.checkpoint)
    if is_config(path) or not path.exists():
        what = "is an experiment; name a run or a checkpoint of it" if path.exists() else "does not exist"
        raise ConfigError(Problem(f"the teacher {path} {what}", place))
    named = loaded.source((stage, "teacher", "python"))
    subject = open_subject(path, (), Path(wish.python) if wish.python else None, setting=named)
    assert subject.checkpoint is not None
    assert subject.path is not None
    before = rng_state()
    try:
        rebuilt = rebuild(subject, machine=machine)
    finally:
        set_rng_state(before)
    rebuilt.network.module.eval().requires_grad_(False)
    taught = lessons(heads, rebuilt.heads, place)
    columns, examples = _inputs(loaded, rebuilt, data, place)
    return Teacher(subject.path, digest(subject.checkpoint["weights"]), rebuilt.network, taught, columns, examples)


def _inputs(loaded: Loaded, rebuilt: Rebuilt, data: Data, place: TreePath) -> tuple[dict[str, Column], Examples]:
    """The teacher's columns with the student's augmentation, and what they store of the training rows, by its names.

    What both store alike is shared; else the data are read again, as the teacher wants them.
    """
    ours = _named(rebuilt.inputs, data.inputs)
    columns = {name: _augmented(column, data.inputs.get(ours[name])) for name, column in rebuilt.inputs.items()}
    training = data.examples["train"]
    if all(ours[name] in data.inputs and _alike(column, data.inputs[ours[name]]) for name, column in columns.items()):
        return columns, replace(training, inputs={name: training.inputs[ours[name]] for name in columns})
    experiment = loaded.experiment
    inputs, outputs = settle_columns(experiment.data, experiment.inputs, experiment.outputs)
    settings = {ours[name]: inputs.get(ours[name], rebuilt.settings[name]) for name in columns}
    by_ours = {ours[name]: column for name, column in rebuilt.inputs.items()}
    try:
        read = prepare_with(experiment.data, by_ours, data.outputs, {**settings, **outputs}, only={"train"})
    except ConfigError as error:
        raise ConfigError(Problem(f"the teacher's inputs cannot be had from these data: {error}", place)) from error
    again = read.examples["train"]
    if len(again) != len(training) or list(again.names or ()) != list(training.names or ()):
        raise DataError(f"the teacher reads {len(again):,} training rows and this experiment {len(training):,}")
    return columns, replace(again, inputs={name: again.inputs[ours[name]] for name in columns})


def _named(theirs: Mapping[str, Column], ours: Mapping[str, Column]) -> dict[str, str]:
    """What each of the teacher's inputs is called here: the only one of both is the same, whatever its name."""
    if len(theirs) == len(ours) == 1:
        return dict(zip(theirs, ours, strict=True))
    return {name: name for name in theirs}


def _augmented(column: Column, ours: Column | None) -> Column:
    """With the changes of training that the student's column of that kind makes."""
    if isinstance(column, ImageColumn) and isinstance(ours, ImageColumn):
        return replace(column, augment=ours.augment)
    if isinstance(column, AudioColumn) and isinstance(ours, AudioColumn):
        return replace(column, augment=ours.augment)
    return column


def _alike(theirs: Column, ours: Column) -> bool:
    """Whether both keep the same of a value: pictures differ in their normalisation alone, which comes later."""
    if theirs.kind == ours.kind == "image":
        return theirs.shape == ours.shape
    return theirs.kind == ours.kind and theirs.to_state() == ours.to_state()


def check_same_teacher(continuation: Continuation, teacher: Teacher | None) -> None:
    """Raise ConfigError when the teacher's weights are not those of before."""
    before = (continuation.checkpoint or {}).get("teacher")
    if before is not None and teacher is not None and before["sha256"] != teacher.sha256:
        raise ConfigError(
            f"the teacher {teacher.path} changed since {continuation.run.path} was begun (its SHA-256 differs); "
            "bring it back, or begin anew, without --resume"
        )
