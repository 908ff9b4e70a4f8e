"""`ft eval [CHECKPOINT|RUN]`."""

from __future__ import annotations

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
from ft.cli.gate_options import (
    Baseline,
    Corruptions,
    Format,
    GateOn,
    Junit,
    MaxDrop,
    Maximum,
    Metric,
    Minimum,
    PerClass,
    PerSlice,
    Slices,
    gate_settings,
)
from ft.core.errors import ConfigError, GateError
from ft.core.runtime.timings import phase

OtherData = Annotated[
    Path | None,
    typer.Option("--data", help="Other data: a table, another root folder, or a YAML file with a data section."),
]


@bordered
def evaluate(
    words: Words = None,
    minimum: Minimum = None,
    maximum: Maximum = None,
    per_class: PerClass = None,
    gate_on: GateOn = None,
    baseline: Baseline = None,
    max_drop: MaxDrop = None,
    per_slice: PerSlice = None,
    slices: Slices = None,
    metric: Metric = None,
    junit: Junit = None,
    form: Format = None,
    corruptions: Corruptions = False,
    split: Annotated[str | None, typer.Option("--split", help="train, val or test.")] = None,
    data: OtherData = None,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the JSON document to this file.")] = None,
    adapter: Adapter = None,
    python: Python = None,
    runs_dir: RunsDir = RUNS_DIR,
    quiet: Quiet = False,
    as_json: AsJson = False,
    timings: Timings = False,  # noqa: ARG001  (read at the border)
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Judge a checkpoint on the test split.

    FILE is a checkpoint or a run; without one, the newest finished run. Exit code 3 when a gate fails.
    """
    files, settings = split_words(words)
    gates = gate_settings(minimum, maximum, per_class, max_drop, baseline, gate_on, per_slice, slices, metric)
    gates |= {"corruptions": "all"} if corruptions else {}
    if split not in (None, "train", "val", "test"):
        raise ConfigError(f"--split {split}: there are train, val and test")
    _check_file("--out", out, "eval.json")
    _check_file("--junit", junit, "gates.xml")
    with phase("imports"):
        from ft.cli.console import Console
        from ft.core.stages.evaluate import judge
        from ft.core.stages.exported import open_judged
        from ft.core.stages.notices import Notice
        from ft.core.stages.options import Options
        from ft.core.stages.subject import is_config, newest

    with Console(quiet=quiet, as_json=as_json, form=form) as console:
        options = Options(runs_dir, on_event=console.event, on_notice=console.notice, command=command_line())
        path = files[0] if files else newest(runs_dir, ("train", "finetune"), "run")
        if not files:
            console.notice(Notice("choice", f"the newest finished run: {path}"))
        if is_config(path):
            raise ConfigError(f"ft eval judges a checkpoint or run, and {path} is a file of settings; ft run does all")
        subject = open_judged(path, settings, python, adapter)
        result = judge(subject, options, split=split, gates=gates, other_data=data)
        if out is not None:
            console.write_json(out, result)
        if junit is not None:
            console.write_junit(junit, result)
        console.evaluation(result)
    if not result.passed:
        raise GateError("; ".join(str(gate) for gate in result.gates if not gate.passed))


def _check_file(option: str, file: Path | None, example: str) -> None:
    """Raise ConfigError, before anything runs, for a file that could not be written in the end."""
    if file is not None and file.is_dir():
        raise ConfigError(f"{option} {file}: this is a folder; name a file in it, e.g. {file / example}")
    if file is not None and not file.absolute().parent.is_dir():
        raise ConfigError(f"{option} {file}: there is no folder {file.absolute().parent}")
