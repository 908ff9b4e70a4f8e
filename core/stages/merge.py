"""`ft merge`: adapters become part of the weights, and a checkpoint is left that any network of its kind loads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ft.core.engine.checkpoint import load_checkpoint, save_checkpoint
from ft.core.errors import CheckpointError, ConfigError
from ft.core.stages.adapter import FOLDER, on_base, open_small, plain
from ft.core.stages.runs import RunFolder
from ft.core.stages.subject import read_checkpoint


@dataclass(frozen=True)
class Merged:
    """A plain checkpoint, `out`. checkpoint: what it was made of, and the adapter's file where that lay apart.

    name: of the experiment. layers: how many had an adapter.
    """

    name: str
    checkpoint: Path
    adapter: Path | None
    out: Path
    layers: int


def merge(path: Path, adapter: Path | None = None, out: Path | None = None) -> Merged:
    """Write the checkpoint without adapters that answers as `path` does, or as `path` and `adapter` together do.

    path: a checkpoint or a run. out: left out, `merged.pt` beside the checkpoint, or beside the adapter's folder.
    Raises ConfigError where there is nothing to merge, CheckpointError for what is broken or does not belong together.
    """
    file = RunFolder(path.resolve()).best if path.is_dir() else path
    if not file.exists():
        if path.is_dir():
            raise CheckpointError(f"the run {path} has no checkpoints/best.pt")
        raise ConfigError(f"there is no file or run {path}")
    if adapter is None:
        contents = load_checkpoint(file)
        if contents.get("adapter") is None:
            raise ConfigError(f"{path} has no adapters, so there is nothing to merge; --adapter FILE brings some")
        small, merged = None, plain(contents, file)
    else:
        small = open_small(adapter)
        merged = on_base(read_checkpoint(file), small, file)
    layers = len(merged["adapter"]["layers"])
    target = _beside(file, small.path if small else None) if out is None else out
    if target.exists() and any(target.samefile(source) for source in (file, small.path if small else file)):
        raise ConfigError(f"--out {target}: this is what is merged; name another file")
    save_checkpoint(target, {key: value for key, value in merged.items() if key not in ("adapter", "resume")})
    return Merged(merged["experiment"]["name"], path, small.path if small else None, target, layers)


def _beside(checkpoint: Path, adapter: Path | None) -> Path:
    if adapter is None:
        return checkpoint.parent / "merged.pt"
    folder = adapter.parent
    return (folder.parent if folder.name == FOLDER else folder) / "merged.pt"
