"""`ft train CONFIG`."""

from __future__ import annotations

from ft.cli.arguments import RUNS_DIR, AsJson, Config, Debug, Quiet, Resume, RunsDir, Smoke, Timings, command_line
from ft.cli.border import bordered
from ft.cli.resuming import load_with_resume
from ft.cli.seeds_options import Against, Seeds, check_seeds, others_of, run_seeds
from ft.core.runtime.timings import phase


@bordered
def train(
    words: Config = None,
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
    """Train the model of a YAML file.

    Prints how well it does on validation and where its best weights are; --quiet prints only their path.
    """
    loaded, goal = load_with_resume(words, resume=resume, smoke=smoke)
    check_seeds(seeds, against, goal)
    with phase("imports"):
        from ft.core.data.sources import begin

        begin(loaded.experiment.data, {"train", "val"})
        from ft.cli.console import Console
        from ft.core.stages import fit, pipeline
        from ft.core.stages.options import Options
        from ft.core.stages.seeds import Several, sharing

    with Console(quiet=quiet, as_json=as_json) as console:
        others = others_of(against)
        options = Options(
            runs_dir, resume=goal, on_event=console.event, on_notice=console.notice, command=command_line()
        )
        if seeds is not None:
            work = pipeline.smoke_runner(loaded, options) if smoke else sharing(fit.train)
            run_seeds(console, Several(loaded, seeds, "train", work), options, others, smoke=smoke)
        elif smoke:
            console.run(pipeline.smoke_runner(loaded, options)(loaded, options))
        else:
            result, _ = fit.train(loaded, options)
            console.fit(result)
