"""Rival for ranking on MovieLens 100k: everyone is recommended the films with the most ratings in training.

    python popular.py DATA

DATA holds ml-100k.inter. Split: of each user the last rating by time is the test, the one before it validation (ft:
`split: {time: ..., per: ..., val: 1, test: 1}`). Of ratings with the same second, which 415 of 943 users have at the
border, the one further down in the file is the later. Protocol: for each user all films that training knows and the
user has not rated before are ranked; films equally popular keep the order in which training first names them; a test
film that training lacks counts as missed. NDCG@10 with one film to find is 1 / log2(1 + its rank), 0 beyond rank 10.

The other two readings of "the last one" are printed too, because they move the figure by a factor of two.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from rows import Row, read_rows

USER, FILM, TIME = "user_id:token", "item_id:token", "timestamp:float"
TOP = 10

LastOf = Callable[[int, Row], tuple[int, int]]  # (row number, row) -> what rows are sorted by, the last one last

TIES: dict[str, LastOf] = {
    "the later line of the file": lambda number, row: (int(row[TIME]), number),
    "the earlier line of the file": lambda number, row: (int(row[TIME]), -number),
    "the greater film number": lambda _, row: (int(row[TIME]), int(row[FILM])),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    rows = read_rows(parser.parse_args().data / "ml-100k.inter", "\t")
    for words, last_of in TIES.items():
        ranks = rank(*leave_last_out(rows, last_of))
        ndcg = sum(1 / math.log2(1 + r) for r in ranks if r <= TOP) / len(ranks)
        hits = sum(r <= TOP for r in ranks) / len(ranks)
        print(f"of equal times {words:28}: NDCG@{TOP} {ndcg:.4f}, hit rate@{TOP} {hits:.4f}, {len(ranks)} users")


def leave_last_out(rows: Sequence[Row], last_of: LastOf) -> tuple[list[Row], list[Row], list[Row]]:
    """Train in the file's order, validation and test with one row for each user."""
    by_user: dict[str, list[int]] = {}
    for number in sorted(range(len(rows)), key=lambda number: last_of(number, rows[number])):
        by_user.setdefault(rows[number][USER], []).append(number)
    test = {numbers[-1] for numbers in by_user.values()}
    val = {numbers[-2] for numbers in by_user.values()}
    train = [row for number, row in enumerate(rows) if number not in test | val]
    return train, [rows[number] for number in sorted(val)], [rows[number] for number in sorted(test)]


def rank(train: Sequence[Row], val: Sequence[Row], test: Sequence[Row]) -> list[float]:
    """Of each test row: where its film stands, from 1, among the films its user has not rated before."""
    popular = [film for film, _ in Counter(row[FILM] for row in train).most_common()]  # ties: first named first
    seen: dict[str, set[str]] = {}
    for row in [*train, *val]:
        seen.setdefault(row[USER], set()).add(row[FILM])
    ranks = []
    for row in test:
        unseen = [film for film in popular if film not in seen[row[USER]]]
        ranks.append(1 + unseen.index(row[FILM]) if row[FILM] in unseen else math.inf)
    return ranks


if __name__ == "__main__":
    main()
