"""`ft runs delete`: what would go and what must stay, and taking it away.

A run goes in one rename, to a hidden name beside it; its files are removed after that. Whatever is killed in between
leaves a hidden folder, which the next deletion removes. Nothing outside the runs folder is touched: no link is
followed. Stays whatever a process works on, and whatever a run that stays was made from or names in its settings.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, ResourceError
from ft.core.report.text import number
from ft.core.runtime.disk_use import remove_tree, tree_bytes
from ft.core.stages.listing import asked_runs, rank
from ft.core.stages.run_fields import AskedRun, check_known, is_setting, settings_of
from ft.core.stages.runs import LAST_DELETED, RunFolder, last_deleted, numbers, point_latest

FAILED = ("failed", "diverged", "killed", "interrupted")
TRASH = ".deleted-"


@dataclass(frozen=True)
class Wish:
    """What to delete. words: runs (paths or NAME/NUMBER), or experiments with one of the others. keep_best: of each
    experiment all finished runs but so many; by: the metric that ranks them. failed: those that ended unfinished.
    """

    words: tuple[str, ...] = ()
    keep_best: int | None = None
    by: str | None = None
    failed: bool = False

    @property
    def sweeps(self) -> bool:
        """Whether runs are chosen by what they are rather than by name."""
        return self.keep_best is not None or self.failed


@dataclass(frozen=True)
class Going:
    """A run to delete. state: None where its status.json is damaged. bytes: of all its files. why: it was chosen."""

    path: Path
    state: str | None
    bytes: int
    why: str


@dataclass(frozen=True)
class Staying:
    """A run that was chosen and is not deleted. why: a clause."""

    path: Path
    why: str


@dataclass(frozen=True)
class Deletion:
    """A plan, or what became of it (done). leftovers: hidden folders of a deletion that was cut short."""

    going: tuple[Going, ...]
    staying: tuple[Staying, ...] = ()
    leftovers: tuple[Path, ...] = ()
    leftover_bytes: int = 0
    done: bool = False

    @property
    def bytes(self) -> int:
        """What is freed, leftovers too."""
        return sum(run.bytes for run in self.going) + self.leftover_bytes


def plan(runs_dir: Path, wish: Wish) -> Deletion:
    """What the wish comes to; changes nothing. A run that was named and must stay is an error, one that was only chosen
    is told.

    Raises ConfigError for what is no run below `runs_dir` and for a run that another needs, ResourceError for one that
    a process works on.
    """
    runs = asked_runs(runs_dir)
    chosen, staying = (_swept if wish.sweeps else _named)(runs_dir, runs, wish)
    held = {run.run.path.resolve(): run for run in runs}
    for path in list(chosen):
        if why := _in_use(path, held.get(path)):
            staying.append(Staying(_shown(runs_dir, path), why))
            if not wish.sweeps:
                raise ResourceError(f"{staying[-1].path} is not deleted: {why}")
            del chosen[path]
    for path, why in _needed(chosen, runs_dir):
        staying.append(Staying(_shown(runs_dir, path), why))
        if not wish.sweeps:
            raise ConfigError(f"{staying[-1].path} is not deleted: {why}; name that run, too, or keep both")
    going = [
        Going(_shown(runs_dir, path), held[path].status.state if path in held else None, tree_bytes(path), why)
        for path, why in chosen.items()
    ]
    left = tuple(sorted(path for path in runs_dir.glob(f"*/{TRASH}*") if _is_inside(path, runs_dir)))
    return Deletion(tuple(going), tuple(staying), left, sum(map(tree_bytes, left)))


def carry_out(deletion: Deletion) -> Deletion:
    """Delete what the plan says. Raises ResourceError where that cannot be, and says what is gone by then."""
    gone: list[Going] = []
    doomed = {run.path.resolve() for run in deletion.going}
    try:
        for leftover in deletion.leftovers:
            remove_tree(leftover)
        for run in deletion.going:
            _delete(run.path.resolve(), doomed)
            gone.append(run)
    except (OSError, ResourceError) as error:
        so_far = f"; deleted before that: {', '.join(str(run.path) for run in gone)}" if gone else ""
        if isinstance(error, OSError):
            raise ResourceError(f"cannot delete {error.filename}: {error.strerror or error}{so_far}") from error
        raise ResourceError(f"{error}{so_far}") from error
    return replace(deletion, done=True)


def _delete(path: Path, doomed: set[Path]) -> None:
    """One run, whose process may have begun since the plan: its lock is taken first."""
    home, folder = path.parent, RunFolder(path)
    folder.lock.take()
    try:
        remaining = [number for number in numbers(home) if home / str(number) not in doomed]
        if path.name.isdecimal() and int(path.name) > max([*remaining, last_deleted(home)], default=0):
            _note(home, int(path.name))
        latest = home / "latest"
        if latest.is_symlink() and latest.resolve() == path:
            point_latest(home, max(remaining)) if remaining else latest.unlink()
        trash = home / f"{TRASH}{path.name}-{secrets.token_hex(4)}"
        path.rename(trash)
    finally:
        folder.lock.release()
    remove_tree(trash)


def _note(home: Path, number: int) -> None:
    """The number will not be given again: what speaks of that run must not come to mean another."""
    temporary = home / f"{LAST_DELETED}.tmp"
    temporary.write_text(f"{number}\n", encoding="ascii")
    temporary.replace(home / LAST_DELETED)


# ---------------------------------------------------------------- what is chosen: resolved folder -> why

Chosen = dict[Path, str]


def _named(runs_dir: Path, runs: Sequence[AskedRun], wish: Wish) -> tuple[Chosen, list[Staying]]:
    return {_found(runs_dir, runs, word): "named" for word in wish.words}, []


def _found(runs_dir: Path, runs: Sequence[AskedRun], word: str) -> Path:
    """The folder that a word means."""
    for path in (Path(word), runs_dir / word):
        if path.is_symlink() and path.name != "latest":
            raise ConfigError(f"{path} is a link to {path.readlink()}; links are not followed, and rm takes it away")
        if (path / "checkpoints").is_dir():
            if not _is_inside(path, runs_dir):
                raise ConfigError(f"{path} lies outside {runs_dir}/ (at {path.resolve()}); name its folder: --runs-dir")
            return path.resolve()
    home = runs_dir / word
    if home.is_dir() and any(run.run.path.parent == home for run in runs):
        raise ConfigError(f"{word} is an experiment; name runs ({word}/NUMBER), or add --failed or --keep-best N")
    known = [f"{run.run.path.parent.name}/{run.run.path.name}" for run in runs]
    near = did_you_mean(word.removeprefix(f"{runs_dir}/"), known)
    raise ConfigError(f"there is no run {word} below {runs_dir}/{near}")


def _swept(runs_dir: Path, runs: Sequence[AskedRun], wish: Wish) -> tuple[Chosen, list[Staying]]:
    homes = {run.run.path.parent.name for run in runs}
    for word in wish.words:
        if word not in homes:
            which = "--failed and --keep-best take experiments, not runs"
            hint = did_you_mean(word, homes) or f"; there are {', '.join(sorted(homes)) or 'none'}"
            raise ConfigError(f"{word} is no experiment below {runs_dir}/ ({which}){hint}")
    asked = [run for run in runs if not wish.words or run.run.path.parent.name in wish.words]
    chosen: Chosen = {}
    staying: list[Staying] = []
    if wish.keep_best is not None:
        for home in dict.fromkeys(run.run.path.parent for run in asked):
            finished = [run for run in asked if run.run.path.parent == home and run.status.state == "finished"]
            worse, unranked = _worse(finished, wish.keep_best, wish.by)
            chosen |= worse
            staying += unranked
    if wish.failed:
        chosen |= {run.run.path: _ended(run) for run in asked if run.status.state in FAILED}
    outside = [path for path in chosen if not _is_inside(path, runs_dir)]
    staying += [Staying(path, f"it lies outside {runs_dir}/, at {path.resolve()}") for path in outside]
    return {path.resolve(): why for path, why in chosen.items() if path not in outside}, staying


def _worse(finished: list[AskedRun], keep: int, by: str | None) -> tuple[Chosen, list[Staying]]:
    """All of one experiment but the best, and those that nothing ranks."""
    if by is not None:
        if is_setting(by):
            raise ConfigError(f"--by {by}: runs are ranked by a metric")
        check_known("--by", [by], finished)
    metric = by or _speaks(finished)
    ranked = rank(finished, metric)
    best = {run.run.path for run, _ in ranked}
    chosen = {
        run.run.path: f"{place} of {len(ranked)}, {metric} {number(value)}"
        for place, (run, value) in enumerate(ranked, 1)
        if place > keep
    }
    return chosen, [
        Staying(run.run.path, f"it has no {metric} to be ranked by") for run in finished if run.run.path not in best
    ]


def _speaks(runs: Sequence[AskedRun]) -> str:
    """The metric that sums up every run of an experiment: of several outputs, or where runs differ, the loss."""
    mains = {tuple(run.status.main_metrics) for run in runs}
    main = mains.pop() if len(mains) == 1 else ()
    return main[0] if len(main) == 1 else "loss"


def _ended(run: AskedRun) -> str:
    return "unfinished; --resume could go on" if run.run.last.is_file() else "unfinished"


# ---------------------------------------------------------------- what must stay


def _in_use(path: Path, run: AskedRun | None) -> str | None:
    """Why a run cannot go now: a process works on it, or may do so."""
    held = RunFolder(path).lock.is_held()
    if held:
        return "a process works on it"
    running = run is not None and run.status.state == "running"
    return "it says that it runs, and its lock cannot be looked at" if running and held is None else None


def _needed(chosen: Chosen, runs_dir: Path) -> Iterator[tuple[Path, str]]:
    """Take out of `chosen` what a run that stays was made from or names, until nothing changes; each with why."""
    users: dict[Path, list[tuple[Path, str]]] = {}
    for run in asked_runs(runs_dir):
        for how, place in _needs(run):
            for folder in {place, *place.parents} & chosen.keys():
                users.setdefault(folder, []).append((run.run.path.resolve(), how))
    kept = True
    while kept:
        kept = False
        for path in list(chosen):
            stays = next(((other, how) for other, how in users.get(path, ()) if other not in chosen), None)
            if stays is not None:
                kept = True
                del chosen[path]
                yield path, f"{_shown(runs_dir, stays[0])} {stays[1]}"


def _needs(run: AskedRun) -> list[tuple[str, Path]]:
    """What a run was made from, and every path in its settings (a baseline, a teacher, weights): how, where."""
    parent = run.status.parent
    made = [("began from it", _there(Path(parent), run.run.path))] if parent is not None else []
    return [*made, *((f"names it ({name})", Path(text).resolve()) for name, text in _texts(settings_of(run.run.path)))]


def _there(parent: Path, child: Path) -> Path:
    """Where the parent lies now: the runs folder may have moved with both."""
    moved = child.parent.parent / parent.parent.name / parent.name
    return moved.resolve() if not parent.exists() and moved.exists() else parent.resolve()


def _texts(settings: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a tree of settings that may be a path: its dotted name, itself."""
    if isinstance(settings, str) and "/" in settings:
        yield before, settings
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(settings, dict | list):
        inner = settings.items() if isinstance(settings, dict) else enumerate(settings)
    for key, value in inner:
        yield from _texts(value, f"{before}.{key}".lstrip("."))


def _is_inside(path: Path, runs_dir: Path) -> bool:
    """Whether a run really lies two folders below, not behind a link."""
    return path.resolve().parent.parent == runs_dir.resolve() and (path.name == "latest" or not path.is_symlink())


def _shown(runs_dir: Path, path: Path) -> Path:
    """A resolved folder as the user would type it."""
    return runs_dir / path.parent.name / path.name
