"""What a report is made of: plain values, gathered by the stage that ran. How they look is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ft.core.metrics.robustness import Robustness
from ft.core.metrics.scores import Interval, Scores, SliceScores
from ft.core.report.answered import Answered
from ft.core.report.gates import GateResult

ScoresBySplit = Mapping[str, Mapping[str, Scores]]  # split -> output -> scores


@dataclass(frozen=True)
class MainMetric:
    """The metric that speaks for an output, and which way it is better."""

    name: str
    higher_is_better: bool


@dataclass(frozen=True)
class HistoryRow:
    """One validation. train_loss: the mean since the one before; metrics: by flat name, as in metrics.jsonl."""

    epoch: int
    step: int
    train_loss: float | None
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Parameters:
    """How many numbers the network holds, and how many of them learn."""

    total: int
    trainable: int


@dataclass(frozen=True)
class RunReport:
    """One stage of one run.

    run_path: the run's folder, as the user would type it. command: what repeats the run, exactly.
    main: output -> the metric that speaks for it. scores, loss: by split; of the weights that are kept.
    history: the validations in order; best_step: the step of the one that was chosen; monitor: the metric it was
        chosen by, as a flat name.
    parent: where the starting weights came from; parent_scores: theirs, on the same examples.
    loading: what became of the starting weights' names, a line each.
    loss_weights: output -> the weight of its loss in the end, where the weights were learned.
    units: of each layer, how much learns, at which rates, from which epochs on. frozen: the proof that frozen tensors
        did not move: how many, of how many values, and the SHA-256. choices: how it was computed, a sentence each.
    seconds: wall-clock time; epoch_seconds: of each epoch. data: one line; data_notes: what was missing, unknown, cut
        or skipped, a sentence each.
    own: metrics of the user's code, with their intervals. slices: parts of the split, judged on their own.
    robustness: what corruptions of the inputs cost, if asked for.
    settings: the resolved experiment as YAML. environment: fact -> value. files: what -> path.
    answered: output -> what the answers to every example of the split say more, of a category.
    notes: sentences that a reader must not miss.
    """

    name: str
    stage: Literal["train", "finetune", "eval"]
    run_path: str
    command: str
    main: Mapping[str, MainMetric]
    scores: ScoresBySplit
    loss: Mapping[str, float] = field(default_factory=dict)
    history: Sequence[HistoryRow] = ()
    best_step: int | None = None
    monitor: str | None = None
    parent: str | None = None
    parent_scores: ScoresBySplit = field(default_factory=dict)
    loading: Sequence[str] = ()
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    parameters: Parameters | None = None
    units: Sequence[Mapping[str, Any]] = ()
    frozen: Mapping[str, Any] | None = None
    choices: Sequence[str] = ()
    seconds: float | None = None
    epoch_seconds: Sequence[float] = ()
    device: str = ""
    precision: str = ""
    data: str = ""
    data_notes: Sequence[str] = ()
    gates: Sequence[GateResult] = ()
    own: Mapping[str, tuple[float, Interval | None]] = field(default_factory=dict)
    slices: Sequence[SliceScores] = ()
    robustness: Robustness | None = None
    settings: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    answered: Mapping[str, Answered] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def split(self) -> str | None:
        """The split that the verdict is about: test where it was judged, else validation, else training."""
        return next((split for split in ("test", "val", "train") if split in self.scores), None)

    def flat(self, output: str) -> str:
        """The main metric of `output` under the name that settings use."""
        name = self.main[output].name
        return name if len(self.main) == 1 else f"{output}/{name}"
