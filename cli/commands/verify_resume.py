"""`ft verify-resume CONFIG`."""

from __future__ import annotations

from typing import Annotated

import typer

from ft.cli.arguments import RUNS_DIR, AsJson, Config, Debug, Quiet, RunsDir, one_config
from ft.cli.border import bordered
from ft.core.errors import GateError


@bordered
def verify_resume(
    words: Config = None,
    steps: Annotated[int, typer.Option("--steps", min=2, help="Optimizer steps to train, at most.")] = 40,
    runs_dir: RunsDir = RUNS_DIR,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Prove on your own experiment that a killed and resumed run gives the bits of one that was not.

    Trains a few steps twice, kills one of the two three times; exit code 3 and the first tensor that differs otherwise.
    """
    path, settings = one_config(words)
    from ft.core.config.load import load_experiment

    loaded = load_experiment(path, settings)
    from ft.cli.console import Console
    from ft.core.stages.options import Options
    from ft.core.stages.verify import verify_resume as verify

    with Console(quiet=quiet, as_json=as_json) as console:
        options = Options(runs_dir, on_notice=console.notice)
        results = verify(loaded, path, settings, options, steps)
        console.verified(loaded.experiment.name, results)
    differing = [f"{result.stage}: {result.difference}" for result in results if result.difference is not None]
    if differing:
        raise GateError(f"resuming is not exact: {'; '.join(differing)}")
