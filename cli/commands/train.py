"""`ft train CONFIG`."""

from __future__ import annotations

from ft.cli.arguments import RUNS_DIR, AsJson, Config, Debug, Quiet, RunsDir, Smoke, command_line, one_config
from ft.cli.border import bordered


@bordered
def train(
    words: Config = None,
    smoke: Smoke = False,
    runs_dir: RunsDir = RUNS_DIR,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Train the model of a YAML file.

    Prints how well it does on validation and where its best weights are; --quiet prints only their path.
    """
    path, settings = one_config(words)
    from ft.core.config.load import load_experiment

    loaded = load_experiment(path, settings)  # before torch is imported: a mistake in the file is told at once
    from ft.cli.console import Console
    from ft.core.stages import fit, pipeline
    from ft.core.stages.options import Options

    with Console(quiet=quiet, as_json=as_json) as console:
        options = Options(runs_dir, on_event=console.event, on_notice=console.notice, command=command_line())
        if smoke:
            console.run(pipeline.smoke(loaded, options))
            return
        result, _ = fit.train(loaded, options)
        console.fit(result)
