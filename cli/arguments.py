"""The options that several commands share, and telling settings (`key.sub=value`) from files on the line."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ft.core.errors import ConfigError

_SETTING = re.compile(r"^[A-Za-z_][\w-]*(\.[\w-]+)*=")

Words = Annotated[
    list[str] | None, typer.Argument(metavar="FILE [KEY=VALUE]", help="What to work on, and settings to change.")
]
Config = Annotated[
    list[str] | None, typer.Argument(metavar="CONFIG [KEY=VALUE]", help="A YAML file, and settings to change.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only the one line a pipeline needs.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error came from.")]
Timings = Annotated[bool, typer.Option("--timings", help="Show where the time went, phase by phase.")]
RunsDir = Annotated[Path, typer.Option("--runs-dir", envvar="FT_RUNS", help="Where runs are kept.")]
Python = Annotated[
    Path | None, typer.Option("--python", help="Your model's file: a checkpoint's code runs only if named here.")
]
Smoke = Annotated[
    bool, typer.Option("--smoke", help="Two batches of every stage, saving and evaluating too; keeps nothing.")
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with the newest run of this file, or with the run named after it; else begin one."
    ),
]
Adapter = Annotated[
    Path | None,
    typer.Option("--adapter", help="Adapters for this base: their file, their folder, or the run that trained them."),
]
Lora = Annotated[
    int | None,
    typer.Option("--lora", metavar="RANK", help="Learn small changes of this rank beside frozen weights (LoRA)."),
]
Target = Annotated[
    list[str] | None, typer.Option("--target", help="Layers that get such a change: numbers, names, globs.")
]
RUNS_DIR = Path("runs")


def split_words(words: Sequence[str] | None, *, at_most: int | None = 1) -> tuple[list[Path], list[str]]:
    """(files, settings). A word is a setting when it begins like `key.sub=` and no file is called so.

    Raises ConfigError for too many files.
    """
    words = words or []
    settings = [word for word in words if _SETTING.match(word) and not Path(word).exists()]
    files = [Path(word) for word in words if word not in settings]
    if at_most is not None and len(files) > at_most:
        raise ConfigError(f"one file at a time, not {len(files)}: {', '.join(map(str, files))}; settings are KEY=VALUE")
    return files, settings


def one_config(words: Sequence[str] | None) -> tuple[Path, list[str]]:
    """The experiment's file and the settings. Raises ConfigError when no file is named."""
    files, settings = split_words(words)
    if not files:
        raise ConfigError("name an experiment file, e.g. configs/digits.yaml (ft config init writes one)")
    if files[0].suffix in (".pt", ".pth", ".safetensors") or files[0].is_dir():
        raise ConfigError(f"{files[0]} is no experiment file; a checkpoint or run is for ft finetune, eval and layers")
    return files[0], settings


def lora_settings(rank: int | None, target: Sequence[str] | None) -> list[str]:
    """`--lora` and `--target` as settings; a comma parts targets. Raises ConfigError for a target that is blank."""
    parts = [part.strip() for pattern in target or [] for part in pattern.split(",") if part.strip()]
    if target and not parts:
        raise ConfigError("--target names no layer; ft layers shows their numbers and names")
    words = [f"finetune.lora.rank={rank}"] if rank is not None else []
    return [*words, f"finetune.lora.target={json.dumps(parts)}"] if parts else words


def command_line() -> str:
    """What the user typed, to be typed again."""
    changed = [f"FT_RUNS={shlex.quote(os.environ['FT_RUNS'])}"] if "FT_RUNS" in os.environ else []
    return " ".join([*changed, "ft", *map(shlex.quote, sys.argv[1:])])
