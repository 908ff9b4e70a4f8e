"""Where a stage's starting weights come from, and loading them with a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ft.core.adapt.foreign import fit_stems, rename, without_beginning
from ft.core.adapt.loading import LastLayer, LoadReport, load_weights, read_weights
from ft.core.config.schema import Experiment, ModelSection
from ft.core.config.weights import is_url
from ft.core.engine.checkpoint import NotACheckpointError
from ft.core.errors import ConfigError, Problem
from ft.core.models.heads import Head
from ft.core.models.libraries import NamedWeights
from ft.core.models.libraries.stem import other_channels
from ft.core.models.network import Network
from ft.core.runtime.fetch import fetch
from ft.core.runtime.timings import phase
from ft.core.stages.named_weights import named_by_file, named_in, read_named
from ft.core.stages.notices import Notice
from ft.core.stages.runs import RunFolder, newest_finished
from ft.core.stages.subject import Subject, read_checkpoint

Tell = Callable[[Notice], None]


@dataclass(frozen=True)
class Start:
    """Weights to begin from. checkpoint: the whole of it when ft wrote it; why: how it was found, for the user.

    named: what a library says of them when they are its own.
    """

    path: Path
    weights: dict[str, Tensor]
    checkpoint: dict[str, Any] | None
    why: str
    named: NamedWeights | None = None

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


def find_start(wish: str, why: str, place: tuple[str, ...], model: ModelSection, tell: Tell) -> Start:
    """What a setting means: weights of a library by name, an https address, or a path. Downloads what is not there.

    Raises ConfigError for a name that is none, CheckpointError for what cannot be fetched or read.
    """
    named = named_in(model, wish)
    if named is not None:
        path, weights = read_named(named, tell)
        return Start(path, weights, None, f"{why}: {named.label}", named)
    if not is_url(wish):
        return _opened(Path(wish), why, place, model)
    return _opened(fetch(wish, lambda line: tell(Notice("weights", line))), f"{why}: {wish}", place, model)


def reopen_start(origin: Path, model: ModelSection) -> Start | None:
    """What a run that goes on began with; None where the file is gone."""
    why = "the weights this run began with"
    if not origin.is_file():
        return None
    return _opened(origin, why, (), model)


def _opened(path: Path, why: str, place: tuple[str, ...], model: ModelSection) -> Start:
    """The weights at a path; a library's own file means what its name in that library does, wherever it lies."""
    named = named_by_file(model, path)
    if named is None:
        return open_start(path, why, place)
    return Start(path, read_weights(path), None, f"{why}: {named.label}", named)


def training_start(experiment: Experiment, tell: Tell) -> Start | None:
    """Training starts from `model.weights`, or from fresh ones. Raises ConfigError for names to change in none."""
    wish = experiment.model.weights
    if wish is None:
        if experiment.model.rename and experiment.finetune is None:
            message = "model.rename changes names of starting weights, and there are none; set model.weights"
            raise ConfigError(Problem(message, ("model", "rename")))
        return None
    return find_start(wish, "model.weights", ("model", "weights"), experiment.model, tell)


def finetuning_start(subject: Subject, wish: str | None, runs_dir: Path, tell: Tell) -> Start:
    """The first of: --from or finetune.from; the checkpoint given; model.weights; the newest training of that name.

    Raises ConfigError when none applies: fine-tuning never starts from random weights.
    """
    experiment = subject.loaded.experiment
    model = experiment.model
    if wish is not None:
        return find_start(wish, f"--from {wish}", (), model, tell)
    if experiment.finetune is not None and experiment.finetune.from_ is not None:
        return find_start(experiment.finetune.from_, "finetune.from", ("finetune", "from"), model, tell)
    if subject.checkpoint is not None:
        assert subject.path is not None
        return of_checkpoint(subject.path, subject.checkpoint, "its own weights")
    if model.weights is not None:
        return find_start(model.weights, "model.weights", ("model", "weights"), model, tell)
    run = newest_finished(runs_dir, ("train",), experiment.name)
    if run is None:
        raise ConfigError(
            f"nothing to start from: no finished training of {experiment.name!r} below {runs_dir}/, and neither "
            "--from, finetune.from nor model.weights is said. Train first (ft train), or name weights (--from FILE)"
        )
    return open_start(run.path, f"the newest training of {experiment.name}")


@phase("weights")
def load_start(
    start: Start, network: Network, heads: dict[str, Head], model: ModelSection, *, replace_last: bool
) -> LoadReport:
    """Put the weights into the network. replace_last: a last layer of other classes is left fresh, and reported.

    model: says how foreign names are changed, and how much of the network the weights must bring.
    """
    old = _classes(start.checkpoint["columns"]["outputs"]) if start.checkpoint is not None else {}
    if start.named is not None and start.named.classes:
        old = {"": start.named.classes}
    if len(old) == len(heads) == 1:  # the only output is that of before, whatever it was called
        old = dict(zip(heads, old.values(), strict=True))
    last = [
        LastLayer(name, network.last_layer(name), old.get(name), _tuple(getattr(head, "classes", None)))
        for name, head in heads.items()
    ]
    weights = start.weights
    changes: list[str] = []
    own = network.module.state_dict()
    if start.checkpoint is None:
        if model.rename:
            weights, changes = rename(weights, model.rename)
        weights, told = without_beginning(weights, own)
        changes += told
    weights, told = fit_stems(weights, own, network.stems, other_channels)
    return load_weights(
        network.module,
        weights,
        last,
        replace_last=replace_last,
        require=model.require_loaded,
        changes=[*changes, *told],
    )


def _classes(outputs: dict[str, dict[str, Any]]) -> dict[str, tuple[str, ...] | None]:
    """Of each output of a checkpoint; None for one that has none."""
    return {name: _tuple(state.get("classes")) for name, state in outputs.items()}


def _tuple(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
