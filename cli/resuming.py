"""What `--resume` on the command line is about: the newest run of a file, or the run that is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ft.cli.arguments import one_config, split_words
from ft.core.errors import ConfigError

if TYPE_CHECKING:
    from ft.core.config.load import Loaded


def load_with_resume(words: Sequence[str] | None, *, resume: bool, smoke: bool) -> tuple[Loaded, bool | Path]:
    """The experiment, and what to go on with, of CONFIG, CONFIG --resume, CONFIG --resume RUN or --resume RUN.

    Imports no torch, so a mistake in the file is told at once. Raises ConfigError.
    """
    from ft.core.config.load import load_experiment

    refuse_smoke(resume=resume, smoke=smoke)
    files, settings = split_words(words, at_most=2 if resume else 1)
    runs = [file for file in files if resume and not is_config(file)]
    if not runs:
        path, settings = one_config(words)
        return load_experiment(path, settings), resume
    if len(runs) > 1:
        raise ConfigError(f"--resume goes on with one run, not with {' and '.join(map(str, runs))}")
    if len(files) == 2:
        return load_experiment(next(file for file in files if is_config(file)), settings), runs[0]
    return load_run(runs[0], settings), runs[0]


def load_run(path: Path, settings: Sequence[str]) -> Loaded:
    """The experiment of a run's own file. Its model's code never runs for that: raises ConfigError then, too."""
    from ft.core.config.load import load_experiment

    home = run_of(path)
    if home is None:
        raise ConfigError(f"--resume {path}: there is no such run or checkpoint of one")
    loaded = load_experiment(home / "config.yaml", settings)
    if loaded.experiment.model.python is not None:
        raise ConfigError(
            f"the model of {path} is built by code of your own; name the experiment too: CONFIG --resume {path}"
        )
    return loaded


def run_of(path: Path) -> Path | None:
    """The folder of the run that a path is, or is a checkpoint of."""
    home = path if path.is_dir() else path.resolve().parent.parent
    return home if path.exists() and (home / "config.yaml").is_file() and (home / "status.json").is_file() else None


def is_config(path: Path) -> bool:
    """Whether a path is called like an experiment's file."""
    return path.suffix in (".yaml", ".yml")


def refuse_smoke(*, resume: bool, smoke: bool) -> None:
    """Raise ConfigError when both are said."""
    if resume and smoke:
        raise ConfigError("--smoke keeps nothing, so there is nothing to --resume; say only one of the two")
