"""`ft report [RUN...]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ft.cli.arguments import RUNS_DIR, AsJson, Debug, Quiet, RunsDir
from ft.cli.border import bordered
from ft.core.errors import ConfigError


@bordered
def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN...", help="Folders of runs, NAME/NUMBER, or NAME: its latest."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write what is told to this .html or .md file.", dir_okay=False)
    ] = None,
    runs_dir: RunsDir = RUNS_DIR,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Compare runs: settings that differ, scores, curves, and whether a difference exceeds chance.

    One RUN (left out: the newest finished one) has its own reports written anew; --out then takes that of its test, or
    else of its training. Nothing is judged again.
    """
    _check(out)
    from ft.cli.console import Console
    from ft.core.stages.compare import find_run, read_kept, side_by_side
    from ft.core.stages.hand_on import hand_on
    from ft.core.stages.notices import Notice
    from ft.core.stages.subject import newest

    with Console(quiet=quiet, as_json=as_json) as console:
        words = runs or [newest(runs_dir, ("train", "finetune"), "run")]
        if not runs:
            console.notice(Notice("choice", f"the newest finished run: {words[0]}"))
        found = [read_kept(find_run(word, runs_dir)) for word in words]
        compared = side_by_side(found)
        console.compared(compared, hand_on(found, compared, out))


def _check(out: Path | None) -> None:
    if out is None:
        return
    if out.suffix not in (".html", ".md"):
        raise ConfigError(f"--out {out}: a report is .html or .md")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.absolute().parent}, or a folder is called so")
