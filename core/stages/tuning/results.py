"""What a search returns. Loads neither torch nor optuna."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ft.core.report.tuning import RandomSearch, TrialRow
from ft.core.stages.results import EvalResult


@dataclass(frozen=True)
class TuneResult:
    """A search so far. study: its folder. best_config: the file that trains the best trial again.

    direction: of the metric, min or max. random_search: None where no trial was drawn at random. test: of the best
    trial, where asked for; looks: how many trials of this study were ever judged on the test split. smoke: nothing of
    it was kept.
    """

    name: str
    stage: str
    study: Path
    best_config: Path
    report: Path
    metric: str
    direction: str
    sampler: str
    pruner: str
    trials: tuple[TrialRow, ...]
    best: TrialRow | None
    importance: dict[str, float]
    random_search: RandomSearch | None
    baseline: str
    test: EvalResult | None
    looks: int
    seconds: float
    smoke: bool = False
