"""`ft runs`."""

from __future__ import annotations

from typing import Annotated

import typer

from ft.cli.arguments import RUNS_DIR, AsJson, Debug, RunsDir
from ft.cli.border import bordered


@bordered
def runs(
    name: Annotated[str | None, typer.Argument(help="Only the runs of this experiment.")] = None,
    runs_dir: RunsDir = RUNS_DIR,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """List runs with their scores, oldest first."""
    from ft.cli.console import Console
    from ft.core.stages.listing import list_runs

    with Console(quiet=False, as_json=as_json) as console:
        console.runs(list_runs(runs_dir, name), runs_dir)
