"""The accuracy table of the README: shipped experiments over several seeds, each seed one `ft run`.

    python tests/benchmarks/accuracy.py --data FOLDER [--seeds 3] [--json-dir FOLDER]

Prints, for the guide's network with and without weight decay and for the strong one: validation and test accuracy of
every stage, the mean over seeds with its 95 % interval (Student's t), and seconds. Some minutes a seed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from commands import document
from figures import percent

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
            documents = [_of_seed(name, seed, options.data, kept) for seed in range(options.seeds)]
            print("\n".join(_rows(name, documents)), flush=True)


def _of_seed(name: str, seed: int, data: Path, kept: Path) -> dict[str, Any]:
    """What `ft run --json` says of one seed."""
    file = kept / f"{name.replace(' ', '-').replace(',', '')}-{seed}.json"
    if not file.is_file():
        config, settings = EXPERIMENTS[name]
        words = [CONFIGS / config, f"data.root={data}", f"seed={seed}", *settings]
        with tempfile.TemporaryDirectory() as runs:
            said = document("run", *words, "--runs-dir", runs, accepted=(0, 3))  # a missed gate is a result
        file.write_text(json.dumps(said))
    said_before: dict[str, Any] = json.loads(file.read_text())
    return said_before


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
            f"{name:26} {fit['stage']:9} val {percent(validation)}  test {percent(test)}  (seeds: {each})  "
            f"{mean(seconds):.0f} s"
        )
    return rows


if __name__ == "__main__":
    main()
