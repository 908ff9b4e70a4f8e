"""`ft finetune [CONFIG|CHECKPOINT|RUN] --freeze 0,1,2`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ft.cli.arguments import (
    RUNS_DIR,
    AsJson,
    Debug,
    Lora,
    Python,
    Quiet,
    Resume,
    RunsDir,
    Smoke,
    Target,
    Timings,
    Words,
    command_line,
    lora_settings,
    split_words,
)
from ft.cli.border import bordered
from ft.cli.resuming import is_config, load_run, refuse_smoke
from ft.cli.seeds_options import Against, Seeds, check_seeds, others_of, run_seeds
from ft.core.errors import ConfigError
from ft.core.runtime.timings import phase

if TYPE_CHECKING:
    from ft.core.stages.options import Options
    from ft.core.stages.subject import Subject


@bordered
def finetune(
    words: Words = None,
    freeze: Annotated[
        list[str] | None,
        typer.Option("--freeze", help="What does not learn: 0,1,2 or 0-2, names, globs, until:NAME, all but NAME."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--from", help="Starting weights: a file or run, an https URL, DEFAULT.")
    ] = None,
    lora: Lora = None,
    target: Target = None,
    python: Python = None,
    resume: Resume = False,
    smoke: Smoke = False,
    seeds: Seeds = None,
    against: Against = None,
    runs_dir: RunsDir = RUNS_DIR,
    quiet: Quiet = False,
    as_json: AsJson = False,
    timings: Timings = False,  # noqa: ARG001  (read at the border)
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Go on from trained weights, some layers frozen.

    FILE is a YAML file, a checkpoint or a run; without one, the newest finished training run.
    """
    refuse_smoke(resume=resume, smoke=smoke)
    files, settings = split_words(words, at_most=2 if resume else 1)
    settings += [*([f"finetune.freeze={_as_list(freeze)}"] if freeze else []), *lora_settings(lora, target)]
    with phase("imports"):
        from ft.cli.console import Console
        from ft.core.stages import fit, pipeline
        from ft.core.stages.options import Options
        from ft.core.stages.seeds import Several, sharing
        from ft.core.stages.start import Start, finetuning_start

    with Console(quiet=quiet, as_json=as_json) as console:
        goal = _run_to_go_on_with(files) if resume else None
        check_seeds(seeds, against, goal)
        others = others_of(against)
        options = Options(
            runs_dir, resume=goal or resume, on_event=console.event, on_notice=console.notice, command=command_line()
        )
        subject = _subject([file for file in files if file != goal], goal, settings, python, options)

        def start() -> Start:
            with subject.loaded.locating():
                return finetuning_start(subject, weights, runs_dir, console.notice)

        if seeds is not None:
            begun = start()  # one for all: what varies is the fine-tuning
            own = sharing(lambda loaded, options, data: fit.finetune(loaded, begun, options, data))
            work = pipeline.smoke_finetuner(begun) if smoke else own
            several = Several(subject.loaded, seeds, "finetune", work, begun.parent)
            run_seeds(console, several, options, others, smoke=smoke)
        elif smoke:
            console.run(pipeline.smoke_finetuner(start())(subject.loaded, options))
        else:
            result, _ = fit.finetune(subject.loaded, start() if weights else start, options)
            console.fit(result)


def _subject(
    files: list[Path], goal: Path | None, settings: list[str], python: Path | None, options: Options
) -> Subject:
    """What is fine-tuned: of the file that is named, of the run that is gone on with, or the newest training."""
    from ft.core.stages.notices import Notice
    from ft.core.stages.subject import Subject, newest, open_subject

    if len(files) > 1:
        raise ConfigError(f"one file at a time, not {' and '.join(map(str, files))}")
    if goal is not None and not files:
        return Subject(load_run(goal, settings))
    path = files[0] if files else newest(options.runs_dir, ("train",), "training")
    if not files:
        options.on_notice(Notice("choice", f"the newest finished training run: {path}"))
    return open_subject(path, settings, python)


def _as_list(patterns: list[str]) -> str:
    """The patterns as a YAML list. A comma parts patterns on the line; a number stays a number."""
    import json

    from ft.core.config.patterns import split_text

    parts = [part for pattern in patterns for part in split_text(pattern)]
    if not parts:
        raise ConfigError("--freeze names no unit; ft layers shows their numbers and names")
    return json.dumps([int(part) if part.isdecimal() else part for part in parts])


def _run_to_go_on_with(files: list[Path]) -> Path | None:
    """The one of the files that is a fine-tuning's run, if one is."""
    from ft.core.stages.resume import is_run_of

    runs = [file for file in files if is_run_of(file, "finetune")]
    if len(files) == 2 and not runs:  # no fine-tuning's: that is told where it is looked at
        runs = [file for file in files if not is_config(file)]
    return runs[0] if runs else None
