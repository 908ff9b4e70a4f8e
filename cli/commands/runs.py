"""`ft runs [NAME]`, which is `ft runs list`, and `ft runs delete`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ft.cli.arguments import RUNS_DIR, AsJson, Debug, RunsDir
from ft.cli.border import bordered
from ft.core.errors import ConfigError


class ListByDefault(TyperGroup):
    """A group whose `list` need not be typed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args and args[0] in self.commands else ["list", *args])


runs_app = typer.Typer(cls=ListByDefault, help="List runs with their scores; delete runs.", rich_markup_mode=None)

State = StrEnum("State", ["running", "finished", "preempted", "interrupted", "diverged", "failed", "killed", "pruned"])
Stage = StrEnum("Stage", ["train", "finetune"])


@runs_app.command(
    "list",
    epilog="ft runs delete RUN... takes runs away. An experiment called delete or list: ft runs list delete.",
)
@bordered
def list_(
    name: Annotated[str | None, typer.Argument(help="Only the runs of this experiment.")] = None,
    states: Annotated[
        list[State] | None,
        typer.Option("--state", metavar="STATE", help=f"Only those in this state: {', '.join(State)}."),
    ] = None,
    stages: Annotated[
        list[Stage] | None, typer.Option("--stage", metavar="STAGE", help="Only those of this stage: train, finetune.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="KEY=VALUE",
            help="Only those with this setting or metric: train.lr=1e-3, 'test/accuracy>=0.9'; also != < <= >.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="METRIC", help="Best first by a metric; or started (newest first), or time."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="So many; without --sort the newest.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", metavar="KEY,...", help="Settings and metrics to show beside: train.lr,test/f1."),
    ] = None,
    differing: Annotated[
        bool, typer.Option("--differing", help="Show the settings in which these runs differ.")
    ] = False,
    sizes: Annotated[bool, typer.Option("--sizes", help="Show how much of the disk each takes.")] = False,
    runs_dir: RunsDir = RUNS_DIR,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """List runs with their scores, oldest first.

    KEY is a setting (train.lr) or a metric: of the best validation (accuracy), or of an evaluation (test/accuracy).
    """
    from ft.cli.console import Console
    from ft.core.stages.listing import Query, list_runs
    from ft.core.stages.run_fields import parse_condition

    shown = tuple(dict.fromkeys(each.strip() for text in columns or [] for each in text.split(",") if each.strip()))
    if columns and not shown:
        raise ConfigError("--columns names nothing; expected settings or metrics, e.g. --columns train.lr,test/f1")
    conditions = tuple(map(parse_condition, where or []))
    query = Query(
        name, tuple(states or ()), tuple(stages or ()), conditions, sort, limit, shown, differing=differing, sizes=sizes
    )
    with Console(quiet=False, as_json=as_json) as console:
        console.runs(list_runs(runs_dir, query), runs_dir)


@runs_app.command("delete")
@bordered
def delete(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="RUN...", help="Runs; with --failed or --keep-best experiments, or none for all."),
    ] = None,
    keep_best: Annotated[
        int | None, typer.Option("--keep-best", min=1, help="Of each experiment all finished runs but so many.")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="METRIC", help="What --keep-best ranks by; else the run's own main metric."),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Runs that failed, diverged, were killed or interrupted.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Delete; without it only say what would go.")] = False,
    runs_dir: RunsDir = RUNS_DIR,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Say which runs would be deleted, how large they are and why; delete them with --yes.

    Never asks. A run that is running, and one that another began from or names in its settings, stays. No link is
    followed, and nothing outside the runs folder is touched.
    """
    if not (words or failed or keep_best is not None):
        raise ConfigError("name runs, e.g. ft runs delete digits/3, or say --failed or --keep-best N")
    if by is not None and keep_best is None:
        raise ConfigError(f"--by {by} ranks runs for --keep-best N, which is not given")
    from ft.cli.console import Console
    from ft.core.stages.deleting import Wish, carry_out, plan

    with Console(quiet=False, as_json=as_json) as console:
        planned = plan(runs_dir, Wish(tuple(words or ()), keep_best, by, failed))
        console.deletion(carry_out(planned) if yes else planned, runs_dir)
