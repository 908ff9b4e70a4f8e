"""`ft layers [CONFIG|CHECKPOINT|RUN]`."""

from __future__ import annotations

from typing import Annotated

import typer

from ft.cli.arguments import RUNS_DIR, AsJson, Debug, Python, RunsDir, Words, split_words
from ft.cli.border import bordered


@bordered
def layers(
    words: Words = None,
    freeze: Annotated[list[str] | None, typer.Option("--freeze", help="Show what this would freeze.")] = None,
    python: Python = None,
    runs_dir: RunsDir = RUNS_DIR,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """List a network's layers by number, for --freeze.

    FILE is a YAML file, a checkpoint or a run; without one, the newest finished run.
    """
    files, settings = split_words(words)
    from ft.cli.console import Console
    from ft.core.stages.inspect import layers as inspect
    from ft.core.stages.notices import Notice
    from ft.core.stages.subject import newest, open_subject

    with Console(quiet=False, as_json=as_json) as console:
        path = files[0] if files else newest(runs_dir, ("train", "finetune"), "run")
        if not files:
            console.notice(Notice("choice", f"the newest finished run: {path}"))
        console.layers(inspect(open_subject(path, settings, python), freeze or ()))
