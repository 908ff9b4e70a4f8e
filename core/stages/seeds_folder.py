"""The folder of several seeds, `RUNS/<name>/seeds-<number>/`: which run is whose, so that nothing is trained twice.

`group.json` is written before each run trains and after it ended, replaced whole; the runs themselves are ordinary ones
beside the folder, `RUNS/<name>/<number>/`, and stay so without it. It has no checkpoints, so it is no run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ft.core.errors import CheckpointError, ResourceError
from ft.core.stages.runs import RunFolder

RECORD = "group.json"


@dataclass(frozen=True)
class Entry:
    """One seed. runs: the numbers of its runs, by stage. state: begun, finished or diverged. error: why it diverged."""

    state: str = "begun"
    runs: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


class SeedsFolder:
    """The files of one group. parent: what its fine-tunings start from; None where each trains its own."""

    def __init__(self, path: Path, command: str, first: int, parent: str | None, entries: dict[int, Entry]) -> None:
        self.path, self.command, self.first, self.parent = path, command, first, parent
        self._entries, self._files = entries, RunFolder(path)
        self.lock = self._files.lock

    @property
    def last(self) -> int:
        """The largest seed that has begun, or the one before the first."""
        return max(self._entries, default=self.first - 1)

    def entry(self, seed: int) -> Entry:
        """What is known of it; nothing yet, of one that has not begun."""
        return self._entries.get(seed, Entry())

    def runs(self, seed: int) -> dict[str, Path]:
        """The folders of a seed's runs that are there, by stage."""
        found = {stage: self.path.parent / number for stage, number in self.entry(seed).runs.items()}
        return {stage: path for stage, path in found.items() if path.is_dir()}

    def reload(self) -> None:
        """Read the record again, once it is locked. Raises CheckpointError."""
        self._entries = _read(self.path)._entries

    def began(self, seed: int, run: Path) -> None:
        """Remember a run, which is one of this experiment."""
        entry = self.entry(seed)
        self._set(seed, replace(entry, state="begun", runs={**entry.runs, RunFolder(run).status().stage: run.name}))

    def ended(self, seed: int, error: str | None = None) -> None:
        """Remember that a seed is done. error: why it diverged."""
        state = "finished" if error is None else "diverged"
        self._set(seed, replace(self.entry(seed), state=state, error=error))

    def write(self, name: str, text: str) -> None:
        """A file of the group, replaced whole. Raises ResourceError."""
        self._files.write(name, text)

    def _set(self, seed: int, entry: Entry) -> None:
        self._entries[seed] = entry
        self.save()

    def save(self) -> None:
        """Replace the record."""
        seeds = {str(seed): asdict(entry) for seed, entry in self._entries.items()}
        told = {"command": self.command, "first": self.first, "parent": self.parent, "seeds": seeds}
        self.write(RECORD, json.dumps(told, indent=2) + "\n")


def create(runs_dir: Path, name: str, command: str, first: int, parent: str | None) -> SeedsFolder:
    """The next numbered folder, locked; its number is taken by mkdir. Raises ResourceError when it cannot be made."""
    home = runs_dir / name
    try:
        home.mkdir(parents=True, exist_ok=True)
        number = max((number for number, _ in _numbered(home)), default=0) + 1
        while True:
            try:
                (home / f"seeds-{number}").mkdir()
                break
            except FileExistsError:
                number += 1
    except OSError as error:
        raise ResourceError(f"cannot make a folder for the seeds in {home}: {error.strerror or error}") from error
    folder = SeedsFolder(home / f"seeds-{number}", command, first, parent, {})
    folder.lock.take()
    folder.save()
    return folder


def newest(runs_dir: Path, name: str, command: str, first: int) -> SeedsFolder | None:
    """The newest group of this experiment, command and first seed. Raises CheckpointError for a damaged record."""
    for _, path in sorted(_numbered(runs_dir / name), reverse=True):
        if (path / RECORD).is_file():
            found = _read(path)
            if (found.command, found.first) == (command, first):
                return found
    return None


def _numbered(home: Path) -> list[tuple[int, Path]]:
    found = [(path.name.removeprefix("seeds-"), path) for path in home.glob("seeds-*")]
    return [(int(number), path) for number, path in found if number.isdecimal()]


def _read(path: Path) -> SeedsFolder:
    try:
        told: dict[str, Any] = json.loads((path / RECORD).read_text(encoding="utf-8"))
        entries = {int(seed): Entry(**entry) for seed, entry in told["seeds"].items()}
        return SeedsFolder(path, str(told["command"]), int(told["first"]), told["parent"], entries)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{path / RECORD} is damaged ({error}), so which runs are its seeds' is not known; the runs are whole (ft "
            "runs lists them). Begin anew without --resume"
        ) from error
