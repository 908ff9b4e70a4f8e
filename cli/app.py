"""The Typer app: which commands there are. Each imports its stage when it is called, so `ft --help` loads no torch."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ft.cli.border import ExitCode, write_error
from ft.cli.commands.compress import compress
from ft.cli.commands.config import config_app
from ft.cli.commands.data import data_app
from ft.cli.commands.doctor import doctor
from ft.cli.commands.evaluate import evaluate
from ft.cli.commands.explain import explain
from ft.cli.commands.export import export
from ft.cli.commands.finetune import finetune
from ft.cli.commands.layers import layers
from ft.cli.commands.merge import merge
from ft.cli.commands.predict import predict
from ft.cli.commands.profile import profile
from ft.cli.commands.report import report
from ft.cli.commands.run import run
from ft.cli.commands.runs import runs_app
from ft.cli.commands.schema import schema
from ft.cli.commands.serve import serve
from ft.cli.commands.train import train
from ft.cli.commands.tune import tune
from ft.cli.commands.verify_resume import verify_resume
from ft.cli.streams import own_streams
from ft.core import __version__


class Commands(TyperGroup):
    """The commands, whose usage errors are documents too where `--json` is on the line."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        words = sys.argv[1:] if args is None else args
        try:
            return super().main(args, *rest, **options)
        except SystemExit as end:
            misuse = getattr(end.__context__, "format_message", None)  # the parser's error, told on stderr by now
            if misuse is not None and {"--json", "--format=json", "--format json"} & {*words, *_pairs(words)}:
                with own_streams():
                    write_error(misuse(), ExitCode.USAGE)
            raise


def _pairs(words: Sequence[str]) -> list[str]:
    return [f"{option} {value}" for option, value in pairwise(words)]


app = typer.Typer(
    name="ft",
    cls=Commands,
    help="Train, fine-tune and judge PyTorch models from one YAML file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich's would take longer to import than everything else together
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Any setting can be given on the line: ft train c.yaml train.lr=3e-4 data.split.val=0.1",
)
app.command("train")(train)
app.command("finetune")(finetune)
app.command("eval")(evaluate)
app.command("run")(run)
app.command("tune")(tune)
app.command("predict")(predict)
app.command("explain")(explain)
app.command("serve")(serve)
app.command("merge")(merge)
app.command("export")(export)
app.command("compress")(compress)
app.command("layers")(layers)
app.command("profile")(profile)
app.command("report")(report)
app.command("verify-resume")(verify_resume)
app.command("doctor")(doctor)
app.command("schema")(schema)
app.add_typer(runs_app, name="runs")
app.add_typer(config_app, name="config")
app.add_typer(data_app, name="data")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"ft {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""


def main() -> None:
    """The console script."""
    gc.disable()  # what is imported is never garbage, and looking for it takes a tenth of a second; see console.py
    app(prog_name="ft")
