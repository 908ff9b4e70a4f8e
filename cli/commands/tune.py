"""`ft tune CONFIG`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ft.cli.arguments import (
    RUNS_DIR,
    AsJson,
    Config,
    Debug,
    Quiet,
    RunsDir,
    Smoke,
    Timings,
    command_line,
    one_config,
)
from ft.cli.border import bordered
from ft.core.errors import ConfigError, GateError
from ft.core.runtime.timings import phase


@bordered
def tune(
    words: Config = None,
    test: Annotated[
        bool, typer.Option("--test", help="In the end judge the best trial on the test split, once.")
    ] = False,
    lr_find: Annotated[
        bool, typer.Option("--lr-find", help="Only try all learning rates, in some hundred steps; keeps nothing.")
    ] = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="With --lr-find: draw the curve into this file.")] = None,
    smoke: Smoke = False,
    runs_dir: RunsDir = RUNS_DIR,
    quiet: Quiet = False,
    as_json: AsJson = False,
    timings: Timings = False,  # noqa: ARG001  (read at the border)
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Search the settings that a YAML file's tune section names, by the score on validation.

    The same command again, also in a second process or on another machine, goes on with the search that is there. The
    best experiment is left as best.yaml, which ft train runs; --quiet prints only its path.
    """
    path, settings = one_config(words)
    if svg is not None and not lr_find:
        raise ConfigError("--svg draws the curve of --lr-find; a search leaves its picture beside its report")
    if lr_find and (test or smoke):
        raise ConfigError(
            f"--lr-find trains nothing that could be kept or judged; leave {'--test' if test else '--smoke'} out"
        )
    from ft.core.config.load import load_experiment

    loaded = load_experiment(path, settings)  # a mistake in the file is told before torch is imported
    with phase("imports"):
        from ft.cli import tune_view
        from ft.cli.console import Console
        from ft.core.stages.options import Options
        from ft.core.stages.tuning import lr_find as finder
        from ft.core.stages.tuning import search

    with Console(quiet=quiet, as_json=as_json) as console:
        options = Options(
            runs_dir, smoke=smoke, on_event=console.event, on_notice=console.notice, command=command_line()
        )
        if lr_find:
            stage = loaded.experiment.tune.stage if loaded.experiment.tune else "train"
            found = finder.lr_find(loaded, stage, options)
            if svg is not None:
                tune_view.write_svg(svg, found)
            console.lr_found(found, svg)
            return
        result = search.tune(path, settings, options, test=test)
        console.tuned(result)
    if result.test is not None and not result.test.passed and not smoke:
        raise GateError("; ".join(str(gate) for gate in result.test.gates if not gate.passed))
