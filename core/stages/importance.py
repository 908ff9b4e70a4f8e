"""Which inputs a model leans on: how far its main metric falls when one of them is exchanged among the examples.

Permutation importance (Breiman 2001, "Random Forests", section 10; Fisher, Rudin and Dominici 2019, arXiv:1801.01489)
of any kind of model, on a split. All columns of one input are exchanged together. Inputs that say the same stand in for
each other: each alone may then seem to matter little. Of a ranking, what describes users is exchanged among the judged
users, and what describes items among the items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ft.core.assemble.parts import Rankings, build_loader
from ft.core.data.loader import Examples
from ft.core.data.order import permutation
from ft.core.data.prepare import prepare_with
from ft.core.data.ranking import RankingLoader
from ft.core.data.shuffled import ShuffledRanking, reordered
from ft.core.engine.evaluate import evaluate
from ft.core.engine.protocols import Loader
from ft.core.errors import ConfigError, DivergedError
from ft.core.metrics.scores import Interval
from ft.core.metrics.student import spread
from ft.core.stages.evaluate import Rebuilt
from ft.core.stages.explain import check_output, rebuild_plainly
from ft.core.stages.notices import Notice, tell_data
from ft.core.stages.options import Options
from ft.core.stages.subject import Subject

REPEATS = 10
BATCH_SIZE = 256


@dataclass(frozen=True)
class InputDrop:
    """How much worse the metric is without what the input says. drops: of each shuffle; drop: their mean; interval: its
    95 % one over shuffles, by Student's t. Positive: the input helps, whichever way the metric is better.
    """

    output: str
    input: str
    kind: str
    drop: float
    interval: Interval | None
    drops: tuple[float, ...]


@dataclass(frozen=True)
class Importance:
    """inputs: by output, and within one the largest drop first. metrics: by output, what it is the drop of. scores: of
    the examples as they are, by output.
    """

    name: str
    checkpoint: Path
    split: str
    data: str
    examples: int
    repeats: int
    metrics: dict[str, str]
    scores: dict[str, float]
    inputs: tuple[InputDrop, ...]


def importance(
    subject: Subject, options: Options, *, split: str | None, repeats: int, output: str | None
) -> Importance:
    """Of every input for one output, or for all of them. split: None for `eval.split`.

    Raises ConfigError for an output or a split that there is not, DataError where the data cannot be used,
    DivergedError where the model's answers are not finite.
    """
    with subject.loaded.locating():
        rebuilt = rebuild_plainly(subject)
        if output is not None:
            check_output(rebuilt, output)
        split = split or subject.loaded.eval.split
        data = prepare_with(rebuilt.experiment.data, rebuilt.inputs, rebuilt.outputs, rebuilt.settings, only={split})
        if split not in data.examples:
            there = ", ".join(data.splits) or "none"
            raise ConfigError(f"--split {split}: the data have no such split; there are: {there}")
        tell_data(data, options.on_notice)
        examples = data.examples[split]
        passes = 1 + repeats * len(rebuilt.inputs)
        options.on_notice(Notice("choice", f"{passes:,} passes over {len(examples):,} examples"))
        outputs = list(rebuilt.heads) if output is None else [output]
        before, drops = _Bench(rebuilt, examples, split, outputs).measure(repeats)
        assert subject.path is not None
        return Importance(
            name=rebuilt.experiment.name,
            checkpoint=subject.path,
            split=split,
            data=data.found,
            examples=len(examples),
            repeats=repeats,
            metrics={name: rebuilt.heads[name].main_metric for name in outputs},
            scores=before,
            inputs=tuple(row for name in outputs for row in _ranked(rebuilt, name, drops)),
        )


class _Bench:
    """Scores the model on a split, as it is or with one input shuffled."""

    def __init__(self, rebuilt: Rebuilt, examples: Examples, split: str, outputs: list[str]) -> None:
        self._rebuilt, self._examples, self._outputs = rebuilt, examples, outputs
        self._rankings = Rankings.of(rebuilt.outputs, split)

    def measure(self, repeats: int) -> tuple[dict[str, float], dict[tuple[str, str], list[float]]]:
        """The scores as things are, and of every output and input the drop in each shuffle."""
        rebuilt, outputs = self._rebuilt, self._outputs
        before = self._scores(self._loader(self._examples))
        drops: dict[tuple[str, str], list[float]] = {
            (output, name): [] for output in outputs for name in rebuilt.inputs
        }
        for repeat in range(repeats):
            for name in rebuilt.inputs:
                after = self._scores(self._shuffled(name, repeat))
                for output in outputs:
                    worse = before[output] - after[output]
                    drops[output, name].append(worse if rebuilt.heads[output].higher_is_better else -worse)
        return before, drops

    def _shuffled(self, name: str, repeat: int) -> Loader:
        """The same order for all inputs in one repeat, so that they are compared under the same draw."""
        seed = self._rebuilt.experiment.seed
        if self._rankings is None:
            order = permutation(seed, repeat, len(self._examples))
            return self._loader(reordered(self._examples, name, order))
        plain = self._loader(self._examples)
        assert isinstance(plain, RankingLoader)
        return ShuffledRanking(plain, name, seed, repeat)

    def _loader(self, examples: Examples) -> Loader:
        rebuilt = self._rebuilt
        network, machine = rebuilt.network, rebuilt.machine
        return build_loader(
            examples, rebuilt.inputs, network, machine, BATCH_SIZE, smoke=False, rankings=self._rankings
        )

    def _scores(self, loader: Loader) -> dict[str, float]:
        """The main metric of each output."""
        rebuilt = self._rebuilt
        found = evaluate(rebuilt.network, loader, list(rebuilt.heads.values()), rebuilt.machine.precision)
        if not found.is_finite:
            raise DivergedError("the model's answers are NaN or infinite: these weights have diverged")
        return {name: found.scores[name].metrics[rebuilt.heads[name].main_metric] for name in self._outputs}


def _ranked(rebuilt: Rebuilt, output: str, drops: Mapping[tuple[str, str], list[float]]) -> list[InputDrop]:
    rows = []
    for name, column in rebuilt.inputs.items():
        found = spread(drops[output, name])
        rows.append(InputDrop(output, name, column.kind, found.mean, found.interval, found.values))
    return sorted(rows, key=lambda row: -row.drop)
