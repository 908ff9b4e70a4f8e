"""`ft run CONFIG`."""

from __future__ import annotations

from pathlib import Path

from ft.cli.arguments import RUNS_DIR, AsJson, Config, Debug, Quiet, Resume, RunsDir, Smoke, Timings, command_line
from ft.cli.border import bordered
from ft.cli.gate_options import Format
from ft.cli.resuming import load_with_resume
from ft.cli.seeds_options import Against, Seeds, check_seeds, others_of, run_seeds
from ft.core.errors import ConfigError, GateError
from ft.core.runtime.timings import phase


@bordered
def run(
    words: Config = None,
    resume: Resume = False,
    smoke: Smoke = False,
    seeds: Seeds = None,
    against: Against = None,
    form: Format = None,
    runs_dir: RunsDir = RUNS_DIR,
    quiet: Quiet = False,
    as_json: AsJson = False,
    timings: Timings = False,  # noqa: ARG001  (read at the border)
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Run all stages of a YAML file in one process.

    Its sections train, finetune and eval are its stages. Exit code 3 when a gate of eval fails.
    """
    if smoke and form in ("github", "junit", "markdown"):
        raise ConfigError(f"--format {form} tells a verdict, and two batches (--smoke) have none; json tells what ran")
    loaded, goal = load_with_resume(words, resume=resume, smoke=smoke)
    if isinstance(goal, Path):
        raise ConfigError(f"--resume {goal}: ft run goes on with a file's newest runs; ft train --resume names a run")
    check_seeds(seeds, against, goal)
    with phase("imports"):
        from ft.core.data.sources import begin

        begin(loaded.experiment.data, None)
        from ft.cli.console import Console
        from ft.core.stages import pipeline
        from ft.core.stages.options import Options
        from ft.core.stages.seeds import Several

    with Console(quiet=quiet, as_json=as_json, form=form) as console:
        others = others_of(against)
        options = Options(
            runs_dir, resume=goal, on_event=console.event, on_notice=console.notice, command=command_line()
        )
        work = (pipeline.smoke_runner if smoke else pipeline.runner)(loaded, options)
        if seeds is not None:
            several = Several(loaded, seeds, "run", work, work.start.parent if work.start else None)
            run_seeds(console, several, options, others, smoke=smoke)
            return
        result = work(loaded, options)
        console.run(result)
    if result.evaluation is not None and not smoke and not result.evaluation.passed:
        raise GateError("; ".join(str(gate) for gate in result.evaluation.gates if not gate.passed))
