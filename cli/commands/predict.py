"""`ft predict CHECKPOINT PICTURES…`."""

from __future__ import annotations

from typing import Annotated

import typer

from ft.cli.arguments import AsJson, Debug, Python, split_words
from ft.cli.border import bordered
from ft.core.errors import ConfigError


@bordered
def predict(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="CHECKPOINT PICTURE... [KEY=VALUE]",
            help="A checkpoint or a run, picture files, and settings to change.",
        ),
    ],
    top: Annotated[int, typer.Option("--top", min=1, help="How many classes to show.")] = 3,
    python: Python = None,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Say what is in pictures, with probabilities.

    Settings as elsewhere: device=cpu takes a model that was trained on a GPU to a machine without one.
    """
    files, settings = split_words(words, at_most=None)
    if len(files) < 2:
        raise ConfigError("name a checkpoint or run, then the pictures: ft predict runs/digits/1 a.png b.png")
    checkpoint, *pictures = files
    missing = [str(picture) for picture in pictures if not picture.is_file()]
    if missing:
        raise ConfigError(
            f"there is no picture file {', '.join(missing)} (folders: name the files in them, e.g. FOLDER/*)"
        )
    from ft.cli.console import Console
    from ft.core.stages.predict import predict as answers
    from ft.core.stages.subject import is_config, open_subject

    if is_config(checkpoint):
        raise ConfigError(f"{checkpoint} is a file of settings; ft predict takes a checkpoint or run first")
    with Console(quiet=False, as_json=as_json) as console:
        console.predictions(list(answers(open_subject(checkpoint, settings, python), pictures)), top)
