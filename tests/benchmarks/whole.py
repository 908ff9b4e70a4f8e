"""Whole processes: `ft run` on guide.yaml against handwritten.py and other tools, from the start to the exit code.

The other tools' scripts lie in rivals/ and run where the tools are installed.
"""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from figures import ratios, table

HERE = Path(__file__).parent
FT = str(Path(sysconfig.get_path("scripts")) / "ft")
COMMANDS = ("train", "finetune", "eval")  # what `ft run` does in one process


@dataclass(frozen=True)
class Run:
    """One process, or three. accuracy: on the 10,000 test digits, after fine-tuning; precision: what was computed in;
    peak: most bytes of memory that one of them took.
    """

    seconds: float
    accuracy: float
    precision: str
    peak: int


@dataclass(frozen=True)
class Work:
    """How long to train. The figures of the README are those of the defaults."""

    data: Path
    epochs: int = 3
    finetune_epochs: int = 2
    device: str = "cpu"


Contender = Callable[[Work, Path], Run]
RIVALS = {  # name: (the module it needs, its script)
    "tutorial": ("torchvision", "tutorial.py"),
    "skorch": ("skorch", "with_skorch.py"),
    "Lightning": ("lightning", "with_lightning.py"),
    "HF Trainer": ("accelerate", "with_trainer.py"),
    "Keras": ("tensorflow", "with_keras.py"),
}


def by_hand(work: Work, out: Path) -> Run:
    return _script(HERE / "handwritten.py", work, out, work.device)


def rival(script: str, work: Work, out: Path) -> Run:
    return _script(HERE / "rivals" / script, work, out)


def _script(script: Path, work: Work, out: Path, *more: str) -> Run:
    lengths = map(str, (work.epochs, work.finetune_epochs))
    command = [sys.executable, str(script), str(work.data), str(out), *lengths, *more]
    seconds, peak, printed = timed(command)
    return Run(seconds, float(printed.split()[-1]), "fp32", peak)


def ft(work: Work, out: Path, *settings: str) -> Run:
    document, seconds, peak = _ft("run", work, out, settings)
    return Run(seconds, document["evaluation"]["metrics"]["accuracy"], document["fits"][0]["precision"], peak)


def ft_in_three_commands(work: Work, out: Path) -> Run:
    """What `ft run` does, with three imports of torch."""
    done = [_ft(command, work, out) for command in COMMANDS]
    accuracy, precision = done[-1][0]["metrics"]["accuracy"], done[0][0]["precision"]
    return Run(sum(each[1] for each in done), accuracy, precision, max(each[2] for each in done))


def _ft(command: str, work: Work, out: Path, settings: Sequence[str] = ()) -> tuple[dict[str, Any], float, int]:
    lengths = [f"train.epochs={work.epochs}", f"finetune.epochs={work.finetune_epochs}"]
    given = [str(HERE / "guide.yaml"), f"data.root={work.data}", *lengths, *settings] if command != "eval" else []
    device = f"device={work.device}"
    seconds, peak, printed = timed([FT, command, *given, device, "--json", "--runs-dir", str(out)])
    return json.loads(printed), seconds, peak


WATCH = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
seconds, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
peak *= 1 if sys.platform == "darwin" else 1024
print(json.dumps([done.returncode, seconds, peak, done.stdout, done.stderr]))
"""


def timed(command: Sequence[str]) -> tuple[float, int, str]:
    """Seconds of wall clock, peak of memory, what was printed; a run that fails ends the benchmark with its words.

    A small process runs it: a child's peak would else begin at that of the process that made it.
    """
    watched = subprocess.run([sys.executable, "-c", WATCH, *command], stdout=subprocess.PIPE, text=True, check=True)
    code, seconds, peak, printed, said = json.loads(watched.stdout)
    if code:
        sys.exit(f"{said}error: {' '.join(command)} ended with {code}")
    return seconds, peak, printed


def contenders(*, alone: bool) -> dict[str, Contender]:
    """In the order of a round. By hand runs between ours. alone: without the other tools."""
    own: dict[str, Contender] = {
        "ft": ft,
        "by hand": by_hand,
        "ft, fp32": lambda work, out: ft(work, out, "precision=fp32"),
        "ft, 3 commands": ft_in_three_commands,
    }
    installed = {name: partial(rival, script) for name, (module, script) in RIVALS.items() if find_spec(module)}
    return own | ({} if alone else installed)


def measure(work: Work, pairs: int, say: Callable[[str], None], *, alone: bool = False) -> dict[str, list[Run]]:
    """Every contender once a round, every second round backwards. A first round of one epoch, which reads files into
    the page cache, does not count.
    """
    found = contenders(alone=alone)
    runs: dict[str, list[Run]] = {name: [] for name in found}
    with TemporaryDirectory(prefix="ft-bench-data-") as folder:
        work = replace(work, data=_for_all(work.data, Path(folder)))
        for name, contender in found.items():
            _in_new_folder(contender, replace(work, epochs=1, finetune_epochs=1))
            say(f"warmed up {name}")
        for pair in range(pairs):
            for name, contender in list(found.items())[:: -1 if pair % 2 else 1]:
                run = _in_new_folder(contender, work)
                runs[name].append(run)
                say(f"round {pair + 1}/{pairs}  {name:14}  {run.seconds:7.2f} s  {run.accuracy:.2%}")
    return runs


def _for_all(data: Path, folder: Path) -> Path:
    """The files as they are, and unpacked where torchvision looks for them."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in data.glob("*-ubyte.gz"):
        (folder / file.name).symlink_to(file.resolve())
        with gzip.open(file) as packed, (raw / file.stem).open("wb") as plain:
            shutil.copyfileobj(packed, plain)
    return folder


def _in_new_folder(contender: Contender, work: Work) -> Run:
    with TemporaryDirectory(prefix="ft-bench-") as out:
        return contender(work, Path(out))


def show(runs: Mapping[str, list[Run]]) -> str:
    """Two ratios: to the loop by hand, and of ft to each."""
    rows = [("", "precision", "seconds", "peak MB", "test accuracy", "to by hand", "ft to it, round by round")]
    theirs, ours = ([run.seconds for run in runs[name]] for name in ("by hand", "ft"))
    for name, own in runs.items():
        taken = [run.seconds for run in own]
        to_hand = "" if name == "by hand" else f"{ratios(taken, theirs).median:.2f}"
        ratio = "" if name == "ft" else str(ratios(ours, taken))
        peak = f"{median(run.peak for run in own) / 1e6:.0f}"
        accuracy = f"{median(run.accuracy for run in own):.2%}"
        rows.append((name, own[0].precision, f"{median(taken):.2f}", peak, accuracy, to_hand, ratio))
    return table(rows)


def plain(runs: Mapping[str, list[Run]]) -> dict[str, Any]:
    ours = [run.seconds for run in runs["ft"]]
    return {
        name: {
            "runs": [asdict(run) for run in own],
            "ratio_of_ft_to_it": asdict(ratios(ours, [run.seconds for run in own])),
        }
        for name, own in runs.items()
    }
