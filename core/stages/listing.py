"""`ft runs`: every run below a folder with its score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ft.core.stages.runs import RunFolder, Status, all_runs


@dataclass(frozen=True)
class RunRow:
    """One run. path: its folder. status: what its status.json says, or killed: running, by nobody."""

    path: Path
    status: Status


def list_runs(runs_dir: Path, name: str | None = None) -> list[RunRow]:
    """All readable runs, oldest first; name: only those of one experiment."""
    return [RunRow(run.path, now(run, status)) for run, status in all_runs(runs_dir) if name in (None, status.name)]


def now(run: RunFolder, status: Status) -> Status:
    """What is so now: a killed process could not say so; its lock is free."""
    killed = status.state == "running" and run.lock.is_held() is False
    return replace(status, state="killed") if killed else status
