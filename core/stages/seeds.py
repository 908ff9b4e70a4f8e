"""`--seeds N`: the same work with N seeds, one after the other, and what their scores come to together.

Each seed is an ordinary run, bit for bit the one that `seed=…` alone would give; what does not depend on the seed, the
data above all, is prepared once. The split of the data has a seed of its own (`data.split.seed`) and stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ft.core.config.load import Loaded
from ft.core.data.prepare import Data
from ft.core.errors import ConfigError, DivergedError, Problem
from ft.core.metrics.student import spread
from ft.core.report.gates import GateResult
from ft.core.report.seed_gates import over_seeds
from ft.core.report.seeds import Against, SeedScores, SeedsReport, render
from ft.core.stages import seeds_folder
from ft.core.stages.checks import check_writable
from ft.core.stages.fit import preemptible
from ft.core.stages.notices import Notice, warn
from ft.core.stages.options import Options
from ft.core.stages.results import EvalResult, FitResult, RunResult
from ft.core.stages.resume import moved
from ft.core.stages.seeds_against import Others, check_same, compare
from ft.core.stages.seeds_folder import SeedsFolder

Work = Callable[[Loaded, Options], RunResult]
Fitting = Callable[[Loaded, Options, Data | None], tuple[FitResult, Data | None]]
REPORT = "report.md"
SEEDS_END = 2**63


@dataclass(frozen=True)
class OneSeed:
    """What became of a seed. result: None where it diverged, and error says how. runs: their folders."""

    seed: int
    result: RunResult | None
    runs: tuple[Path, ...] = ()
    error: str | None = None


@dataclass(frozen=True)
class SeedsResult:
    """All seeds. command: train, finetune or run. folder: of what they come to together; None after a smoke test.
    scores: of the seeds that finished, stage by stage. gates: of their means, of `run`. against: another group.
    """

    name: str
    command: str
    folder: Path | None
    seeds: tuple[OneSeed, ...]
    scores: tuple[SeedScores, ...]
    gates: tuple[GateResult, ...]
    against: tuple[Against, ...]
    seconds: float

    @property
    def diverged(self) -> tuple[OneSeed, ...]:
        """Those without a result."""
        return tuple(one for one in self.seeds if one.result is None)

    @property
    def passed(self) -> bool:
        """Whether every seed finished and every gate held."""
        return not self.diverged and all(gate.passed for gate in self.gates)


def sharing(fitting: Fitting) -> Work:
    """A stage for several seeds: the data that the first prepares serve them all."""
    data: Data | None = None

    def work(loaded: Loaded, options: Options) -> RunResult:
        nonlocal data
        result, data = fitting(loaded, options, data)
        return RunResult([result], None, None)

    return work


@dataclass(frozen=True)
class Several:
    """What is asked: the experiment's seed and the count - 1 after it. work: what is done with each. parent: what all
    fine-tunings start from.
    """

    loaded: Loaded
    count: int
    command: str
    work: Work
    parent: str | None = None

    @property
    def seeds(self) -> range:
        """Raises ConfigError where they end beyond what a seed may be."""
        first = self.loaded.experiment.seed
        if first + self.count > SEEDS_END:
            with self.loaded.locating():
                raise ConfigError(Problem(f"seed {first} leaves no room for {self.count} below 2^63", ("seed",)))
        return range(first, first + self.count)


def run_seeds(several: Several, options: Options, others: Others | None = None) -> SeedsResult:
    """One seed after the other. One that diverges is told, and the others go on. others: a group to compare with.

    Raises whatever else a seed's work raises; `--resume` goes on with the seeds that are missing and the one cut short.
    """
    started = time.perf_counter()
    loaded, seeds, scores = several.loaded, several.seeds, list[SeedScores]()
    if not options.smoke:
        check_writable(options.runs_dir)
    folder = None if options.smoke else _open(several, options)
    done: list[OneSeed] = []
    try:
        with preemptible(options):
            for index, seed in enumerate(seeds, 1):
                options.on_notice(Notice("stage", f"seed {seed} ({index} of {several.count})"))
                done.append(_one(loaded.with_seed(seed), several.work, folder, options))
                scores = _scores(done)
                if others is not None:
                    check_same(others, scores)
        verdicts = [one.result.evaluation for one in done if one.result and one.result.evaluation]
        result = SeedsResult(
            loaded.experiment.name,
            several.command,
            folder.path if folder else None,
            tuple(done),
            tuple(scores),
            () if options.smoke else tuple(over_seeds([verdict.gates for verdict in verdicts])),
            tuple(compare(others, scores)) if others and not options.smoke else (),  # two batches say nothing
            time.perf_counter() - started,
        )
        if folder is not None:
            folder.write(REPORT, render(_report(result, options)))
        return result
    finally:
        if folder is not None:
            folder.lock.release()


def _open(several: Several, options: Options) -> SeedsFolder:
    """The newest group that `--resume` is about, else a new one; locked."""
    name, command, parent = several.loaded.experiment.name, several.command, several.parent
    seeds = several.seeds
    if options.resume:
        found = seeds_folder.newest(options.runs_dir, name, command, seeds[0])
        if found is None:
            told = f"no seeds from {seeds[0]} on of {command} {name} to go on with: begins them"
        elif found.last > seeds[-1]:
            raise ConfigError(
                f"{found.path} has seeds up to {found.last}; it can get more of them, not fewer: "
                f"--seeds {found.last - seeds[0] + 1} at least, or begin anew, without --resume"
            )
        elif not _same_parent(found.parent, parent):
            told = f"{found.path} started from {found.parent}, not from {parent}: begins others"
        else:
            found.lock.take()
            found.reload()
            options.on_notice(Notice("weights", f"goes on with {found.path}"))
            return found
        options.on_notice(Notice("choice", told))
    folder = seeds_folder.create(options.runs_dir, name, command, seeds[0], parent)
    split = "one split of the data for all of them (data.split.seed)"
    options.on_notice(Notice("saved", f"seeds {seeds[0]} to {seeds[-1]}, {split}: {folder.path}"))
    return folder


def _same_parent(then: str | None, now: str | None) -> bool:
    return then == now or (then is not None and now is not None and moved(Path(then), Path(now)))


def _one(loaded: Loaded, work: Work, folder: SeedsFolder | None, options: Options) -> OneSeed:
    seed = loaded.experiment.seed
    if folder is None:
        return OneSeed(seed, work(loaded, options))
    entry, runs = folder.entry(seed), folder.runs(seed)
    if entry.state == "diverged" and entry.error is not None:
        warn([_told(seed, entry.error)], options.on_notice)
        return OneSeed(seed, None, tuple(runs.values()), entry.error)
    if lost := [number for stage, number in entry.runs.items() if stage not in runs]:
        warn([f"seed {seed}: its run {folder.path.parent / lost[0]} is gone; begun again"], options.on_notice)
    try:
        own = replace(options, resume=runs, on_run=partial(folder.began, seed))
        result, error = work(loaded, own), None
    except DivergedError as diverged:
        result, error = None, str(diverged)
        warn([_told(seed, error)], options.on_notice)
    folder.ended(seed, error)
    return OneSeed(seed, result, tuple(folder.runs(seed).values()), error)


def _told(seed: int, error: str) -> str:
    return f"seed {seed} diverged: {error}"


# ---------------------------------------------------------------- together


def _scores(done: Sequence[OneSeed]) -> list[SeedScores]:
    """What the finished seeds reached: each stage's best validation, then the evaluations."""
    found: dict[tuple[str, str, bool], list[tuple[int, FitResult | EvalResult]]] = {}
    for one in done:
        if one.result is None:
            continue
        for fit in one.result.fits:
            if fit.metrics:
                found.setdefault((fit.stage, "val", False), []).append((one.seed, fit))
        for verdict in (one.result.baseline, one.result.evaluation):
            if verdict is not None:
                found.setdefault((verdict.stage, verdict.split, True), []).append((one.seed, verdict))
    return [_together(stage, split, judged, results) for (stage, split, judged), results in found.items()]


def _together(
    stage: str, split: str, judged: bool, results: Sequence[tuple[int, FitResult | EvalResult]]
) -> SeedScores:
    first = results[0][1]
    shared = [name for name in first.metrics if all(name in each.metrics for _, each in results)]  # asked for since
    return SeedScores(
        stage=stage,
        split=split,
        judged=judged,
        seeds=tuple(seed for seed, _ in results),
        examples=_identity(first),
        main=first.main_metrics,
        metrics={name: spread([each.metrics[name] for _, each in results]) for name in shared},
    )


def _identity(result: FitResult | EvalResult) -> str | None:
    if isinstance(result, FitResult):
        return result.validated_on
    return result.per_example.identity if result.per_example else None


def _report(result: SeedsResult, options: Options) -> SeedsReport:
    failed: Mapping[int, str] = {one.seed: one.error or "" for one in result.diverged}
    return SeedsReport(
        name=result.name,
        command=options.command,
        asked=tuple(one.seed for one in result.seeds),
        failed=failed,
        runs={one.seed: [str(run) for run in one.runs] for one in result.seeds},
        scores=result.scores,
        gates=result.gates,
        against=result.against,
        seconds=result.seconds,
    )
