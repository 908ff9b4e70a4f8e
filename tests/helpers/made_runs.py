"""Folders of runs as ft leaves them, without training anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command_line import TINY, changed

from ft.core.config.write import dump
from ft.core.stages.runs import RunFolder, create_run


def made_run(
    runs_dir: Path,
    name: str = "tiny",
    settings: Mapping[str, Any] | None = None,
    *,
    stage: str = "train",
    parent: Path | None = None,
    running: bool = False,
    **status: Any,
) -> RunFolder:
    """The next run of `name`, finished unless `status` says otherwise. running: its lock stays taken."""
    run = create_run(runs_dir, name, stage, str(parent.resolve()) if parent else None)
    run.write("config.yaml", dump(changed({**TINY, "name": name}, settings or {})))
    run.best.write_bytes(b"x" * 1000)
    ended = {} if running else {"state": "finished", "finished": run.status().started + 10.0}
    run.update(**{"main_metrics": ["accuracy"], "epochs": 1, **ended, **status})
    if not running:
        run.lock.release()
    return run
