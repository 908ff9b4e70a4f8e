"""`ft run CONFIG`."""

from __future__ import annotations

from ft.cli.arguments import RUNS_DIR, AsJson, Config, Debug, Quiet, RunsDir, Smoke, command_line, one_config
from ft.cli.border import bordered
from ft.core.errors import GateError


@bordered
def run(
    words: Config = None,
    smoke: Smoke = False,
    runs_dir: RunsDir = RUNS_DIR,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Run all stages of a YAML file in one process.

    Its sections train, finetune and eval are its stages. Exit code 3 when a gate of eval fails.
    """
    path, settings = one_config(words)
    from ft.core.config.load import load_experiment

    loaded = load_experiment(path, settings)
    from ft.cli.console import Console
    from ft.core.stages import pipeline
    from ft.core.stages.options import Options

    with Console(quiet=quiet, as_json=as_json) as console:
        options = Options(runs_dir, on_event=console.event, on_notice=console.notice, command=command_line())
        result = (pipeline.smoke if smoke else pipeline.run)(loaded, options)
        console.run(result)
    if result.evaluation is not None and not smoke and not result.evaluation.passed:
        raise GateError("; ".join(str(gate) for gate in result.evaluation.gates if not gate.passed))
