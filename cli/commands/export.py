"""`ft export [CHECKPOINT|RUN]`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ft.cli.arguments import (
    RUNS_DIR,
    Adapter,
    AsJson,
    Debug,
    Python,
    Quiet,
    RunsDir,
    Timings,
    Words,
    command_line,
    split_words,
)
from ft.cli.border import bordered
from ft.core.errors import ConfigError, GateError
from ft.core.runtime.timings import phase

FORMATS = ("onnx", "torch", "safetensors")


@bordered
def export(
    words: Words = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", help="onnx (the default), torch or safetensors; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A folder, or one file (.onnx, .pt2, .safetensors); else `export` in the run."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Hold the files against the checkpoint on a whole split.")
    ] = True,
    split: Annotated[str | None, typer.Option("--split", help="train, val or test, to check on; else eval's.")] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", help="The largest difference, as a share of the largest value (at least of 1)."),
    ] = None,
    licence: Annotated[str | None, typer.Option("--license", help="For the model card.")] = None,
    adapter: Adapter = None,
    python: Python = None,
    runs_dir: RunsDir = RUNS_DIR,
    quiet: Quiet = False,
    as_json: AsJson = False,
    timings: Timings = False,  # noqa: ARG001  (read at the border)
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Write a trained model as files that run without ft, prove that they answer the same, and add a model card.

    FILE is a checkpoint or a run; without one, the newest finished run. Exit code 3 when a file answers otherwise.
    """
    files, settings = split_words(words)
    _check_options(formats or [], split, tolerance, check=check)
    with phase("imports"):
        from ft.cli.console import Console
        from ft.core.stages.export import TOLERANCE, choose_places
        from ft.core.stages.export import export as export_checkpoint
        from ft.core.stages.notices import Notice
        from ft.core.stages.options import Options
        from ft.core.stages.subject import is_config, newest, open_subject

    with Console(quiet=quiet, as_json=as_json) as console:
        options = Options(runs_dir, on_event=console.event, on_notice=console.notice, command=command_line())
        path = files[0] if files else newest(runs_dir, ("train", "finetune"), "run")
        if not files:
            console.notice(Notice("choice", f"the newest finished run: {path}"))
        if is_config(path):
            raise ConfigError(f"ft export takes a checkpoint or run, and {path} is a file of settings; train it first")
        subject = open_subject(path, settings, python, adapter)
        places, card = choose_places(out, formats or [], subject)
        share = TOLERANCE if tolerance is None else tolerance
        result = export_checkpoint(
            subject, places, card, options, check=check, split=split, tolerance=share, licence=licence
        )
        console.exported(result)
    if result.failures:
        raise GateError("; ".join(result.failures))


def _check_options(formats: Sequence[str], split: str | None, tolerance: float | None, *, check: bool) -> None:
    if wrong := [each for each in formats if each not in FORMATS]:
        raise ConfigError(f"--format {wrong[0]}: there are {', '.join(FORMATS)}")
    if split not in (None, "train", "val", "test"):
        raise ConfigError(f"--split {split}: there are train, val and test")
    if not check and (split is not None or tolerance is not None):
        raise ConfigError(f"--{'split' if split else 'tolerance'} is of the check, which --no-check leaves out")
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise ConfigError(f"--tolerance {tolerance:g}: expected a share such as 1e-3")
