"""Whose answers are right more often on the same test rows: the difference of two accuracies, with its interval.

    python paired.py TRUTH.csv:COLUMN --ours FILE.csv:COLUMN [...] --theirs FILE.csv:COLUMN [...]

Files hold a row for each test row, in the same order: what `ft predict RUN TEST.csv --out FILE.csv` writes (its column
is the output's name), what bag_of_words.py writes (`truth`, `prediction`), or the test's own table. Several files of a
side are its seeds, and a row counts by the share of them that are right. The interval is the percentile bootstrap over
test rows, 10,000 draws; it says nothing of other training sets. For one file a side McNemar's exact test is added.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rows import read_rows
from scipy import stats

DRAWS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth")
    parser.add_argument("--ours", nargs="+", required=True)
    parser.add_argument("--theirs", nargs="+", required=True)
    options = parser.parse_args()
    truth = read_column(options.truth)
    print(compare(right(options.ours, truth), right(options.theirs, truth)))


def read_column(place: str) -> list[str]:
    file, _, column = place.rpartition(":")
    return [row[column] for row in read_rows(Path(file))]


def right(places: Sequence[str], truth: Sequence[str]) -> np.ndarray:
    """float (files, N): 1 where the answer is the truth."""
    return np.array([[a == b for a, b in zip(read_column(p), truth, strict=True)] for p in places], dtype=float)


def compare(ours: np.ndarray, theirs: np.ndarray) -> str:
    differences = ours.mean(0) - theirs.mean(0)  # (N,)
    n = len(differences)
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), DRAWS) @ differences / n
    low, high = np.quantile(draws, (0.025, 0.975))
    words = (
        f"ours {ours.mean():.4f}, theirs {theirs.mean():.4f}, difference {differences.mean():+.4f} "
        f"(95 %: {low:+.4f} to {high:+.4f}) over {n:,} rows"
    )
    if len(ours) == len(theirs) == 1:
        only_ours, only_theirs = int((differences > 0).sum()), int((differences < 0).sum())
        p = stats.binomtest(only_ours, only_ours + only_theirs).pvalue if only_ours + only_theirs else 1.0
        words += f"; only ours right {only_ours}, only theirs {only_theirs}, McNemar p {p:.3f}"
    return words


if __name__ == "__main__":
    main()
