"""Where a stage's starting weights come from, and loading them with a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ft.core.adapt.loading import LastLayer, LoadReport, load_weights, read_weights
from ft.core.config.schema import Experiment
from ft.core.engine.checkpoint import NotACheckpointError
from ft.core.errors import ConfigError, Problem
from ft.core.models.heads import Head
from ft.core.models.network import Network
from ft.core.stages.runs import RunFolder, newest_finished
from ft.core.stages.subject import Subject, read_checkpoint


@dataclass(frozen=True)
class Start:
    """Weights to begin from. checkpoint: the whole of it when ft wrote it; why: how it was found, for the user."""

    path: Path
    weights: dict[str, Tensor]
    checkpoint: dict[str, Any] | None
    why: str

    @property
    def parent(self) -> str:
        """What a fine-tuning names as its parent: the run's folder, or the file."""
        folder = self.path.resolve().parent
        return str(folder.parent if folder.name == "checkpoints" else self.path)


def open_start(path: Path, why: str, place: tuple[str, ...] = ()) -> Start:
    """Read weights from a run's folder, a checkpoint, a state dict or a .safetensors file."""
    if path.is_dir():
        path = RunFolder(path.resolve()).best
        why = f"{why}, its best.pt"
    if not path.is_file():
        raise ConfigError(Problem(f"{why}: there is no file {path}", place))
    if path.suffix == ".safetensors":
        return Start(path, read_weights(path), None, why)
    try:
        return of_checkpoint(path, read_checkpoint(path), why)
    except NotACheckpointError:
        return Start(path, read_weights(path), None, why)


def of_checkpoint(path: Path, checkpoint: dict[str, Any], why: str) -> Start:
    """The weights of a checkpoint that is read already."""
    return Start(path, checkpoint["weights"], checkpoint, why)


def training_start(experiment: Experiment) -> Start | None:
    """Training starts from `model.weights`, or from fresh ones."""
    if experiment.model.weights is None:
        return None
    return open_start(Path(experiment.model.weights), "model.weights", ("model", "weights"))


def finetuning_start(subject: Subject, wish: Path | None, runs_dir: Path) -> Start:
    """The first of: --from or finetune.from; the checkpoint given; model.weights; the newest training of that name.

    Raises ConfigError when none applies: fine-tuning never starts from random weights.
    """
    experiment = subject.loaded.experiment
    if wish is not None:
        return open_start(wish, f"--from {wish}")
    if experiment.finetune is not None and experiment.finetune.from_ is not None:
        return open_start(Path(experiment.finetune.from_), "finetune.from", ("finetune", "from"))
    if subject.checkpoint is not None:
        assert subject.path is not None
        return of_checkpoint(subject.path, subject.checkpoint, "its own weights")
    if experiment.model.weights is not None:
        return open_start(Path(experiment.model.weights), "model.weights", ("model", "weights"))
    run = newest_finished(runs_dir, ("train",), experiment.name)
    if run is None:
        raise ConfigError(
            f"nothing to start from: no finished training of {experiment.name!r} below {runs_dir}/, and neither "
            "--from, finetune.from nor model.weights is said. Train first (ft train), or name weights (--from FILE)"
        )
    return open_start(run.path, f"the newest training of {experiment.name}")


def load_start(start: Start, network: Network, heads: dict[str, Head], *, replace_last: bool) -> LoadReport:
    """Put the weights into the network. replace_last: a last layer of other classes is left fresh, and reported."""
    old = _classes(start.checkpoint["columns"]["outputs"]) if start.checkpoint is not None else {}
    if len(old) == len(heads) == 1:  # the only output is that of before, whatever it was called
        old = dict(zip(heads, old.values(), strict=True))
    last = [
        LastLayer(name, network.last_layer(name), old.get(name), _tuple(getattr(head, "classes", None)))
        for name, head in heads.items()
    ]
    return load_weights(network.module, start.weights, last, replace_last=replace_last)


def _classes(outputs: dict[str, dict[str, Any]]) -> dict[str, tuple[str, ...] | None]:
    """Of each output of a checkpoint; None for one that has none."""
    return {name: _tuple(state.get("classes")) for name, state in outputs.items()}


def _tuple(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
