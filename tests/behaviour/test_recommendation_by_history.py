"""Items that follow each other in a ring: only who looks at what was chosen last can know what comes next."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import ft, write_config

pytest.importorskip("pyarrow", reason="tables need pyarrow")

USERS, ITEMS, CHOICES = 60, 12, 6
RING: dict[str, Any] = {
    "name": "ring",
    "seed": 3,
    "device": "cpu",
    "precision": "fp32",
    "tensorboard": False,
    "data": {
        "source": "table",
        "train": "choices.csv",
        "split": {"time": "when", "per": "who", "val": 1, "test": 1},
    },
    "inputs": {"who": {"type": "category"}, "recent": {"type": "history", "last": 1}, "item": {"type": "category"}},
    "outputs": {"next": {"type": "ranking", "user": "who", "item": "item", "negatives": "all"}},
    "model": {"fusion": {"dot": {"dim": 8}}},
    "train": {"epochs": 25, "batch_size": 32, "lr": 0.03},
    "eval": {"metrics": ["hit_rate@1", "ndcg@10"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained ranking, its rows in no order. Not to be changed."""
    folder = tmp_path_factory.mktemp("ring")
    rows = [(f"u{user}", f"i{(user + place) % ITEMS}", place) for user in range(USERS) for place in range(CHOICES)]
    np.random.default_rng(1).shuffle(rows)
    with (folder / "choices.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("who", "item", "when"), *rows])
    write_config(folder / "ring.yaml", base=RING)
    answer = ft("train", "ring.yaml", cwd=folder)
    assert answer.code == 0, answer.err
    return folder


def test_the_next_one_is_found_by_the_last_one(ring: Path) -> None:
    judged = ft("eval", "runs/ring/1", "--json", cwd=ring)
    assert judged.code == 0, judged.err
    assert json.loads(judged.out)["metrics"]["hit_rate@1"] > 0.8  # the users alone tell nothing of it: 1 in 7


def test_a_user_is_recommended_what_follows_validation(ring: Path) -> None:
    """The latest row that the checkpoint knows of is validation's."""
    users = [f"u{user}" for user in range(USERS)]
    answer = ft("predict", "runs/ring/1", *(f"--user={user}" for user in users), "--top", "1", "--json", cwd=ring)
    assert answer.code == 0, answer.err
    first = [each["items"][0]["item"] for each in json.loads(answer.out)["recommendations"]]
    wanted = [f"i{(user + CHOICES - 1) % ITEMS}" for user in range(USERS)]
    assert sum(one == other for one, other in zip(first, wanted, strict=True)) > 0.8 * USERS


def test_rows_of_a_history_are_asked_for_by_their_user(ring: Path) -> None:
    answer = ft("predict", "runs/ring/1", "choices.csv", cwd=ring)
    assert answer.code == 2
    assert "--user ID" in answer.err
