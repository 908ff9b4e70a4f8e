"""`ft data check CONFIG`."""

from __future__ import annotations

import typer

from ft.cli.arguments import AsJson, Config, Debug, one_config
from ft.cli.border import bordered
from ft.core.errors import SpoiledDataError, SpoilingSettingsError

data_app = typer.Typer(help="Look at the data of an experiment.", no_args_is_help=True, rich_markup_mode=None)


@data_app.callback()
def about() -> None:
    """Look at the data of an experiment."""


@data_app.command("check")
@bordered
def check(
    words: Config = None,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Say what the data hold, and what would spoil a run: unreadable values, leaks, typos in labels, and more.

    Reads the data as training would and trains nothing. Exit code 4 when there is an error, 2 where the settings alone
    are at fault.
    """
    path, settings = one_config(words)
    from ft.cli.console import Console
    from ft.core.config.load import load_experiment
    from ft.core.stages.data_check import OF_SETTINGS
    from ft.core.stages.data_check import check as look

    with Console(quiet=False, as_json=as_json) as console:
        report = look(load_experiment(path, settings))
        console.data(report)
    errors = [each for each in report.findings if each.level == "error"]
    if not errors:
        return
    count = f"{len(errors)} {'error' if len(errors) == 1 else 'errors'}"
    if all(each.kind in OF_SETTINGS for each in errors):
        raise SpoilingSettingsError(f"{count} in the settings would spoil a run")
    raise SpoiledDataError(f"{count} in the data would spoil a run")
