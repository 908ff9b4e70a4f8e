"""`ft config show | validate | schema | init`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ft.cli.arguments import AsJson, Config, Debug, one_config
from ft.cli.border import SCHEMA_VERSION, bordered
from ft.cli.streams import results
from ft.core.errors import ConfigError

config_app = typer.Typer(help="Look at, check and begin experiment files.", no_args_is_help=True, rich_markup_mode=None)


@config_app.command("show")
@bordered
def show(
    words: Config = None,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Print the experiment as it will run: bases merged, settings applied, every default visible.

    A stage that the file does not name is shown behind #, as its command would run it.
    """
    path, settings = one_config(words)
    from ft.core.config.load import load_experiment
    from ft.core.config.schema import SECTIONS
    from ft.core.config.write import dump

    loaded = load_experiment(path, settings)
    results().write(loaded.resolved_yaml())
    for stage in SECTIONS:
        if stage not in loaded.named_stages():
            text = dump({stage: loaded.resolved(stage)[stage]})
            results().write("".join(f"# {line}" for line in text.splitlines(keepends=True)))


@config_app.command("validate")
@bordered
def validate(
    words: Config = None,
    quick: Annotated[bool, typer.Option("--quick", help="Without torch: settings only, in half a second.")] = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Check a file: every setting, whether files of weights are there, and (without --quick) the network, optimizer,
    metric names and tables' columns.

    Of tables the first lines are read, where they are there; what could not be looked at is said, and is no error.
    """
    path, settings = one_config(words)
    from ft.core.config.load import load_experiment
    from ft.core.config.weights import look_for_weights

    loaded = load_experiment(path, settings)
    if quick:
        unchecked = "the network, optimizer and schedule arguments, device, metric names, columns of tables"
        unchecked += ", what tune searches" if loaded.experiment.tune else ""
        with loaded.locating():
            skipped = [f"--quick skipped: {unchecked}", *look_for_weights(loaded)]
    else:
        from ft.core.stages.inspect import look_at_data
        from ft.core.stages.inspect import validate as build
        from ft.core.stages.tuning.space import open_space

        if loaded.experiment.tune is not None:
            open_space(path, settings, loaded, loaded.experiment.tune, ())
        skipped = [*build(loaded), *look_at_data(loaded)]
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "kind": "validate", "valid": True, "skipped": skipped}
        results().write(json.dumps(document, indent=2) + "\n")
    else:
        results().write("".join([f"{path}: valid\n", *(f"  {line}\n" for line in skipped)]))


@config_app.command("schema")
@bordered
def schema(
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Print the JSON Schema of experiment files, for editors."""
    from ft.core.config.export import json_schema

    results().write(json.dumps(json_schema(), indent=2) + "\n")


@config_app.command("init")
@bordered
def init(
    data: Annotated[
        Path | None, typer.Option("--data", help="Begin from these data: a table, or a folder of pictures or sounds.")
    ] = None,
    target: Annotated[str | None, typer.Option("--target", help="With --data: the column to predict.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write here instead of to stdout; never overwrites.")
    ] = None,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Print a commented experiment to begin from; it runs as it is.

    Without --data on real handwritten digits; with it on your own, every guess explained by a comment.
    """
    if target is not None and data is None:
        raise ConfigError(f"--target {target}: this is a column of --data FILE|FOLDER, which is not given")
    if out is not None and out.exists():
        raise ConfigError(f"--out {out}: the file is there already")
    text = _begun(data, target, out)
    if out is None:
        results().write(text)
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"--out {out}: the file is there already") from None
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}") from error
    sys.stderr.write(f"wrote {out}; next: ft run {out}\n")


def _begun(data: Path | None, target: str | None, out: Path | None) -> str:
    if data is None:
        from ft.core.config.export import init_text

        return init_text()
    from ft.core.stages.begin import begin

    return begin(data, target, str(out or "my.yaml"))
