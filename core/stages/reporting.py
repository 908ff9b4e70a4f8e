"""From what a stage measured to the run's `report.md` and `report.html`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ft.core.adapt.loading import LoadReport
from ft.core.config.schema.corruptions import CORRUPTED
from ft.core.engine.evaluate import Evaluation
from ft.core.engine.events import EpochEnded, Event, Logged, Validated
from ft.core.metrics.scores import Interval
from ft.core.models.heads import Head
from ft.core.report import html, kept, markdown
from ft.core.report.answered import Answered
from ft.core.report.model import HistoryRow, MainMetric, Parameters, RunReport
from ft.core.stages.options import Options
from ft.core.stages.results import EvalResult, FitResult
from ft.core.stages.runs import RunFolder


class History:
    """A consumer that remembers the validations, the best of them, the training loss in between, learned weights."""

    def __init__(self) -> None:
        self.rows: list[HistoryRow] = []
        self.best: Validated | None = None
        self.loss_weights: dict[str, float] = {}  # by output, as the last epoch left them; empty when they are fixed
        self.epoch_seconds: list[float] = []
        self._losses: list[tuple[float, int]] = []  # mean and number of examples

    def state_dict(self) -> dict[str, Any]:
        """What was remembered, the best validation aside: going on evaluates its weights again."""
        rows = [asdict(row) for row in self.rows]
        remembered = {"rows": rows, "losses": self._losses, "loss_weights": self.loss_weights}
        return remembered | {"epoch_seconds": self.epoch_seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remember what another process did."""
        self.rows = [HistoryRow(**row) for row in state["rows"]]
        self._losses = [(mean, count) for mean, count in state["losses"]]
        self.loss_weights = dict(state["loss_weights"])
        self.epoch_seconds = list(state.get("epoch_seconds", ()))  # younger than the rest

    def __call__(self, event: Event) -> None:
        """Remember the event if it says how training goes."""
        match event:
            case Logged():
                self._losses.append((event.loss, event.examples))
            case Validated():
                examples = sum(count for _, count in self._losses)
                loss = sum(mean * count for mean, count in self._losses) / examples if examples else None
                self.rows.append(HistoryRow(event.epoch, event.step, loss, event.metrics))
                self._losses.clear()
                if event.is_best:
                    self.best = event
            case EpochEnded():
                self.epoch_seconds.append(event.seconds)
                self.loss_weights = event.loss_weights or self.loss_weights


def write_fit_report(
    run: RunFolder,
    result: FitResult,
    history: History,
    before: Evaluation | None,
    settings: str,
    data: str,
    heads: Mapping[str, Head],
    options: Options,
    data_notes: Sequence[str] = (),
) -> None:
    """Write `report.md` and `report.html` after a training or fine-tuning."""
    best = history.best.evaluation if history.best else None
    report = RunReport(
        name=result.name,
        stage="train" if result.stage == "train" else "finetune",
        run_path=str(run.path),
        command=options.command,
        main=_main_metrics(heads),
        scores={"val": best.scores} if best else {},
        loss={"val": best.loss} if best else {},
        history=history.rows,
        best_step=history.best.step if history.best else None,
        monitor=result.main_metric,
        parent=result.parent,
        parent_scores={"val": before.scores} if before else {},
        loss_weights=history.loss_weights,
        parameters=Parameters(result.parameters, result.trainable),
        units=result.units,
        frozen=result.frozen,
        choices=result.choices,
        seconds=result.seconds,
        epoch_seconds=history.epoch_seconds,
        device=result.device,
        precision=result.precision,
        data=data,
        data_notes=data_notes,
        settings=settings,
        loading=_loading(run),
        environment=_environment(run),
        files={
            "best weights": str(run.best),
            "last, for going on": str(run.last),
            "metrics": str(run.path / "metrics.jsonl"),
            **({"adapters alone": str(result.adapter)} if result.adapter else {}),
        },
        notes=() if best else (_without_best(result),),
    )
    write_report(run, "report", report)


def write_eval_report(
    run: RunFolder,
    result: EvalResult,
    settings: str,
    heads: Mapping[str, Head],
    options: Options,
    answered: Mapping[str, Answered] | None = None,
) -> None:
    """Write `report-SPLIT.md` and `report-SPLIT.html` after a run was judged."""
    report = RunReport(
        name=result.name,
        stage="eval",
        run_path=str(run.path),
        command=options.command,
        main=_main_metrics(heads),
        scores={result.split: result.evaluation.scores},
        loss={result.split: result.evaluation.loss},
        seconds=result.seconds,
        device=result.device,
        precision=result.precision,
        data=result.data,
        data_notes=result.data_notes,
        gates=result.gates,
        slices=result.slices,
        robustness=result.robustness,
        settings=settings,
        environment=_environment(run),
        files={"weights": str(result.checkpoint)},
        answered=answered or {},
        own=_own_metrics(result),
    )
    answers = result.per_example.packed() if result.per_example else None
    write_report(run, f"report-{result.split}", report, answers)


def _own_metrics(result: EvalResult) -> dict[str, tuple[float, Interval | None]]:
    built_in = result.evaluation.metrics()
    own = [name for name in result.metrics if name not in built_in and not name.startswith(CORRUPTED)]
    return {name: (result.metrics[name], result.intervals.get(name)) for name in own}


def write_report(run: RunFolder, name: str, report: RunReport, answers: Mapping[str, Any] | None = None) -> None:
    """NAME.md and NAME.html, and their facts as NAME.json, from which both can be made again. answers: to every
    example, packed.
    """
    run.write(f"{name}.json", kept.to_json(report, answers))
    run.write(f"{name}.md", markdown.render(report))
    run.write(f"{name}.html", html.render(report))


def write_loading(run: RunFolder, report: LoadReport, origin: Path | None) -> None:
    """Write `loading.json`: where the first weights came from, and what became of every name."""
    content = {"from": None if origin is None else str(origin), "summary": report.lines(), **report.to_dict()}
    run.write("loading.json", json.dumps(content, indent=2) + "\n")


def _loading(run: RunFolder) -> list[str]:
    """What the run's first process wrote, also when another ends it; empty where training began with fresh weights."""
    file = run.path / "loading.json"
    return list(json.loads(file.read_text(encoding="utf-8"))["summary"]) if file.is_file() else []


def _without_best(result: FitResult) -> str:
    """Why no validation chose the weights that are kept."""
    why = f"{result.main_metric} was NaN in every validation" if result.undecided else "There was no validation split"
    return f"{why}, so best is the last state."


def _main_metrics(heads: Mapping[str, Head]) -> dict[str, MainMetric]:
    return {name: MainMetric(head.main_metric, head.higher_is_better) for name, head in heads.items()}


def _environment(run: RunFolder) -> dict[str, str]:
    facts: dict[str, Any] = json.loads((run.path / "env.json").read_text(encoding="utf-8"))
    return {key: str(value) for key, value in facts.items() if isinstance(value, (str, int, float))}
