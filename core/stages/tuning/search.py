"""The search: prepare once, then one trial after the other until the budget is used, then what was found.

The study lies in RUNS/NAME-tune/study-DIGEST/; the digest is of all that makes scores comparable: the experiment, its
data, what is searched and how. So the same command joins the study that is there, and a changed file begins another.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ft.core.assemble.fit import check_batch_size, choose_monitor
from ft.core.assemble.parts import data_heads
from ft.core.config.load import Loaded, load_experiment
from ft.core.config.schema import TuneSection
from ft.core.data.prepare import Data, prepare_data
from ft.core.errors import ConfigError, DivergedError, FtError, MissingExtraError, Problem, ResourceError
from ft.core.report.tuning import counts, shown
from ft.core.stages.checks import check_writable
from ft.core.stages.fit import kept_columns, preemptible
from ft.core.stages.notices import Notice, tell_data, warn
from ft.core.stages.options import Options
from ft.core.stages.runs import newest_finished
from ft.core.stages.start import finetuning_start, training_start
from ft.core.stages.subject import Subject
from ft.core.stages.tuning.results import TuneResult
from ft.core.stages.tuning.space import Space, edge_cases, open_space

if TYPE_CHECKING:
    from ft.core.stages.tuning.findings import Goal
    from ft.core.stages.tuning.study import Asked, Study

TRIALS = 20  # where neither trials nor minutes are said
SMOKE_TRIALS = 2


@dataclass(frozen=True)
class Search:
    """A search, ready to begin. space: its trials have the name NAME-tune. data: None where trials differ in them."""

    name: str
    tune: TuneSection
    space: Space
    goal: Goal
    data: Data
    shared: Data | None
    folder: Path
    longest: int | None

    @property
    def most(self) -> int | None:
        """How many trials there may be; None: the clock decides."""
        most = self.tune.trials or (None if self.tune.minutes else TRIALS)
        if self.tune.sampler != "grid":
            return most
        return min(len(self.space.grid()), most or len(self.space.grid()))


def tune(file: Path, overrides: Sequence[str], options: Options, *, test: bool = False) -> TuneResult:
    """Search what the file's `tune` names, or go on with that. test: judge the best on the test split at the end.

    Raises ConfigError before anything runs for what cannot be searched, and an error of the trials' kind when all fail.
    """
    loaded = load_experiment(file, overrides)
    with loaded.locating():
        section = _section(loaded, file)
    if not options.smoke:
        check_writable(options.runs_dir)
        return _tune(loaded, section, file, overrides, options, test=test)
    with tempfile.TemporaryDirectory(prefix="ft-smoke-") as folder:
        few = section.model_copy(update={"trials": SMOKE_TRIALS, "minutes": None})
        return _tune(loaded, few, file, overrides, replace(options, runs_dir=Path(folder)), test=test)


def _section(loaded: Loaded, file: Path) -> TuneSection:
    section = loaded.experiment.tune
    if section is None:
        example = "tune: {search: {train.lr: {log: [1e-4, 1e-1]}}, trials: 20}"
        raise ConfigError(f"{file} does not say what to search; add e.g. {example}")
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("ft tune", "tune") from error
    return section


def _tune(
    loaded: Loaded, section: TuneSection, file: Path, overrides: Sequence[str], options: Options, *, test: bool
) -> TuneResult:
    from ft.core.stages.tuning.outcome import conclude
    from ft.core.stages.tuning.study import Study

    options.on_notice(Notice("stage", f"tune {loaded.experiment.name}: {section.stage}"))
    with preemptible(replace(options, goes_on=True)):
        search = _prepare(loaded, section, file, overrides, options, test=test)
        study = Study(search.folder, search.space, section, search.goal.direction, search.longest)
        try:
            _tell_study(search, study, options)
            try:
                _run(search, study, options)
            except KeyboardInterrupt as error:
                if not getattr(error, "__notes__", ()):  # between two trials
                    error.add_note(f"the search goes on with: {options.command}")
                raise
            finally:
                result = conclude(search, study, options, None)
            _all_failed(result, study)
            return conclude(search, study, options, loaded) if test else result
        finally:
            study.close()


# ---------------------------------------------------------------- before the first trial


def _prepare(
    loaded: Loaded, section: TuneSection, file: Path, overrides: Sequence[str], options: Options, *, test: bool
) -> Search:
    """Everything checked that can be, and the data read once."""
    from ft.core.stages.tuning.findings import Goal

    name, stage = loaded.experiment.name, section.stage
    with loaded.locating():
        more = [f"name={name}-tune", *_metric(section), *_start(loaded, section, options)]
        space = open_space(file, overrides, loaded, section, more)
        base = space.load({})
        if section.minutes is None and section.trials is None:
            options.on_notice(Notice("choice", f"{TRIALS} trials, as tune.trials says nothing"))
        data = _data(base, stage, options, test=test)
        heads = data_heads(data)
        validated = "val" in data.examples
        if not validated:
            message = "there are no validation examples to choose by; set data.split.val, e.g. 0.1"
            raise ConfigError(Problem(message, ("tune",)))
        settings = base.stage("finetune" if stage == "finetune" else "train")
        try:
            metric, direction = choose_monitor(settings, stage, heads, validated=True)
        except ConfigError as error:
            if section.metric is None:
                raise
            told = error.problems[0].message.replace(f"{stage}.monitor", "tune.metric")
            raise ConfigError(Problem(told, ("tune", "metric"))) from error
        if metric == "loss" and space.touches("outputs", f"{stage}.loss_weights"):
            message = "the loss is what is searched, and cannot be compared; set tune.metric to another metric"
            raise ConfigError(Problem(message, ("tune", "metric")))
        longest = _check_sizes(space, stage, len(data.examples["train"]))
    changing = space.touches("data", "inputs", "outputs", "model.weights", "finetune.from")
    digest = _digest(base, section, data)
    folder = options.runs_dir / f"{name}-tune" / f"study-{digest}"
    goal = Goal(metric, direction, section.sampler)
    return Search(name, section, space, goal, data, None if changing else data, folder, longest)


def _metric(section: TuneSection) -> list[str]:
    """The metric chooses the best epoch of a trial too: its score is that of the weights it keeps."""
    return [] if section.metric is None else [f"{section.stage}.monitor={json.dumps(section.metric)}"]


def _start(loaded: Loaded, section: TuneSection, options: Options) -> list[str]:
    """All fine-tunings start from one training: the newest when the search begins, where the file names none."""
    experiment = loaded.experiment
    named = experiment.finetune is not None and experiment.finetune.from_ is not None
    if section.stage == "train" or named or experiment.model.weights is not None:
        return []
    run = newest_finished(options.runs_dir, ("train",), experiment.name)
    if run is None:
        raise ConfigError(
            f"nothing to start from: no finished training of {experiment.name!r} below {options.runs_dir}/, and "
            "neither finetune.from nor model.weights is said"
        )
    options.on_notice(Notice("choice", f"every trial starts from {run.path}, the newest training of {experiment.name}"))
    return [f"finetune.from={json.dumps(str(run.path))}"]


def _data(base: Loaded, stage: str, options: Options, *, test: bool) -> Data:
    experiment = base.experiment
    if stage == "train":
        start = training_start(experiment, options.on_notice)
    else:
        start = finetuning_start(Subject(base), None, options.runs_dir, options.on_notice)
    data = prepare_data(
        experiment.data,
        experiment.inputs,
        experiment.outputs,
        only=None if test else {"train", "val"},
        keep=kept_columns(start, experiment),
        beside=base.eval.slices if test else (),
    )
    tell_data(data, options.on_notice)
    if test and "test" not in data.examples:
        raise ConfigError("--test: the data have no test split; set data.split.test, or leave --test out")
    return data


def _check_sizes(space: Space, stage: str, examples: int) -> int | None:
    """Raise ConfigError where a batch would be larger than the data. Returns the most validations of a trial."""
    longest: list[int | None] = []
    for dimension, edge in edge_cases(space):
        settings = edge.stage("finetune" if stage == "finetune" else "train")
        if not space.touches("data"):
            try:
                check_batch_size(settings, stage, examples)
            except ConfigError as error:
                raise ConfigError(Problem(error.problems[0].message, dimension.path)) from error
        steps = settings.validate_every_steps
        longest.append(None if steps else settings.epochs // settings.validate_every_epochs)
    return None if None in longest else max(each for each in longest if each is not None)


def _digest(base: Loaded, section: TuneSection, data: Data) -> str:
    experiment = {
        key: value
        for key, value in base.in_force(section.stage).items()
        if key in ("seed", "precision", "threads", "data", "inputs", "outputs", "model", section.stage)
    }
    searched = section.model_dump(by_alias=True, exclude={"trials", "minutes", "pruner"})
    text = json.dumps([experiment, searched, data.fingerprint], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


# ---------------------------------------------------------------- trials


def _tell_study(search: Search, study: Study, options: Options) -> None:
    there = len(study.trials())
    told = f"goes on with {study.folder}: {there} trials so far" if there else f"begins {study.folder}"
    options.on_notice(Notice("saved", told))
    if search.tune.sampler == "grid" and (points := len(search.space.grid())) > (search.most or points):
        warn([f"{search.most} trials are fewer than the {points} points of the grid"], options.on_notice)


def _run(search: Search, study: Study, options: Options) -> None:
    """Until the budget is used: all trials are begun, or the minutes of this process are over."""
    from ft.core.stages.tuning.outcome import keep_best, tell_trial
    from ft.core.stages.tuning.trial import Watched, run_trial

    began = time.monotonic()
    watched = Watched(
        study, search.tune.stage, search.goal.metric, search.shared, search.tune.pruner != "none", options
    )
    while search.tune.minutes is None or time.monotonic() - began < 60 * search.tune.minutes:
        asked = study.ask(search.most)
        if asked is None:
            return
        _tell_asked(search, asked, options)
        load = partial(search.space.load, asked.values)
        run_trial(asked, load, watched)
        tell_trial(search, study, asked.trial.number, options)
        keep_best(search, study, options)


def _tell_asked(search: Search, asked: Asked, options: Options) -> None:
    settings = ", ".join(f"{key}={shown(value)}" for key, value in search.space.plain(asked.values).items())
    of = "" if search.most is None else f" of {search.most}"
    again = " (taken over)" if asked.adopted else ""
    options.on_notice(Notice("stage", f"trial {asked.trial.number + 1}{of}{again}: {settings}"))


def _all_failed(result: TuneResult, study: Study) -> None:
    """Raise the error of the commonest kind when nothing finished."""
    if result.best is not None:
        return
    kinds = Counter(each.user_attrs.get("kind") for each in study.trials())
    failed = [each for each in result.trials if each.state == "failed"]
    if not failed:
        raise ResourceError(
            f"no trial finished ({counts(result.trials) or 'none began'}); give it more trials or minutes"
        )
    why = f"no trial finished ({counts(result.trials)}); trial {failed[-1].number}: {failed[-1].why}"
    most = kinds.most_common(1)[0][0]
    errors: dict[str | None, type[FtError]] = {"diverged": DivergedError, "out of memory": ResourceError}
    raise errors.get(most, ConfigError)(f"{why}. All of them stand in {result.report}; search elsewhere")
