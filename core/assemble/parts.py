"""The parts of an experiment: machine, columns, heads, network, loaders. Each function gives one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import torch

from ft.core.assemble.speed import hasten
from ft.core.config.schema import Experiment, OutputColumn, RankingOutput, SpeedSection
from ft.core.data.catalog import Catalog
from ft.core.data.columns import Column, column_from_state
from ft.core.data.loader import Examples, Loader
from ft.core.data.mixing import MixedLoader
from ft.core.data.prepare import Data
from ft.core.data.ranking import RankingLoader
from ft.core.data.views import Views
from ft.core.engine import protocols
from ft.core.errors import ConfigError, Problem
from ft.core.models.build import RankingSides, build_network
from ft.core.models.forms import InputForm
from ft.core.models.heads import Head, make_head
from ft.core.models.network import Network
from ft.core.runtime.device import choose_device
from ft.core.runtime.memory import keep_freed_memory
from ft.core.runtime.precision import Precision, choose_precision
from ft.core.runtime.seed import seed_everything
from ft.core.runtime.timings import phase

SMOKE_BATCHES = 2
BatchLoader: TypeAlias = "Loader | RankingLoader | LimitedLoader | MixedLoader | Views"
MAX_THREADS = 1024


@dataclass(frozen=True)
class Machine:
    """Where and how finely to compute. reasons: one line each, for the user."""

    device: torch.device
    precision: Precision
    reasons: tuple[str, ...]


def build_machine(experiment: Experiment) -> Machine:
    """Choose device and precision and set the threads. Raises ConfigError when an explicit wish cannot be met."""
    _set_threads(experiment.threads)
    device = choose_device(experiment.device)
    precision = choose_precision(experiment.precision, device.device)
    if device.device.type == "cpu":
        keep_freed_memory()
    reasons = (f"device {device.device}: {device.reason}", f"precision {precision.name}: {precision.reason}")
    return Machine(device.device, Precision(precision.name, device.device), reasons)


def _set_threads(wish: int | None) -> None:
    """Raises ConfigError for more than any machine has: the thread pools end the process without a word."""
    if wish is None:
        return
    if wish > MAX_THREADS:
        raise ConfigError(Problem(f"threads is {wish}; expected at most {MAX_THREADS}", ("threads",)))
    torch.set_num_threads(wish)


# ---------------------------------------------------------------- model and heads


def build_heads(
    outputs: Mapping[str, OutputColumn],
    columns: Mapping[str, Column],
    counts: Mapping[str, Mapping[str, int]],
    rows: int,
    asked: Sequence[str] = (),
    decisions: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Head]:
    """One head per output. counts: training examples per class or label, of `rows` in all, for balanced weights.

    asked: metrics to report, as the experiment spells them. decisions: what validation chose, by output.
    """
    heads = {}
    for name, settings in outputs.items():
        state = dict(columns[name].to_state()) if settings.type != "ranking" else {}  # of which a head needs nothing
        if name in counts:
            state |= {"counts": [counts[name].get(label, 0) for label in state["classes"]], "rows": rows}
        if name in (decisions or {}):
            state["decisions"] = (decisions or {})[name]
        heads[name] = make_head(name, settings, state, asked)
    return heads


def data_heads(data: Data, asked: Sequence[str] = ()) -> dict[str, Head]:
    """The heads of prepared data, the training split among them."""
    return build_heads(data.output_settings, data.outputs, data.class_counts, len(data.examples["train"]), asked)


def checkpoint_heads(
    checkpoint: Mapping[str, Any],
    settings: Mapping[str, OutputColumn],
    columns: Mapping[str, Column],
    asked: Sequence[str] = (),
) -> dict[str, Head]:
    """The heads of a checkpoint's columns."""
    counts, rows = checkpoint["class_counts"], checkpoint["train_rows"]
    return build_heads(settings, columns, counts, rows, asked, checkpoint.get("decisions"))


def input_forms(columns: Mapping[str, Column]) -> dict[str, InputForm]:
    """What the model is told of the inputs."""
    return {
        name: InputForm(column.kind, column.shape, column.cardinality, flagged=getattr(column, "flag", False))
        for name, column in columns.items()
    }


def ranking_sides(outputs: Mapping[str, OutputColumn], inputs: Iterable[str]) -> RankingSides | None:
    """Which inputs describe the item of a ranking and which, all others, the user. None where nothing is ranked."""
    for settings in outputs.values():
        if isinstance(settings, RankingOutput):
            item = (settings.item, *settings.item_inputs)
            return RankingSides(tuple(name for name in inputs if name not in item), item)
    return None


def build_columns(checkpoint: Mapping[str, Any]) -> tuple[dict[str, Column], dict[str, Column]]:
    """The input and the output columns that a checkpoint holds, fitted as they were."""
    states = checkpoint["columns"]
    inputs, outputs = (
        {name: column_from_state(state) for name, state in states[side].items()} for side in ("inputs", "outputs")
    )
    return inputs, outputs


@phase("building")
def build_model(
    experiment: Experiment,
    inputs: Mapping[str, Column],
    outputs: Mapping[str, OutputColumn],
    heads: Mapping[str, Head],
    device: torch.device,
    code_sha256: str | None = None,
    speed: SpeedSection | None = None,
) -> Network:
    """The network with fresh weights drawn from the experiment's seed, on `device`.

    outputs: their settings, a source's own filled in. speed: the stage's whose network it is; None: as by default.
    code_sha256: what a `python:` model's file must hash to; other code is refused and does not run.
    """
    seed_everything(experiment.seed)
    network = build_network(
        experiment.model,
        input_forms(inputs),
        {name: head.size for name, head in heads.items()},
        device,
        ranking=ranking_sides(outputs, inputs),
        code_sha256=code_sha256,
    )
    return network if device.type == "meta" else hasten(network, speed or SpeedSection(), device)


def known_metrics(heads: Mapping[str, Head]) -> dict[str, str]:
    """Every flat metric name these heads can report, with its direction, "min" or "max"."""
    single = len(heads) == 1
    names = {"loss": "min"}
    for output, head in heads.items():
        for metric in head.metric_names():
            names[metric if single else f"{output}/{metric}"] = head.direction(metric)
    return names


# ---------------------------------------------------------------- loaders


@dataclass(frozen=True)
class Rankings:
    """What makes the batches of one split of a ranking: its output's name and catalogue, and the split."""

    output: str
    catalog: Catalog
    split: str

    @classmethod
    def of(cls, outputs: Mapping[str, Column], split: str) -> Rankings | None:
        """None where no output is a ranking."""
        catalogs = [cls(name, column, split) for name, column in outputs.items() if isinstance(column, Catalog)]
        return catalogs[0] if catalogs else None

    def loader(
        self, examples: Examples, columns: Mapping[str, Column], device: torch.device, **options: Any
    ) -> RankingLoader:
        """options: RankingLoader's."""
        return RankingLoader(examples, columns, self.catalog, self.output, device, split=self.split, **options)


def build_loader(
    examples: Examples,
    inputs: Mapping[str, Column],
    network: Network,
    machine: Machine,
    batch_size: int,
    *,
    smoke: bool,
    rankings: Rankings | None = None,
    views: Callable[[Loader], BatchLoader] = lambda loader: loader,
) -> BatchLoader:
    """A loader for evaluation: the split's own examples, or the users to rank items for.

    views: makes of the examples' loader one that shows each of them several times; not for rankings.
    """
    if rankings is not None:
        loader: BatchLoader = rankings.loader(examples, inputs, machine.device, batch_size=batch_size)
        return LimitedLoader(loader) if smoke else loader
    loader = Loader(
        examples,
        inputs,
        machine.device,
        seed=0,
        batch_size=batch_size,
        shuffle=False,
        augment=False,
        memory_format=network.memory_format,
    )
    seen = views(loader)
    return LimitedLoader(seen) if smoke else seen


class LimitedLoader:
    """The first few batches of every epoch, for smoke tests."""

    def __init__(self, loader: protocols.Loader, batches: int = SMOKE_BATCHES) -> None:
        self._loader = loader
        self.batches_per_epoch: int = min(batches, loader.batches_per_epoch)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[protocols.Batch]:
        """The batches from `start` up to the limit."""
        return islice(self._loader.epoch(epoch, start), self.batches_per_epoch - start)


# ---------------------------------------------------------------- what a checkpoint says


def column_states(columns: Mapping[str, Column]) -> dict[str, dict[str, Any]]:
    """Every column's fitted state as plain values and tensors."""
    return {name: dict(column.to_state()) for name, column in columns.items()}
