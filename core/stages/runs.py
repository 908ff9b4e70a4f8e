"""The folder of a run, `RUNS/<name>/<number>/`, and finding runs again.

`status.json` is the one file that says what a run is and how it ended; it is replaced whole, never edited. Where it is
lost, the newest checkpoint tells what it said.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from ft.core.engine.checkpoint import load_checkpoint
from ft.core.engine.saving import lasts
from ft.core.errors import CheckpointError, ConfigError, ResourceError
from ft.core.runtime.lock import Lock

LAST_DELETED = ".last-deleted"


@dataclass(frozen=True)
class Status:
    """What `status.json` holds. Times are seconds since 1970; metrics are the best validation's, evaluations those of
    eval by split; main_metrics: which of them speaks for each output. state: running, finished, preempted, interrupted,
    diverged, failed or pruned. saved: a checkpoint to go on from was written. study, trial: of a search, its folder and
    which of its trials this is.
    """

    stage: str
    name: str
    number: int
    state: str = "running"
    started: float = field(default_factory=time.time)
    finished: float | None = None
    pid: int = field(default_factory=os.getpid)
    parent: str | None = None
    saved: bool = False
    epochs: int = 0
    steps: int = 0
    best_epoch: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    evaluations: dict[str, dict[str, float]] = field(default_factory=dict)
    main_metrics: list[str] = field(default_factory=list)
    error: str | None = None
    study: str | None = None
    trial: int | None = None


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.best = self.checkpoints / "best.pt"
        self.last = self.checkpoints / "last.pt"
        self.lock = Lock(path / ".lock")

    def status(self) -> Status:
        """What `status.json` says, or without it the checkpoints. Raises ConfigError when this is no run's folder."""
        told = self.told_status() or self._saved_status()
        if told is None:
            raise ConfigError(f"{self.path} is not the folder of a run (no readable status.json)")
        return told

    def told_status(self) -> Status | None:
        """What `status.json` says; None where it is lost or damaged."""
        try:
            status = Status(**json.loads((self.path / "status.json").read_text(encoding="utf-8")))
            evaluations = {split: _with_nan(metrics) for split, metrics in status.evaluations.items()}
            return replace(status, metrics=_with_nan(status.metrics), evaluations=evaluations)
        except (OSError, ValueError, TypeError, AttributeError):
            return None

    def _saved_status(self) -> Status | None:
        """As far as the newest whole checkpoint knows it: a run that was under way."""
        for path in lasts(self.checkpoints):
            try:
                checkpoint = load_checkpoint(path)
                return Status(
                    stage=checkpoint["stage"],
                    name=checkpoint["experiment"]["name"],
                    number=int(self.path.resolve().name),
                    started=path.stat().st_mtime,
                    parent=checkpoint["parent"],
                    saved=True,
                    epochs=checkpoint["epoch"],
                    steps=checkpoint["step"],
                )
            except (CheckpointError, KeyError, TypeError, ValueError):
                continue
        return None

    def set_status(self, status: Status) -> None:
        """Replace `status.json` whole. What JSON has no form for (NaN, infinity) is null in it, and NaN when read."""
        evaluations = {split: _without_nan(metrics) for split, metrics in status.evaluations.items()}
        values = asdict(status) | {"metrics": _without_nan(status.metrics), "evaluations": evaluations}
        self.write("status.json", json.dumps(values, indent=2) + "\n")

    def update(self, **changes: Any) -> None:
        """Change some fields of the status."""
        self.set_status(replace(self.status(), **changes))

    def write(self, name: str, text: str) -> None:
        """Write a small text file of the run: beside its target, then renamed. Raises ResourceError."""
        target, temporary = self.path / name, None
        try:
            with NamedTemporaryFile(
                "w", dir=self.path, prefix=f".{name}.", suffix=".tmp", delete=False, encoding="utf-8", errors="replace"
            ) as file:
                temporary = Path(file.name)
                file.write(text)
            temporary.chmod(0o644)  # temporary files are private, a run's are not
            temporary.replace(target)
        except OSError as error:
            raise ResourceError(f"cannot write {target}: {error.strerror or error}") from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


def _without_nan(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def _with_nan(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in metrics.items()}


def create_run(runs_dir: Path, name: str, stage: str, parent: str | None = None) -> RunFolder:
    """Make the next numbered folder for `name`, lock it and point `latest` at it. Raises ResourceError when it cannot
    be made.

    The number is taken by mkdir itself, so two processes that start together get two folders.
    """
    home = runs_dir / name
    try:
        home.mkdir(parents=True, exist_ok=True)
        number = max([*numbers(home), last_deleted(home)], default=0) + 1
        while True:
            try:
                (home / str(number)).mkdir()
                break
            except FileExistsError:
                number += 1
        run = RunFolder(home / str(number))
        run.checkpoints.mkdir()
        run.lock.take()
        point_latest(home, number)
    except OSError as error:
        raise ResourceError(
            f"cannot make a run folder in {home}: {error.strerror or error}; choose another with --runs-dir or FT_RUNS"
        ) from error
    run.set_status(Status(stage=stage, name=name, number=number, parent=parent))
    return run


def numbers(home: Path) -> list[int]:
    """Of the runs of one experiment, in no order."""
    return [int(path.name) for path in home.iterdir() if path.name.isdecimal()]


def last_deleted(home: Path) -> int:
    """The largest number that a deleted run had: no other run gets it. 0 where none was deleted."""
    try:
        return int((home / LAST_DELETED).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def point_latest(home: Path, number: int) -> None:
    """`latest` -> number, replaced in one rename."""
    temporary = home / f".latest.{number}"  # a number is one process's own; pids of two containers may agree
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(str(number))
    temporary.replace(home / "latest")


def all_runs(runs_dir: Path) -> Iterator[tuple[RunFolder, Status]]:
    """Every readable run below `runs_dir`, oldest first."""
    found = []
    for run in _folders(runs_dir):
        try:
            found.append((run, run.status()))
        except ConfigError:
            continue  # a folder in the middle of being made, or someone else's
    yield from sorted(found, key=lambda item: (item[1].started, item[1].number))


def unreadable_runs(runs_dir: Path) -> list[Path]:
    """Folders that began as runs, by their config.yaml, and tell no more what they are. Not those being made now."""
    found = [run for run in _folders(runs_dir) if (run.path / "config.yaml").is_file() and not run.lock.is_held()]
    return sorted(run.path for run in found if run.told_status() is None and not _is_told(run))


def _is_told(run: RunFolder) -> bool:
    try:
        run.status()
    except ConfigError:
        return False
    return True


def _folders(runs_dir: Path) -> Iterator[RunFolder]:
    """Whatever looks like a run; links and hidden folders (deleted ones that are being removed) do not."""
    for checkpoints in runs_dir.glob("*/*/checkpoints"):
        folder = checkpoints.parent
        if not folder.is_symlink() and not folder.name.startswith("."):
            yield RunFolder(folder)


def newest_finished(runs_dir: Path, stages: tuple[str, ...], name: str | None = None) -> RunFolder | None:
    """The finished run of one of `stages` (and of `name`) that ended last, if there is one. No trial of a search."""
    finished = [
        (status.finished or 0.0, run)
        for run, status in all_runs(runs_dir)
        if status.state == "finished" and status.stage in stages and name in (None, status.name)
        if status.study is None and run.best.is_file()
    ]
    return max(finished, key=lambda item: item[0])[1] if finished else None


def newest_of(runs_dir: Path, stage: str, name: str) -> RunFolder | None:
    """The run of one stage and experiment that began last, however it ended."""
    runs = [run for run, status in all_runs(runs_dir) if (status.stage, status.name) == (stage, name)]
    return runs[-1] if runs else None
