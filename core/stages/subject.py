"""What a command was pointed at: a YAML file, a checkpoint or a run's folder, and what each stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ft.core.config.load import Loaded, load_experiment, load_resolved
from ft.core.engine.checkpoint import load_checkpoint
from ft.core.errors import CheckpointError, ConfigError, Problem, TreePath
from ft.core.plugins import file_sha256
from ft.core.stages.adapter import on_base, open_small, plain
from ft.core.stages.runs import RunFolder, newest_finished

KEYS = ("stage", "experiment", "columns", "class_counts", "train_rows", "python", "weights")  # read by the stages


@dataclass(frozen=True)
class Subject:
    """An experiment, and the checkpoint it came with if it came with one.

    path: the checkpoint's file. run: the run's folder it belongs to, None for a loose file.
    """

    loaded: Loaded
    checkpoint: dict[str, Any] | None = None
    path: Path | None = None
    run: RunFolder | None = None


def is_config(path: Path) -> bool:
    """Whether a path names an experiment file rather than a checkpoint or run."""
    return path.suffix in (".yaml", ".yml")


def open_subject(
    path: Path,
    overrides: Sequence[str] = (),
    python: Path | None = None,
    adapter: Path | None = None,
    *,
    setting: TreePath = (),
) -> Subject:
    """Open whatever `path` is. Raises ConfigError (2) for what is not there, CheckpointError (4) for what is broken.

    adapter: a file of adapters for the checkpoint, which then is their base. setting: what names `python`, if not the
    option --python.
    """
    if is_config(path):
        return Subject(load_experiment(path, overrides))
    if path.is_dir():
        run = RunFolder(path.resolve())
        status = run.status()
        if not run.best.is_file():
            raise CheckpointError(f"the run {path} ({status.state}) has no checkpoints/best.pt")
        return open_checkpoint(run.best, overrides, python, adapter, setting=setting)
    if not path.exists():
        raise ConfigError(f"there is no file or run {path}")
    return open_checkpoint(path, overrides, python, adapter, setting=setting)


def open_checkpoint(
    path: Path,
    overrides: Sequence[str] = (),
    python: Path | None = None,
    adapter: Path | None = None,
    *,
    setting: TreePath = (),
) -> Subject:
    """Open a checkpoint's file and the experiment inside it, overrides applied. The rest: as for `open_subject`."""
    checkpoint = read_checkpoint(path)
    if adapter is not None:
        checkpoint = on_base(checkpoint, open_small(adapter), path)
    stored = load_resolved(checkpoint["experiment"], overrides, name=str(path))
    loaded = _trusted(stored, checkpoint, python, path, setting)
    return Subject(loaded, checkpoint, path, _run_of(path) if adapter is None else None)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """As `load_checkpoint`, with adapters merged into the weights, and everything is there that a stage reads;
    CheckpointError names what is not.
    """
    checkpoint = load_checkpoint(path)
    if missing := [key for key in KEYS if key not in checkpoint]:
        raise CheckpointError(f"{path} lacks {', '.join(missing)}: another version of ft wrote it; train again")
    return plain(checkpoint, path)


def refuse_overrides(subject: Subject) -> None:
    """A checkpoint brings its columns and its network: raise ConfigError for settings that would change them."""
    for path in subject.loaded.overrides:
        if path[0] in ("inputs", "outputs", "model"):
            where = ".".join(map(str, path))
            raise ConfigError(f"{where}=… changes nothing here: {subject.path} brings its own {path[0]}")


def newest(runs_dir: Path, stages: tuple[str, ...], what: str) -> Path:
    """The newest finished run of one of `stages`; ConfigError says what to do when there is none."""
    run = newest_finished(runs_dir, stages)
    if run is None:
        raise ConfigError(f"there is no finished {what} below {runs_dir}/; name a checkpoint, or run ft train first")
    return run.path


def _run_of(path: Path) -> RunFolder | None:
    """The run whose result this checkpoint is: RUN/checkpoints/best.pt, with RUN/status.json beside."""
    folder = path.resolve().parent
    whole = path.name == "best.pt" and folder.name == "checkpoints" and (folder.parent / "status.json").is_file()
    return RunFolder(folder.parent) if whole else None


def _trusted(loaded: Loaded, checkpoint: dict[str, Any], python: Path | None, path: Path, setting: TreePath) -> Loaded:
    """A `python:` model's code runs only when the user names the file, and only if it is the same code.

    What the stored settings say decides, not what the checkpoint claims beside them; the file it names is never read.
    """
    named = f"{'.'.join(map(str, setting))}=" if setting else "--python "
    spec = loaded.experiment.model.python
    if spec is None:
        if python is not None:
            raise ConfigError(Problem(f"{named}{python}: the model in {path} needs no code of yours", setting))
        return loaded
    stored = checkpoint.get("python")
    if not isinstance(stored, dict) or {"file", "function", "sha256"} - set(stored):
        raise CheckpointError(f"{path} holds a model of someone's own code and no record of that code; it is not used")
    if python is None:
        message = (
            f"the model in {path} is built by your own code; a checkpoint never runs code by itself. "
            f"Name the file if you trust it: {named}{stored['file']}"
        )
        raise ConfigError(Problem(message, setting))
    if not python.is_file():
        raise ConfigError(Problem(f"{named}{python}: there is no such file", setting))
    if file_sha256(python) != stored["sha256"]:
        message = (
            f"{named}{python} is not the code this checkpoint was trained with (its SHA-256 differs); "
            "use the file as it was then"
        )
        raise ConfigError(Problem(message, setting))
    return loaded.with_model_python(f"{python.resolve()}:{stored['function']}")
