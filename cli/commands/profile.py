"""`ft profile CONFIG`."""

from __future__ import annotations

from ft.cli.arguments import AsJson, Config, Debug, Quiet, one_config
from ft.cli.border import bordered


@bordered
def profile(
    words: Config = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Show where a training step's time goes on this machine, and which settings would make it shorter.

    Takes some seconds for each setting and keeps nothing. What is worth it is printed as lines for the file.
    """
    path, settings = one_config(words)
    from ft.core.config.load import load_experiment

    load_experiment(path, settings)  # a mistake in the file is told before torch is imported
    from ft.cli.console import Console
    from ft.core.stages.options import Options
    from ft.core.stages.profile import profile as measure

    with Console(quiet=quiet, as_json=as_json) as console:
        options = Options(on_event=console.event, on_notice=console.notice)
        console.profile(measure(path, settings, options))
