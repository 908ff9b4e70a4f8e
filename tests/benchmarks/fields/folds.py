"""ft beside the trees of trees.py: the same folds, a paired difference with its interval.

    python folds.py penguins|titanic|diamonds OUT [--most N] [SETTING=VALUE ...]

OUT is where trees.py wrote its tables and scores. Each fold is one `ft run`, with the next fold as validation; N folds
at most. The interval is the corrected resampled t-test's: folds share training rows, so the variance of the mean is
that of the differences times (1 / n + tested / trained) (Nadeau and Bengio 2003, "Inference for the Generalization
Error"). Above 0 is in ft's favour for accuracy, below 0 for an error.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, variance
from typing import Any

from scipy import stats
from seeds import run
from trees import TASKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TASKS)
    parser.add_argument("out", type=Path)
    parser.add_argument("--most", type=int, metavar="N")
    parser.add_argument("settings", nargs="*")
    options = parser.parse_intermixed_args()
    task = TASKS[options.table]
    theirs = json.loads((options.out / f"{options.table}-trees.json").read_text())[: options.most]
    ours = [
        score(options.table, options.out, options.settings, one["repeat"], one["fold"], task.folds, task.metric)
        for one in theirs
    ]
    (options.out / f"{options.table}-ft.json").write_text(json.dumps(ours) + "\n")
    print(f"{options.table}: {show(ours, theirs, task.metric)}")


def score(table: str, out: Path, settings: Sequence[str], repeat: int, fold: int, folds: int, metric: str) -> float:
    """The test's metric of one fold. The seed differs from repetition to repetition."""
    column, parts = f"fold_{repeat}", {"val": (fold + 1) % folds, "test": fold}
    wishes = ", ".join(f"{part}: {{{column}: [{number}]}}" for part, number in parts.items())
    with tempfile.TemporaryDirectory() as runs:
        where = [f"data.root={out}", f"data.split={{{wishes}}}"]
        document = run(table, [*where, *settings], repeat, Path(runs))
    value: float = document["evaluation"]["metrics"][metric]
    return value


def show(ours: Sequence[float], theirs: Sequence[dict[str, Any]], metric: str) -> str:
    differences = [own - other["score"] for own, other in zip(ours, theirs, strict=True)]
    n, (tested, trained) = len(ours), (mean(other[key] for other in theirs) for key in ("tested", "trained"))
    spread = math.sqrt(variance(differences) * (1 / n + tested / trained))
    half = stats.t.ppf(0.975, n - 1) * spread
    means = f"ft {mean(ours):.4f}, trees {mean(other['score'] for other in theirs):.4f}"
    low, high = mean(differences) - half, mean(differences) + half
    return f"{metric} over {n} folds: {means}, difference {mean(differences):+.4f} (95 %: {low:+.4f} to {high:+.4f})"


if __name__ == "__main__":
    main()
