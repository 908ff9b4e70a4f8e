"""`ft runs`: every run below a folder with its score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ft.core.stages.runs import Status, all_runs


@dataclass(frozen=True)
class RunRow:
    """One run. path: its folder. status: what its status.json says."""

    path: Path
    status: Status


def list_runs(runs_dir: Path, name: str | None = None) -> list[RunRow]:
    """All readable runs, oldest first; name: only those of one experiment."""
    return [RunRow(run.path, status) for run, status in all_runs(runs_dir) if name in (None, status.name)]
