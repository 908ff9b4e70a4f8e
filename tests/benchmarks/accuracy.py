"""The accuracy table of the README: shipped experiments over several seeds, each seed one `ft run`.

    python tests/benchmarks/accuracy.py --data FOLDER [--seeds 3] [--json-dir FOLDER]

Prints, for the guide's network with and without weight decay and for the strong one: validation and test accuracy of
every stage, the mean over seeds with its 95 % interval (Student's t), and seconds. Some minutes a seed.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy import stats

CONFIGS = Path(__file__).parents[2] / "configs"
EXPERIMENTS: Mapping[str, tuple[str, list[str]]] = {
    "guide, weight decay 1e-3": ("mnist.yaml", ["train.weight_decay=1e-3"]),
    "guide, weight decay 0": ("mnist.yaml", ["train.weight_decay=0.0"]),
    "strong": ("mnist-strong.yaml", []),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with MNIST's four idx files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=EXPERIMENTS, help="one experiment instead of all")
    parser.add_argument("--json-dir", type=Path, help="keep every run's document here; those there are not run again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = options.json_dir or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        for name in [options.only] if options.only else EXPERIMENTS:
            documents = [_document(name, seed, options.data, kept) for seed in range(options.seeds)]
            print("\n".join(_rows(name, documents)), flush=True)


def _document(name: str, seed: int, data: Path, kept: Path) -> dict[str, Any]:
    """What `ft run --json` says of one seed."""
    file = kept / f"{name.replace(' ', '-').replace(',', '')}-{seed}.json"
    if not file.is_file():
        config, settings = EXPERIMENTS[name]
        command = [sys.executable, "-m", "ft.cli", "run", str(CONFIGS / config), f"data.root={data}", f"seed={seed}"]
        with tempfile.TemporaryDirectory() as runs:
            command += [*settings, "--json", "--runs-dir", runs]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode not in (0, 3):  # a missed gate is a result
            sys.exit(done.returncode)
        json.loads(done.stdout)  # whole, before it is kept
        file.write_text(done.stdout)
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def _rows(name: str, documents: Sequence[dict[str, Any]]) -> list[str]:
    """A line per stage: validation and test accuracy over the seeds, and the stage's seconds."""
    rows = []
    for index, fit in enumerate(documents[0]["fits"]):
        single = len(documents[0]["fits"]) == 1
        judged = "evaluation" if single or index == 1 else "baseline"
        validation = [document["fits"][index]["metrics"]["accuracy"] for document in documents]
        test = [document[judged]["metrics"]["accuracy"] for document in documents]
        seconds = [document["fits"][index]["seconds"] for document in documents]
        each = ", ".join(f"{100 * value:.2f}" for value in test)
        rows.append(
            f"{name:26} {fit['stage']:9} val {_summary(validation)}  test {_summary(test)}  (seeds: {each})  "
            f"{mean(seconds):.0f} s"
        )
    return rows


def _summary(values: Sequence[float]) -> str:
    """Mean and half of its 95 % interval over seeds, in percent."""
    if len(values) < 2:
        return f"{100 * values[0]:.2f} %"
    half = stats.t.ppf(0.975, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return f"{100 * mean(values):.2f} ± {100 * half:.2f} %"


if __name__ == "__main__":
    main()
