"""One trial: the ordinary training stage under the settings that were drawn, watched epoch by epoch.

What ends a trial and not the search: a loss that is not finite, memory that runs out, settings that do not fit one
another. A wish to stop leaves the trial to whoever asks next, its run saved as any run is.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from optuna.trial import TrialState

from ft.core.config.load import Loaded
from ft.core.config.schema import TrainSection
from ft.core.data.prepare import Data
from ft.core.engine.events import Event, Finished, Halved, Logged, Started, Stepped, Validated
from ft.core.errors import ConfigError, DivergedError, FtError, PreemptedError
from ft.core.runtime.memory import is_out_of_memory
from ft.core.stages.fit import finetune, train
from ft.core.stages.notices import Notice, warn
from ft.core.stages.options import GivenUp, Options
from ft.core.stages.results import FitResult
from ft.core.stages.runs import RunFolder
from ft.core.stages.start import finetuning_start
from ft.core.stages.subject import Subject
from ft.core.stages.tuning.study import Asked, Study

_SHOWN = (Started, Stepped, Logged, Finished, Halved)  # a search tells of a trial in one line, not epoch by epoch


@dataclass(frozen=True)
class Watched:
    """What all trials of a search share. metric: whose value is the score; data: prepared once, None where trials
    differ in them. prune: whether trials may be given up.
    """

    study: Study
    stage: str
    metric: str
    data: Data | None
    prune: bool
    options: Options


def run_trial(asked: Asked, load: Callable[[], Loaded], shared: Watched) -> None:
    """Train and tell the study what came of it. load: reads the experiment under the settings that were drawn.

    Raises what should end the search: a wish to stop, a full disk, a bug.
    """
    study, began = shared.study, time.perf_counter()

    def tell(state: TrialState, value: float | None = None, **facts: str | None) -> None:
        study.tell(asked, state, value, seconds=time.perf_counter() - began, **facts)

    try:
        loaded = load()
        listener = _Listener(asked, shared, loaded.stage("finetune" if shared.stage == "finetune" else "train"))
        result = _fit(asked, loaded, shared, listener)
        value = result.metrics.get(shared.metric, math.nan)
        if not math.isfinite(value):
            tell(TrialState.FAIL, why=f"{shared.metric} was {value} in every validation", kind="diverged")
        elif (other := _other_examples(result, study)) is not None:
            tell(TrialState.FAIL, why=other, kind="other examples")
        else:
            tell(TrialState.COMPLETE, value, validated_on=result.validated_on)
    except GivenUp as error:
        tell(TrialState.PRUNED, why=str(error))
    except (KeyboardInterrupt, PreemptedError):
        study.hand_back(asked)
        raise
    except Exception as error:
        kind = _kind(error)
        if kind is None and isinstance(error, (FtError, OSError)):  # of the machine, not of the settings
            study.hand_back(asked)
            raise
        tell(TrialState.FAIL, why=f"{kind or 'error'}: {_line(error)}", kind=kind or "error")
        if kind is None:
            raise
    finally:
        shared.options.on_event(Finished(0, 0, "", None, None, None))  # takes a bar away that was cut short
    _forget()


def _fit(asked: Asked, loaded: Loaded, shared: Watched, listener: Callable[[Event], None]) -> FitResult:
    options = shared.options
    number = asked.trial.number + 1
    begun = None if asked.run is None or not (options.runs_dir / asked.run).is_dir() else options.runs_dir / asked.run
    if begun is not None and RunFolder(begun).status().state == "pruned":
        raise GivenUp(RunFolder(begun).status().error or "")

    def remember(path: Path) -> None:
        RunFolder(path).update(study=shared.study.folder.name, trial=number)
        shared.study.began(asked, str(path.relative_to(options.runs_dir)))

    own = replace(
        options,
        resume={shared.stage: begun} if begun is not None else False,
        on_event=listener,
        on_run=remember,
        on_notice=_only_warnings(options, number),
        goes_on=True,
    )
    if shared.stage == "train":
        return train(loaded, own, shared.data)[0]
    start = partial(finetuning_start, Subject(loaded), None, options.runs_dir, own.on_notice)
    return finetune(loaded, start, own, shared.data)[0]


class _Listener:
    """Tells the study each validation, and gives the trial up where the pruner says so."""

    def __init__(self, asked: Asked, shared: Watched, settings: TrainSection) -> None:
        self._asked, self._shared, self._settings = asked, shared, settings
        self._told = set(asked.trial.study.get_trials(deepcopy=False)[asked.trial.number].intermediate_values)

    def __call__(self, event: Event) -> None:
        if isinstance(event, _SHOWN):
            self._shared.options.on_event(event)
        if not isinstance(event, Validated) or not math.isfinite(event.value):
            return
        trial, place = self._asked.trial, self._place(event)
        if place in self._told:
            return
        self._told.add(place)
        trial.report(event.value, place)
        if self._shared.prune and not self._asked.spared and trial.should_prune():
            raise GivenUp(f"after validation {place}: {self._shared.metric} {event.value:.6g} lags behind")

    def _place(self, event: Validated) -> int:
        """Which validation of the training this is, from 1; the same for a run that goes on."""
        steps = self._settings.validate_every_steps
        if steps is not None:
            return math.ceil(event.step / steps)
        return math.ceil(event.epoch / self._settings.validate_every_epochs)


def _other_examples(result: FitResult, study: Study) -> str | None:
    """Why a score cannot be compared: it is of other validation examples than the scores before."""
    before = [each.user_attrs["validated_on"] for each in study.trials() if each.state == TrialState.COMPLETE]
    if not before or before[0] == result.validated_on:
        return None
    return "it was judged on other validation examples than the trials before it"


def _kind(error: BaseException) -> str | None:
    """What a failure is called that ends the trial alone; None for one that ends the search."""
    if isinstance(error, DivergedError):
        return "diverged"
    if is_out_of_memory(error):
        return "out of memory"
    return "settings that do not fit" if isinstance(error, ConfigError) else None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500]


def _only_warnings(options: Options, number: int) -> Callable[[Notice], None]:
    def tell(notice: Notice) -> None:
        if notice.kind == "warning":
            warn([f"trial {number}: {notice.text}"], options.on_notice)

    return tell


def _forget() -> None:
    """Free what a trial held, so that the next has the whole memory."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
