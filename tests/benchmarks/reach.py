"""Seconds from the start of a process to 99 % on MNIST's validation digits, by configs/mnist-strong.yaml."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from figures import summarise
from whole import FT, timed

STRONG = Path(__file__).parents[2] / "configs" / "mnist-strong.yaml"
GOAL = 0.99
EPOCHS = 4  # of a schedule that ends there


def measure(data: Path, device: str, rounds: int, say: Callable[[str], None]) -> list[float]:
    """A round for each seed. A first round of one step does not count."""
    seconds = []
    for seed in range(-1, rounds):
        words = [f"data.root={data}", f"device={device}", f"seed={max(seed, 0)}", f"train.epochs={EPOCHS}"]
        with TemporaryDirectory(prefix="ft-bench-reach-") as out:
            limit = ["train.max_steps=1"] if seed < 0 else []
            _, _, printed = timed([FT, "train", str(STRONG), *words, *limit, "--json", "--timings", "--runs-dir", out])
            document = json.loads(printed)
            if seed >= 0:
                seconds.append(_reached(document, Path(document["run"]) / "metrics.jsonl"))
                say(f"seed {seed}: {seconds[-1]:.1f} s")
    return seconds


def _reached(document: dict[str, Any], metrics: Path) -> float:
    """Start-up, and the epochs up to the first that validates at the goal."""
    seconds = sum(document["timings"][phase] for phase in ("start", "imports", "data", "building", "other"))
    reached = False
    for row in map(json.loads, metrics.read_text().splitlines()):
        if row["event"] == "validation":
            reached = row["accuracy"] >= GOAL
        elif row["event"] == "epoch":
            seconds += row["seconds"]
            if reached:
                return seconds
    return float("inf")


def show(seconds: list[float]) -> str:
    return f"  {summarise(seconds)}"


def plain(seconds: list[float]) -> dict[str, Any]:
    return {"seconds": seconds, "summary": asdict(summarise(seconds))}
