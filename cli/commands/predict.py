"""`ft predict CHECKPOINT FILE…`, `… --input NAME=VALUE`, `… --user ID`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ft.cli.arguments import Adapter, AsJson, Debug, Python, split_words
from ft.cli.border import bordered
from ft.core.errors import ConfigError

CLASSES, ITEMS = 3, 10  # shown where --top is left out


@bordered
def predict(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="CHECKPOINT [FILE...] [KEY=VALUE]",
            help="A checkpoint or a run; tables of examples, pictures or sounds; settings to change.",
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=VALUE", help="One example, an option for each input."),
    ] = None,
    users: Annotated[
        list[str] | None, typer.Option("--user", metavar="ID", help="Recommend items to this user; may be repeated.")
    ] = None,
    seen: Annotated[bool, typer.Option("--seen", help="With --user: also items that the user chose before.")] = False,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help=f"How many classes ({CLASSES}) or items ({ITEMS}) to show.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write all answers to this file, .csv or .jsonl; replaces it.")
    ] = None,
    adapter: Adapter = None,
    python: Python = None,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Answer for new examples: rows of a table, pictures, sounds, one example from the command line, or a user.

    Tables are csv, tsv, jsonl or parquet, also .gz, with the inputs' columns; answers come in the order of the rows.
    Settings as elsewhere: device=cpu takes a model that was trained on a GPU to a machine without one.
    """
    named, settings = split_words(words, at_most=None)
    checkpoint, *files = named or [Path()]
    _check_question(named, files, inputs or [], users or [], seen=seen)
    values = parse_inputs(inputs or [])
    _check_out(out)
    from ft.cli.console import Console
    from ft.core.stages.exported import open_judged
    from ft.core.stages.subject import is_config

    if is_config(checkpoint):
        raise ConfigError(f"{checkpoint} is a file of settings; ft predict takes a checkpoint or run first")
    with Console(quiet=False, as_json=as_json) as console:
        subject = open_judged(checkpoint, settings, python, adapter)
        if users:
            from ft.core.stages.recommend import recommend

            console.recommendations(recommend(subject, users, top or ITEMS, seen=seen), out)
        else:
            from ft.core.stages.predict import predict_files, predict_values

            answers = predict_values(subject, values) if values else predict_files(subject, files)
            console.predictions(answers, top or CLASSES, out)


def parse_inputs(given: Sequence[str]) -> dict[str, str]:
    """`["age=41"]` -> {"age": "41"}. Raises ConfigError for another form and for a name that comes twice."""
    values: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise ConfigError(f"--input {text}: expected NAME=VALUE, e.g. --input age=41")
        if name in values:
            raise ConfigError(f"--input {name}: is given twice; several examples are rows of a table")
        values[name] = value
    return values


def _check_question(
    named: Sequence[Path], files: Sequence[Path], inputs: Sequence[str], users: Sequence[str], *, seen: bool
) -> None:
    """One kind of question, of files that are there."""
    ways = [way for way, given in (("files", files), ("--input", inputs), ("--user", users)) if given]
    if not named or not ways:
        raise ConfigError(
            "name a checkpoint or run, then what to answer for: ft predict runs/digits/1 a.png b.png, or new.csv, "
            "or -i NAME=VALUE for each input, or --user ID"
        )
    if len(ways) > 1:
        raise ConfigError(f"one kind of question at a time, not {' and '.join(ways)}")
    if seen and not users:
        raise ConfigError("--seen goes with --user")
    check_files(files)


def check_files(files: Sequence[Path]) -> None:
    """Raises ConfigError for files that are not there."""
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise ConfigError(f"there is no file {', '.join(missing)} (folders: name the files in them, e.g. FOLDER/*)")


def _check_out(out: Path | None) -> None:
    if out is None:
        return
    if out.suffix.lower() not in (".csv", ".jsonl"):
        raise ConfigError(f"--out {out}: answers are written as .csv or .jsonl")
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {out.absolute().parent}, or a folder is called so")
