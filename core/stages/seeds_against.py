"""Another group of seeds, as its `seeds.json` tells it, held against this one: are these settings better than those?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ft.core.errors import ConfigError, DataError
from ft.core.metrics.student import welch
from ft.core.report.seeds import Against, SeedScores
from ft.core.stages.stored_document import read_document

FILE = "seeds.json"


@dataclass(frozen=True)
class Others:
    """What a document says. scores: by split, of the last stage that was judged on it: values by metric, and the
    identity of the examples.
    """

    path: str
    scores: dict[str, tuple[dict[str, list[float]], str | None]]


def read_others(path: Path) -> Others:
    """path: the file, or the folder it lies in. Raises ConfigError for what is no document of seeds, DataError for one
    that is damaged.
    """
    file = path / FILE if path.is_dir() else path
    document = read_document(file, "seeds", f"--against {file}", "--seeds")
    try:
        scores = {
            each["split"]: (
                {name: list(map(_number, of["values"])) for name, of in each["metrics"].items()},
                each["examples"],
            )
            for each in document["scores"]
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"--against {path}: its scores are damaged ({error})") from error
    return Others(str(path), scores)


def check_same(others: Others, scores: Sequence[SeedScores]) -> None:
    """Raise ConfigError where nothing was judged by both, DataError where other examples were."""
    own = {each.split: each for each in scores}
    shared = [split for split in own if split in others.scores]
    if own and not shared:
        there = ", ".join(others.scores) or "nothing"
        raise ConfigError(f"--against {others.path}: those seeds were judged on {there}, these on {', '.join(own)}")
    for split in shared:
        ours, theirs = own[split].examples, others.scores[split][1]
        if ours is not None and theirs is not None and ours != theirs:
            raise DataError(
                f"--against {others.path}: its {split} split holds other examples, or wants other answers; scores are "
                "compared on the same data. Without --against the seeds go on by --resume"
            )


def compare(others: Others, scores: Sequence[SeedScores]) -> list[Against]:
    """For each split that both were judged on, every metric that both have, of what each ships at last."""
    own = {each.split: each for each in scores}
    return [_on(split, each, others) for split, each in own.items() if split in others.scores]


def _on(split: str, ours: SeedScores, others: Others) -> Against:
    theirs = others.scores[split][0]
    both = {name: (each.values, theirs[name]) for name, each in ours.metrics.items() if theirs.get(name)}
    counts = (len(ours.seeds), max((len(values) for values in theirs.values()), default=0))
    means = {name: (sum(a) / len(a), sum(b) / len(b)) for name, (a, b) in both.items()}
    return Against(
        others.path, split, ours.speaking, counts, means, {name: welch(a, b) for name, (a, b) in both.items()}
    )


def _number(value: float | None) -> float:
    """A document says null for what is no number."""
    return math.nan if value is None else float(value)
