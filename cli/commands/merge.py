"""`ft merge RUN|CHECKPOINT [--adapter FILE] [--out FILE]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ft.cli.arguments import Adapter, AsJson, Debug, Quiet, split_words
from ft.cli.border import bordered
from ft.core.errors import ConfigError


@bordered
def merge(
    words: Annotated[list[str], typer.Argument(metavar="RUN|CHECKPOINT", help="What has adapters, or is their base.")],
    adapter: Adapter = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to write; left out, merged.pt beside what is merged.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Merge adapters (LoRA, DoRA) into the weights: a plain checkpoint that answers the same."""
    files, settings = split_words(words)
    if settings:
        raise ConfigError(f"{settings[0]}: ft merge changes no settings")
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise ConfigError(f"--out {out}: there is no folder {out.absolute().parent}, or a folder is called so")
    from ft.cli.console import Console
    from ft.core.stages.merge import merge as merge_checkpoint
    from ft.core.stages.subject import is_config

    if is_config(files[0]):
        raise ConfigError(f"{files[0]} is a file of settings; ft merge takes a run or a checkpoint")
    with Console(quiet=quiet, as_json=as_json) as console:
        console.merged(merge_checkpoint(files[0], adapter, out))
