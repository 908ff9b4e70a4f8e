"""How training went, validation by validation: pictures of loss and scores, and the numbers in a table."""

from __future__ import annotations

from collections.abc import Sequence

from ft.core.report.model import HistoryRow, RunReport
from ft.core.report.page import Block, Chart, Line, Table, Words
from ft.core.report.text import number

CURVE_ROWS = 12
POINTS = 300  # of a line that is drawn: more would lie on the same pixels
CHARTS = 8


def curve(report: RunReport) -> list[Block]:
    """Loss, main metrics and the monitored one by validation; the others are in metrics.jsonl."""
    if not report.history:
        return []
    wanted = {"loss", report.monitor, *(report.flat(output) for output in report.main)}
    metrics = [name for name in dict.fromkeys(name for row in report.history for name in row.metrics) if name in wanted]
    shown = _spread(report.history, report.best_step, CURVE_ROWS)
    rows = [
        [
            str(row.epoch),
            f"{row.step:,}",
            "" if row.train_loss is None else number(row.train_loss),
            *(number(row.metrics[metric]) if metric in row.metrics else "" for metric in metrics),
            "best" if row.step == report.best_step else "",
        ]
        for row in shown
    ]
    head = ["epoch", "step", "train loss", *metrics, ""]
    table = Table("The validations", head, rows, right=range(len(head) - 1), folded=True)
    cut = f"{len(shown)} of {len(report.history)} validations; all are in metrics.jsonl."
    return [*_charts(report, metrics), table, *([Words(cut)] if len(shown) < len(report.history) else [])]


def _charts(report: RunReport, metrics: Sequence[str]) -> list[Chart]:
    """The loss of training and validation in one, every other metric in one of its own."""
    rows = _spread(report.history, report.best_step, POINTS)
    by_epoch = len({row.epoch for row in report.history}) == len(report.history)

    def at(row: HistoryRow) -> float:
        return row.epoch if by_epoch else row.step

    across = "epoch" if by_epoch else "step"
    best = next((at(row) for row in rows if row.step == report.best_step), None)
    charts = []
    for metric in ["loss", *(name for name in metrics if name != "loss")][:CHARTS]:
        lines = [Line("validation", [(at(row), row.metrics[metric]) for row in rows if metric in row.metrics])]
        if metric == "loss":
            training = [(at(row), row.train_loss) for row in rows if row.train_loss is not None]
            lines.insert(0, Line("training", training, main=False))
        lines = [line for line in lines if line.points]
        if lines:
            charts.append(Chart(metric, across, lines, best, _before(report, metric)))
    return charts


def _before(report: RunReport, metric: str) -> tuple[str, float] | None:
    """What the starting weights reached on validation, where that is known."""
    for output, scores in report.parent_scores.get("val", {}).items():
        if report.flat(output) == metric:
            return "before fine-tuning", scores.metrics[report.main[output].name]
    return None


def _spread(history: Sequence[HistoryRow], best_step: int | None, most: int) -> list[HistoryRow]:
    """At most so many rows (the best may be one more), evenly spread, with the first, the last and the best."""
    last = len(history) - 1
    even = {round(place * last / (most - 1)) for place in range(most)} if last >= most else range(last + 1)
    return [row for place, row in enumerate(history) if place in even or row.step == best_step]
