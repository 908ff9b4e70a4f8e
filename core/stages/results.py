"""What the stages return: plain values that the command line prints and `--json` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ft.core.engine.evaluate import Evaluation
from ft.core.metrics.robustness import Robustness
from ft.core.metrics.scores import SliceScores
from ft.core.models.heads import Head
from ft.core.report.gates import GateResult
from ft.core.stages.baseline import PerExample


@dataclass(frozen=True)
class FitResult:
    """A finished training or fine-tuning.

    best: the checkpoint to use. metrics, intervals: of the best validation, empty without one. main_metric: what chose
    the best; main_metrics: what speaks for each output. undecided: there were validations, and what should choose among
    them was NaN in all. before: the validation metrics of the starting weights, None where there were none or where
    they do not fit the classes. units: of each, how much of it learns, at which rates and from which epochs on. frozen:
    the proof that what is frozen did not move; None where nothing is. adapter: the folder of the adapters that were
    trained, beside best. choices: how it was computed, in sentences: kept features or why not, the teacher, sampling.
    validated_on: identity of the validation's examples and wanted answers, as an evaluation's per_example has it.
    """

    stage: str
    name: str
    run: Path
    best: Path
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    main_metric: str
    before: dict[str, float] | None
    best_epoch: int | None
    epochs: int
    steps: int
    reason: str
    seconds: float
    parameters: int
    trainable: int
    last_unit: int
    device: str
    precision: str
    parent: str | None = None
    smoke: bool = False
    main_metrics: tuple[str, ...] = ()
    undecided: bool = False
    units: tuple[dict[str, Any], ...] = ()
    frozen: dict[str, Any] | None = None
    adapter: Path | None = None
    choices: tuple[str, ...] = ()
    validated_on: str | None = None

    def to_json(self) -> str:
        """The text of a run's `result.json`; NaN as Python's json writes it."""
        return json.dumps(asdict(self), default=str, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, run: Path) -> FitResult:
        """What `to_json` wrote into the run that now lies at `run`. Raises ValueError, TypeError, KeyError."""
        values = json.loads(text)
        intervals = {name: (low, high) for name, (low, high) in values["intervals"].items()}
        best = run / "checkpoints" / "best.pt"
        adapter = run / "checkpoints" / "adapter" if values.get("adapter") else None
        values |= {
            "run": run,
            "adapter": adapter,
            "best": best,
            "intervals": intervals,
            "main_metrics": tuple(values["main_metrics"]),
        }
        values |= {name: tuple(values.get(name, ())) for name in ("units", "choices")}
        return cls(**values)


@dataclass(frozen=True)
class EvalResult:
    """A judged checkpoint.

    metrics: those asked for, by flat name. main_metric: the one that sums it up; main_metrics: what speaks for each
    output. data_notes: what was missing, unknown, cut or skipped. per_example: what was said of each example; None
    where nothing can be, of a ranking or of two batches. slices: parts judged on their own. robustness: of the
    corruptions that were asked for.
    """

    name: str
    stage: str
    checkpoint: Path
    run: Path | None
    split: str
    data: str
    evaluation: Evaluation
    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    main_metric: str
    gates: list[GateResult]
    seconds: float
    device: str
    precision: str
    main_metrics: tuple[str, ...] = ()
    data_notes: tuple[str, ...] = ()
    per_example: PerExample | None = None
    slices: Sequence[SliceScores] = ()
    robustness: Robustness | None = None

    @property
    def passed(self) -> bool:
        """Whether every gate held; true without gates."""
        return all(gate.passed for gate in self.gates)


@dataclass(frozen=True)
class RunResult:
    """All stages of a file, in order. baseline: the trained model's evaluation beside the fine-tuned one's."""

    fits: list[FitResult]
    evaluation: EvalResult | None
    baseline: EvalResult | None


def main_metrics(heads: Mapping[str, Head]) -> tuple[str, ...]:
    """The flat name of every output's main metric, in the outputs' order."""
    single = len(heads) == 1
    return tuple(head.main_metric if single else f"{name}/{head.main_metric}" for name, head in heads.items())
