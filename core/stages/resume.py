"""`--resume`: which run is gone on with, from which of its checkpoints, and whether it may be.

What may change is told, what may not is refused with old and new: a resumed run is the run that was never killed, or it
says in what it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ft.core.config.load import Loaded
from ft.core.engine.saving import lasts, sweep
from ft.core.errors import CheckpointError, ConfigError, DivergedError
from ft.core.stages.compatible import LONGER, compare_settings
from ft.core.stages.notices import Notice, warn
from ft.core.stages.options import Options
from ft.core.stages.results import FitResult
from ft.core.stages.runs import RunFolder, Status, newest_of
from ft.core.stages.start import Start
from ft.core.stages.subject import read_checkpoint

Finder = Callable[[], Start]


@dataclass(frozen=True)
class Continuation:
    """A run to go on with, locked. checkpoint: where it stands; None: it was killed before its first one.

    changes: settings that differ and may, as `train.epochs: 10 -> 20`.
    """

    run: RunFolder
    checkpoint: dict[str, Any] | None
    changes: tuple[str, ...]

    @property
    def progress(self) -> dict[str, Any]:
        """What the stage saved beside the loop's state; empty without a checkpoint."""
        return {} if self.checkpoint is None else dict(self.checkpoint["resume"]["progress"])


def find_run(
    loaded: Loaded, stage: str, start: Start | Finder | None, options: Options
) -> FitResult | Continuation | None:
    """The result of a run with nothing left to do, a run to go on with, or None: begin one.

    start: of a fine-tuning, its weights or how they are found; a run from other weights is another run.
    Raises ConfigError, CheckpointError, DivergedError, and ResourceError when another process has the run.
    """
    if options.resume is False or (isinstance(options.resume, Mapping) and stage not in options.resume):
        return None
    chosen = None
    if isinstance(options.resume, Mapping):
        run = RunFolder(options.resume[stage])
    elif isinstance(options.resume, Path):
        run, chosen = _named(options.resume, stage)
    else:
        newest = newest_of(options.runs_dir, stage, loaded.experiment.name)
        if newest is None:
            options.on_notice(Notice("choice", f"no {stage} of {loaded.experiment.name} to go on with: begins one"))
            return None
        if other := _other_start(newest.status(), start):
            options.on_notice(Notice("choice", f"{newest.path} {other}: begins another"))
            return None
        run = newest
    run.lock.take()
    try:
        return _decide(loaded, stage, run, chosen, options)
    except BaseException:
        run.lock.release()
        raise


def is_run_of(path: Path, stage: str) -> bool:
    """Whether a path is a run of that stage, or a checkpoint of one."""
    run = RunFolder(path if path.is_dir() else path.resolve().parent.parent)
    try:
        return path.exists() and run.status().stage == stage
    except ConfigError:
        return False


def _decide(
    loaded: Loaded, stage: str, run: RunFolder, chosen: Path | None, options: Options
) -> FitResult | Continuation:
    status = run.status()  # again: under the lock
    if status.state == "diverged":
        raise DivergedError(
            f"{run.path} diverged, and would again; change the settings and begin anew, without --resume. "
            f"It said: {status.error}"
        )
    begun = (run.path / "config.yaml").is_file() or status.saved or bool(lasts(run.checkpoints))
    changes = compare_settings(loaded, stage, run, options.on_notice) if begun else ()
    longer = any(change.startswith(tuple(f"{stage}.{key}:" for key in LONGER)) for change in changes)
    if status.state == "finished" and not longer and chosen is None and (result := _stored_result(run)) is not None:
        options.on_notice(
            Notice("saved", f"{run.path} is finished: nothing is left to do (its data were not read again)")
        )
        run.lock.release()
        return result
    for folder in (run.path, run.checkpoints):
        sweep(folder)
    if run.told_status() is None:
        warn([f"{run.path / 'status.json'} is lost or damaged; written again from the checkpoint"], options.on_notice)
        run.set_status(status)
    return Continuation(run, _newest_whole(run, status, chosen, options), changes)


def _named(path: Path, stage: str) -> tuple[RunFolder, Path | None]:
    """The run of `--resume PATH`, and the checkpoint where PATH is one."""
    if not path.exists():
        raise ConfigError(f"--resume {path}: there is no such run or checkpoint")
    file = path if path.is_file() else None
    run = RunFolder((path if file is None else path.resolve().parent.parent).resolve())
    status = run.status()
    if status.stage != stage:
        raise ConfigError(f"--resume {path}: this is a {status.stage}; go on with ft {status.stage} --resume {path}")
    return run, file


def _other_start(status: Status, start: Start | Finder | None) -> str | None:
    """Why a fine-tuning is not the one that would be begun now. One that is not finished keeps its own weights."""
    if start is None or (callable(start) and status.state != "finished"):
        return None
    now = start() if callable(start) else start
    if now.parent == status.parent or (status.parent is not None and moved(Path(status.parent), Path(now.parent))):
        return None
    return f"started from {status.parent}, not from {now.parent}"


def moved(before: Path, now: Path) -> bool:
    """Whether a run stands elsewhere than it stood: the folder of all runs went with it."""
    return not before.exists() and before.parts[-2:] == now.parts[-2:]


def _stored_result(run: RunFolder) -> FitResult | None:
    try:
        return FitResult.from_json((run.path / "result.json").read_text(encoding="utf-8"), run.path)
    except (OSError, ValueError, TypeError, KeyError):  # the loop finds nothing to do, and writes it again
        return None


# ---------------------------------------------------------------- checkpoints


def _newest_whole(run: RunFolder, status: Status, chosen: Path | None, options: Options) -> dict[str, Any] | None:
    """The newest checkpoint that is whole; damaged ones are told and moved aside. None: there never was one."""
    candidates = lasts(run.checkpoints) if chosen is None else [chosen]
    bad: list[str] = []
    for path in candidates:
        try:
            checkpoint = read_checkpoint(path)
            if "resume" not in checkpoint:
                raise CheckpointError(f"{path} holds weights to use, not what going on needs; {run.path} may")
        except CheckpointError as error:
            if chosen is not None:
                raise
            bad.append(path.name)
            path.replace(path.with_name(f"{path.name}.damaged"))
            warn([f"{error}; it is kept as {path.name}.damaged"], options.on_notice)
            continue
        options.on_notice(Notice("weights", f"goes on from {path}: step {checkpoint['step']:,}"))
        return checkpoint
    damaged = sorted(path.name for path in run.checkpoints.glob("*.damaged"))
    if damaged or status.saved:
        what = f"all are damaged ({', '.join(damaged)})" if damaged else "they are gone"
        raise CheckpointError(
            f"{run.path} has no checkpoint to go on from: {what}. Nothing was started; begin anew without --resume"
        )
    options.on_notice(Notice("weights", f"{run.path} ended before its first checkpoint: begins at step 0"))
    return None
