"""`--seeds N` and `--against`: what they may stand beside, and running what they ask for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ft.core.errors import ConfigError, DivergedSeedsError, GateError

if TYPE_CHECKING:
    from ft.cli.console import Console
    from ft.core.stages.options import Options
    from ft.core.stages.seeds import Several
    from ft.core.stages.seeds_against import Others

Seeds = Annotated[
    int | None,
    typer.Option("--seeds", metavar="N", help="N runs, with this seed and those after it: mean, spread, interval."),
]
Against = Annotated[
    Path | None,
    typer.Option("--against", help="With --seeds: the seeds.json of other settings, to test whether these differ."),
]


def check_seeds(seeds: int | None, against: Path | None, goal: bool | Path | None) -> None:
    """Raise ConfigError for options that mean nothing together. goal: what --resume is about."""
    if seeds is None:
        if against is not None:
            raise ConfigError("--against compares several seeds with those of an earlier --seeds; say --seeds N too")
        return
    if seeds < 2:
        raise ConfigError(f"--seeds {seeds}: expected at least 2, for one alone has no spread; seed=N chooses which")
    if isinstance(goal, Path):
        raise ConfigError(
            f"--resume {goal} goes on with one run, and --seeds with all of its own: say --resume alone, or no --seeds"
        )


def others_of(against: Path | None) -> Others | None:
    """What `--against` names; read before anything is prepared. Raises ConfigError, DataError."""
    from ft.core.stages.seeds_against import read_others

    return None if against is None else read_others(against)


def run_seeds(console: Console, several: Several, options: Options, others: Others | None, *, smoke: bool) -> None:
    """Run and show them. Raises DivergedSeedsError or, where all finished, GateError, once the result is out."""
    from ft.core.stages.seeds import run_seeds as run

    result = run(several, replace(options, smoke=smoke), others)
    console.seeds(result)
    if result.diverged:
        told = "; ".join(f"seed {one.seed}: {one.error}" for one in result.diverged)
        raise DivergedSeedsError(f"{len(result.diverged)} of {len(result.seeds)} seeds diverged: {told}")
    if not result.passed:
        raise GateError("; ".join(str(gate) for gate in result.gates if not gate.passed))
