"""`ft runs`: the runs below a folder that are asked for, in the order asked for. Reads, never writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError
from ft.core.metrics.directions import direction_of
from ft.core.runtime.disk_use import tree_bytes
from ft.core.stages.own_metrics import LOWER
from ft.core.stages.run_fields import AskedRun, Condition, check_known, differing, is_setting
from ft.core.stages.runs import RunFolder, Status, all_runs, unreadable_runs

STARTED, TIME = "started", "time"  # what runs can be sorted by besides a metric


@dataclass(frozen=True)
class RunRow:
    """One run. path: its folder. status: what its status.json says, or killed: running, by nobody. bytes: of all its
    files, None where that was not asked. columns: settings and metrics that were asked for, without those it lacks.
    """

    path: Path
    status: Status
    bytes: int | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """By the clock, from its start to its end."""
        return None if self.status.finished is None else self.status.finished - self.status.started


@dataclass(frozen=True)
class Query:
    """Which runs, how. Empty means all. sort: a metric (the best first), `started` (the newest first) or `time` (the
    quickest first). limit: so many of them; without `sort` the newest. differing: settings in which they differ are
    columns, too.
    """

    name: str | None = None
    states: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    sort: str | None = None
    limit: int | None = None
    columns: tuple[str, ...] = ()
    differing: bool = False
    sizes: bool = False


@dataclass(frozen=True)
class Listing:
    """rows: oldest first, or as sorted. total: runs below the folder. columns: names, in order. unreadable: folders of
    runs that cannot be told, as their status.json is damaged and no checkpoint knows better. hint: what may have been
    meant where nothing was found. alike: differences were asked for, and there are none.
    """

    rows: list[RunRow]
    total: int = 0
    columns: tuple[str, ...] = ()
    unreadable: tuple[Path, ...] = ()
    sort: str | None = None
    hint: str = ""
    alike: bool = False


def list_runs(runs_dir: Path, query: Query = Query()) -> Listing:
    """Raises ConfigError for a setting or metric that no run has."""
    everything = asked_runs(runs_dir)
    named = [each for each in everything if query.name in (None, each.status.name)]
    _check_names(query, named)
    chosen = _sorted([each for each in named if _meets(each, query)], query.sort)
    if query.limit is not None:
        chosen = chosen[-query.limit :] if query.sort is None else chosen[: query.limit]
    told = differing([run.settings for run in chosen if run.settings]) if query.differing else []
    by = [] if query.sort in (None, STARTED, TIME) or _shown(query.sort, chosen) else [query.sort]
    columns = list(dict.fromkeys([*query.columns, *by, *told]))
    return Listing(
        [_row(each, columns, sizes=query.sizes) for each in chosen],
        len(everything),
        tuple(columns),
        tuple(unreadable_runs(runs_dir)),
        query.sort,
        "" if named or query.name is None else did_you_mean(query.name, {run.status.name for run in everything}),
        alike=query.differing and not told and len(chosen) > 1,
    )


def _check_names(query: Query, runs: list[AskedRun]) -> None:
    check_known("--where", [condition.name for condition in query.where], runs)
    check_known("--columns", query.columns, runs)
    if query.sort not in (None, STARTED, TIME):
        if is_setting(query.sort):
            raise ConfigError(f"--sort {query.sort}: runs are sorted by a metric, started or time; --columns shows it")
        check_known("--sort", [query.sort], runs)


def asked_runs(runs_dir: Path) -> list[AskedRun]:
    """All readable runs, oldest first, as they are now."""
    return [AskedRun(run, now(run, status)) for run, status in all_runs(runs_dir)]


def now(run: RunFolder, status: Status) -> Status:
    """A killed process could not say so; its lock is free."""
    killed = status.state == "running" and run.lock.is_held() is False
    return replace(status, state="killed") if killed else status


def rank(runs: list[AskedRun], metric: str) -> list[tuple[AskedRun, float]]:
    """Those that have the metric as a finite number, the best first; equals as they came. Raises ConfigError where it
    is not known which way the metric is better.
    """
    scored = [(run, run.value(metric)) for run in runs if _measured(run, metric)]
    smaller = bool(scored) and _is_better_smaller(metric, [run for run, _ in scored])
    return sorted(scored, key=lambda each: each[1] if smaller else -each[1])


def _is_better_smaller(metric: str, runs: list[AskedRun]) -> bool:
    """Of a metric of the user's own, eval.python of a run says it."""
    known = direction_of(metric)
    if known is not None:
        return known == "min"
    name = metric.rpartition("/")[2]
    for run in runs:
        own = ((run.settings.get("eval") or {}).get("python") or {}).get(name)
        if own is not None:
            return str(own).endswith(LOWER)
    raise ConfigError(f"{metric} is a metric of your own, and no run's eval.python says whether smaller is better")


def _meets(run: AskedRun, query: Query) -> bool:
    status = run.status
    wanted = status.state in (query.states or (status.state,)) and status.stage in (query.stages or (status.stage,))
    return wanted and all(condition.holds(run) for condition in query.where)


def _sorted(runs: list[AskedRun], by: str | None) -> list[AskedRun]:
    if by is None:
        return runs
    if by == STARTED:
        return runs[::-1]
    if by == TIME:
        return sorted(
            runs, key=lambda run: (run.status.finished is None, (run.status.finished or 0) - run.status.started)
        )
    best = [run for run, _ in rank(runs, by)]
    return [*best, *(run for run in runs if run not in best)]


def _measured(run: AskedRun, metric: str) -> bool:
    try:
        run.value(metric)
    except KeyError:
        return False
    return True


def _shown(metric: str, runs: list[AskedRun]) -> bool:
    """Whether it is one of the scores that every listing shows."""
    return all({metric, metric.partition("/")[2]} & set(run.status.main_metrics) for run in runs)


def _row(run: AskedRun, columns: list[str], *, sizes: bool) -> RunRow:
    values = {name: run.value(name) for name in columns if _measured(run, name)}
    return RunRow(run.run.path, run.status, tree_bytes(run.run.path) if sizes else None, values)
