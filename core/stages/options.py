"""What a command says about *how* to run, apart from the experiment itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ft.core.engine.events import Event
from ft.core.stages.notices import Notice


def _ignore(_: object) -> None:
    """For those who do not listen."""


class GivenUp(Exception):  # noqa: N818 - nothing went wrong
    """Whoever listens has seen enough of a training: its run ends here, is kept and called pruned."""


@dataclass(frozen=True)
class Options:
    """runs_dir: where run folders are made. smoke: two batches of everything. command: what the user typed.
    resume: go on with the newest run of this experiment and stage, with the run or checkpoint it names, or with the run
    it names for a stage; begin one for a stage it does not name.
    on_event, on_notice: where progress and remarks go; on_event may raise GivenUp. on_run: hears of a run's folder
    before anything is trained. goes_on: the same command goes on by itself, without --resume.
    """

    runs_dir: Path = Path("runs")
    smoke: bool = False
    resume: bool | Path | Mapping[str, Path] = False
    on_event: Callable[[Event], None] = _ignore
    on_notice: Callable[[Notice], None] = _ignore
    on_run: Callable[[Path], None] = _ignore
    command: str = ""
    goes_on: bool = False
