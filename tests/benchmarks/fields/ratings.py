"""Rivals for rating prediction on MovieLens 100k: biases alone, and a matrix factorisation written directly in torch.

    python ratings.py DATA OUT [--splits 3]

DATA holds ml-100k.inter. Split: 80/10/10 of all ratings at random, three times (one test of 10,000 ratings strays by
0.01 of another); OUT/ratings.tsv names each row's part in columns part_0, part_1, ..., by which ft is given the same
rows (seeds.py). Protocol: all choices are made on validation (damping of the biases; size, decay and epoch of the
factorisation); the test's RMSE is taken once a split, in stars, neither rounded nor clipped. Imports nothing of ft.

The model is mu + b_u + b_i + p_u . q_i (Koren, Bell and Volinsky 2009, equation 5), squared error, Adam.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from rows import Row, read_rows, write_rows
from torch import Tensor, nn

Ratings = tuple[Tensor, Tensor, Tensor]  # users int64 (N,), films int64 (N,), stars float32 (N,)

DAMPINGS = (2, 5, 10, 20)
SIZES = (16, 32, 64)
DECAYS = (2e-4, 3e-4, 4e-4)
EPOCHS = 40
BATCH_SIZE = 512
LR = 2e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--splits", type=int, default=3)
    options = parser.parse_args()
    rows = read_rows(options.data / "ml-100k.inter", "\t")
    splits = [split(len(rows), seed) for seed in range(options.splits)]
    named = [{f"part_{seed}": str(parts[row]) for seed, parts in enumerate(splits)} for row in range(len(rows))]
    write_rows(options.out / "ratings.tsv", [row | names for row, names in zip(rows, named, strict=True)], "\t")
    biases, factors = [], []
    for seed, parts in enumerate(splits):
        sets, users, films = encode(rows, parts)
        biases.append(biases_alone(sets, users, films))
        factors.append(best_factors(sets, users, films, seed))
    print(f"biases alone          test RMSE {_summary(biases)}")
    print(f"matrix factorisation  test RMSE {_summary(factors)}")


def split(n: int, seed: int) -> np.ndarray:
    """The part of each row: 10 % test, 10 % val, the rest train."""
    parts = np.full(n, "train", dtype="U5")
    order = np.random.default_rng(seed).permutation(n)
    parts[order[: n // 10]] = "test"
    parts[order[n // 10 : n // 5]] = "val"
    return parts


def encode(rows: Sequence[Row], parts: np.ndarray) -> tuple[dict[str, Ratings], int, int]:
    """By part; and how many users and films. Those that training lacks are number 0, whose vectors never learn."""
    training = [row for row, part in zip(rows, parts, strict=True) if part == "train"]
    codes = [
        {name: code for code, name in enumerate(sorted({row[column] for row in training}), start=1)}
        for column in ("user_id:token", "item_id:token")
    ]
    users = torch.tensor([codes[0].get(row["user_id:token"], 0) for row in rows])
    films = torch.tensor([codes[1].get(row["item_id:token"], 0) for row in rows])
    stars = torch.tensor([float(row["rating:float"]) for row in rows])
    chosen = {part: torch.from_numpy(parts == part) for part in ("train", "val", "test")}
    sets = {part: (users[here], films[here], stars[here]) for part, here in chosen.items()}
    return sets, len(codes[0]) + 1, len(codes[1]) + 1


def biases_alone(sets: dict[str, Ratings], users: int, films: int) -> float:
    """mu + b_u + b_i, each bias a mean of what the other leaves, damped by as many ratings as validation likes best."""
    u, i, stars = sets["train"]
    mu = stars.mean()
    scores = []
    for damping in DAMPINGS:
        b_u, b_i = torch.zeros(users), torch.zeros(films)
        for _ in range(10):
            b_i = torch.zeros(films).index_add(0, i, stars - mu - b_u[u]) / (i.bincount(minlength=films) + damping)
            b_u = torch.zeros(users).index_add(0, u, stars - mu - b_i[i]) / (u.bincount(minlength=users) + damping)
        scores.append(tuple(rmse(mu + b_u[sets[p][0]] + b_i[sets[p][1]], sets[p][2]) for p in ("val", "test")))
    return min(scores)[1]


class Factors(nn.Module):
    """mu + b_u + b_i + p_u . q_i; users and films int64 (B,) -> stars float32 (B,)."""

    def __init__(self, users: int, films: int, size: int, mu: float) -> None:
        super().__init__()
        self.mu = mu
        self.p, self.q = nn.Embedding(users, size), nn.Embedding(films, size)
        self.b_u, self.b_i = nn.Embedding(users, 1), nn.Embedding(films, 1)
        for table in (self.p, self.q):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.b_u, self.b_i):
            nn.init.zeros_(table.weight)

    def forward(self, users: Tensor, films: Tensor) -> Tensor:
        both = (self.p(users) * self.q(films)).sum(1, keepdim=True)
        return (self.mu + self.b_u(users) + self.b_i(films) + both).squeeze(1)


def best_factors(sets: dict[str, Ratings], users: int, films: int, seed: int) -> float:
    """Test RMSE of the size, decay and epoch that validation likes best."""
    choices = ((size, decay) for size in SIZES for decay in DECAYS)
    return min(factorise(sets, users, films, size, decay, seed) for size, decay in choices)[1]


def factorise(
    sets: dict[str, Ratings], users: int, films: int, size: int, decay: float, seed: int
) -> tuple[float, float]:
    """Validation and test RMSE of the epoch that validation likes best."""
    torch.manual_seed(seed)
    train = sets["train"]
    model = Factors(users, films, size, float(train[2].mean()))
    optimizer = torch.optim.Adam(model.parameters(), LR, weight_decay=decay)
    best = (float("inf"), float("inf"))
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(train[2])).split(BATCH_SIZE):
            u, i, stars = (column[batch] for column in train)
            loss = (model(u, i) - stars).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            val, test = (rmse(model(u, i), stars) for u, i, stars in (sets["val"], sets["test"]))
        best = min(best, (val, test))
    return best


def rmse(predicted: Tensor, stars: Tensor) -> float:
    return float((predicted - stars).square().mean().sqrt())


def _summary(values: Sequence[float]) -> str:
    each = ", ".join(f"{value:.4f}" for value in values)
    return f"{mean(values):.4f} ± {stdev(values):.4f} (each: {each})" if len(values) > 1 else each


if __name__ == "__main__":
    main()
