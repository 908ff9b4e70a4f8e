"""The study on disk, shared by all processes that search: who has which trial, and whose process is gone.

`journal.log` is optuna's journal (plain JSON lines; nothing in it is run). A process holds a lock of its own while it
lives. A trial under way whose process is gone is taken over by the next one that asks, and its run goes on from its
checkpoint, so none is lost and none is counted twice. Asking is done one process at a time.
"""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from ft.core.config.schema import TuneSection
from ft.core.errors import DataError
from ft.core.runtime.lock import Lock, Turn
from ft.core.stages.tuning.samplers import distribution, is_random, sampler_of
from ft.core.stages.tuning.space import Space, Value

MOST_DEATHS = 3  # processes that may die over one trial, before it counts as failed
UNDER_WAY = (TrialState.RUNNING, TrialState.WAITING)


@dataclass(frozen=True)
class Asked:
    """A trial to be run. values: by key. run: where another process began it. adopted: whether one did.

    spared: drawn at random in a search that learns, for the others to learn from and to be compared with: never pruned.
    """

    trial: optuna.Trial
    values: Mapping[str, Value]
    run: str | None
    adopted: bool
    spared: bool


class Study:
    """One search, of the folder it lies in."""

    def __init__(self, folder: Path, space: Space, tune: TuneSection, direction: str, longest: int | None) -> None:
        """direction: of the metric, min or max. longest: validations of a trial, where that is known."""
        self.folder, self._space, self._tune = folder, space, tune
        (folder / "workers").mkdir(parents=True, exist_ok=True)
        self._turn = Turn(folder / "turn.lock")
        self.worker = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns():x}"
        self._lock = Lock(folder / "workers" / self.worker).take()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            backend = JournalFileBackend(str(folder / "journal.log"), lock_obj=Turn(folder / "journal.lock"))  # type: ignore[arg-type]
            self.study = optuna.create_study(
                study_name="study",
                storage=JournalStorage(backend),
                direction="maximize" if direction == "max" else "minimize",
                pruner=_pruner(tune.pruner, longest),
                load_if_exists=True,
            )
        except (ValueError, KeyError) as error:
            raise DataError(
                f"{folder / 'journal.log'} is damaged ({error}); move {folder} away to begin anew"
            ) from error

    def close(self) -> None:
        """Leave the study; a trial that is still this process's is free for the next one."""
        self._lock.release()
        (self.folder / "workers" / self.worker).unlink(missing_ok=True)

    def trials(self) -> list[FrozenTrial]:
        """All there are, by number."""
        return self.study.get_trials(deepcopy=False)

    def ask(self, most: int | None) -> Asked | None:
        """The next trial: one whose process is gone, else a new one; None where `most` are begun and none is free."""
        with self._turn:
            trials = self.trials()
            for frozen in trials:
                if frozen.state in UNDER_WAY and self._is_free(frozen):
                    asked = self._adopt(frozen)
                    if asked is not None:
                        return asked
            return None if most is not None and len(trials) >= most else self._new(len(trials))

    def began(self, asked: Asked, run: str) -> None:
        """Remember the folder of a trial's run."""
        asked.trial.set_user_attr("run", run)

    def hand_back(self, asked: Asked) -> None:
        """Free a trial that was saved, for whoever asks next."""
        asked.trial.set_user_attr("worker", None)

    def tell(
        self, asked: Asked, state: TrialState, value: float | None = None, why: str | None = None, **more: Any
    ) -> None:
        """A trial is over. value: of one that finished. why: of one that failed or was given up. more: to remember."""
        for key, fact in {"why": why, **more}.items():
            if fact is not None:
                asked.trial.set_user_attr(key, fact)
        self.study.tell(asked.trial, value, state=state)

    def _is_free(self, frozen: FrozenTrial) -> bool:
        worker = frozen.user_attrs.get("worker")
        if worker is None:
            return True  # handed back, or its process died while it drew: nobody else is drawing now
        path = self.folder / "workers" / worker
        return not path.exists() or Lock(path).is_held() is False

    def _adopt(self, frozen: FrozenTrial) -> Asked | None:
        """None where too many processes died over it: it counts as failed then."""
        died = frozen.user_attrs.get("worker") is not None
        deaths = int(frozen.user_attrs.get("deaths", 0)) + died
        self._draw_as(frozen.number)  # before the trial is made: making it draws what TPE draws together
        asked = self._drawn(frozen.number, optuna.Trial(self.study, frozen._trial_id), frozen)
        asked.trial.set_user_attr("deaths", deaths)
        if deaths >= MOST_DEATHS:
            self.tell(asked, TrialState.FAIL, why=f"{deaths} processes died over it")
            return None
        return asked

    def _new(self, number: int) -> Asked:
        self._draw_as(number)
        return self._drawn(number, self.study.ask(), None)

    def _draw_as(self, number: int) -> None:
        self.study.sampler = sampler_of(self._tune.sampler, self._space, self._tune.seed, number)

    def _drawn(self, number: int, trial: optuna.Trial, frozen: FrozenTrial | None) -> Asked:
        """Draw what is not drawn yet; what is drawn stays."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values: dict[str, Any] = {
                each.key: trial._suggest(each.key, distribution(each)) for each in self._space.dimensions
            }
        trial.set_user_attr("worker", self.worker)
        run = None if frozen is None else frozen.user_attrs.get("run")
        return Asked(trial, values, run, frozen is not None, self._tune.sampler == "tpe" and is_random("tpe", number))


def _pruner(name: str, longest: int | None) -> optuna.pruners.BasePruner:
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5)
    if name == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=longest or "auto")
    return optuna.pruners.NopPruner()
