"""Whole processes: `ft run` on guide.yaml against handwritten.py, from the shell's start to the exit code."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from figures import ratios, table

HERE = Path(__file__).parent
FT = str(Path(sysconfig.get_path("scripts")) / "ft")


@dataclass(frozen=True)
class Run:
    """One process. accuracy: on the 10,000 test digits, after fine-tuning; precision: what was computed in."""

    seconds: float
    accuracy: float
    precision: str


@dataclass(frozen=True)
class Work:
    """How long to train. The figures of the README are those of the defaults."""

    data: Path
    epochs: int = 3
    finetune_epochs: int = 2


Contender = Callable[[Work, Path], Run]


def by_hand(work: Work, out: Path) -> Run:
    script = [sys.executable, str(HERE / "handwritten.py"), str(work.data), str(out)]
    seconds, printed = _timed([*script, str(work.epochs), str(work.finetune_epochs)])
    return Run(seconds, float(printed.split()[-1]), "fp32")


def ft_as_it_comes(work: Work, out: Path) -> Run:
    return _ft(work, out)


def ft_in_fp32(work: Work, out: Path) -> Run:
    return _ft(work, out, "precision=fp32")


def _ft(work: Work, out: Path, *settings: str) -> Run:
    lengths = [f"train.epochs={work.epochs}", f"finetune.epochs={work.finetune_epochs}"]
    command = [FT, "run", str(HERE / "guide.yaml"), f"data.root={work.data}", *lengths, *settings]
    seconds, printed = _timed([*command, "--json", "--runs-dir", str(out)])
    document = json.loads(printed)
    return Run(seconds, document["evaluation"]["metrics"]["accuracy"], document["fits"][0]["precision"])


def _timed(command: Sequence[str]) -> tuple[float, str]:
    """Seconds of wall clock and what was printed; a run that fails ends the benchmark with its own words."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{done.stderr}error: {' '.join(command)} ended with {done.returncode}")
    return seconds, done.stdout


CONTENDERS: dict[str, Contender] = {"ft": ft_as_it_comes, "by hand": by_hand, "ft, fp32": ft_in_fp32}


def measure(work: Work, pairs: int, say: Callable[[str], None]) -> dict[str, list[Run]]:
    """Every contender once a round. By hand comes in the middle, so it runs right beside both of ours; who goes first
    alternates. A first round of one epoch, which reads the files into the page cache, does not count."""
    runs: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
    for name, contender in CONTENDERS.items():
        _in_new_folder(contender, Work(work.data, 1, 1))
        say(f"warmed up {name}")
    for pair in range(pairs):
        for name, contender in list(CONTENDERS.items())[:: -1 if pair % 2 else 1]:
            run = _in_new_folder(contender, work)
            runs[name].append(run)
            say(f"round {pair + 1}/{pairs}  {name:8}  {run.seconds:7.2f} s  {run.accuracy:.2%}")
    return runs


def _in_new_folder(contender: Contender, work: Work) -> Run:
    with TemporaryDirectory(prefix="ft-bench-") as out:
        return contender(work, Path(out))


def show(runs: dict[str, list[Run]]) -> str:
    rows = [("", "precision", "seconds", "test accuracy", "ratio to by hand, pair by pair")]
    theirs = [run.seconds for run in runs["by hand"]]
    for name, own in runs.items():
        ratio = "" if name == "by hand" else str(ratios([run.seconds for run in own], theirs))
        scores = [run.accuracy for run in own]
        seconds = f"{median(run.seconds for run in own):.2f}"
        rows.append((name, own[0].precision, seconds, f"{median(scores):.2%}", ratio))
    return table(rows)


def plain(runs: dict[str, list[Run]]) -> dict[str, Any]:
    theirs = [run.seconds for run in runs["by hand"]]
    return {
        name: {
            "runs": [asdict(run) for run in own],
            "ratio_to_by_hand": asdict(ratios([run.seconds for run in own], theirs)),
        }
        for name, own in runs.items()
    }
