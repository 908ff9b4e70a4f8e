"""What several seeds came to: tables for people, a document for programs, and its place beside the runs.

The document is the one that `--against` reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ft.cli import documents, views
from ft.core.report import seeds as report
from ft.core.report.text import duration
from ft.core.stages.results import EvalResult
from ft.core.stages.runs import RunFolder
from ft.core.stages.seeds import REPORT, OneSeed, SeedsResult
from ft.core.stages.seeds_against import FILE


def view(result: SeedsResult) -> list[RenderableType]:
    """How many finished, how they scatter, seed by seed, the gates, the comparison, where things are.

    Every metric is in the report.
    """
    done = len(result.seeds) - len(result.diverged)
    head = f"{result.name}: {done} of {len(result.seeds)} seeds finished in {duration(result.seconds)}"
    parts: list[RenderableType] = [Text(head, style="bold")]
    if result.scores:
        parts.append(_spreads(result.scores))
    parts.append(_by_seed(result))
    parts += [Text(f"  gate {gate}", style="" if gate.passed else "bold red") for gate in result.gates]
    for against in result.against:
        rows = [row for row in report.against_rows(against) if row[0] in against.main]
        parts.append(_table([f"{against.split} metric", *report.AGAINST_HEAD], rows, right=(1, 2, 3, 5)))
        parts.append(f"  {report.told(against)}, {views.shown(Path(against.path))}")
    if result.folder is None:
        return [*parts, Text("smoke test passed: every seed ran, saved and evaluated; nothing was kept", style="bold")]
    parts.append(f"  report    {views.shown(result.folder / REPORT)}")
    return [*parts, f"  next      other settings: --seeds {len(result.seeds)} --against {views.shown(result.folder)}"]


def document(result: SeedsResult) -> dict[str, Any]:
    """Every seed's own document inside; one that diverged has null there, and says why in `error`."""
    own = {"train": _fit, "finetune": _fit, "run": documents.run}
    smoke = result.folder is None  # then every command ran all stages
    seeds = [
        {
            "seed": one.seed,
            "state": "diverged" if one.result is None else "finished",
            "error": one.error,
            "runs": list(one.runs),
            "result": None if one.result is None else (documents.run if smoke else own[result.command])(one.result),
        }
        for one in result.seeds
    ]
    return documents.seeds(
        {
            "name": result.name,
            "command": result.command,
            "folder": result.folder,
            "passed": result.passed,
            "asked": len(result.seeds),
            "finished": len(result.seeds) - len(result.diverged),
            "scores": [asdict(each) for each in result.scores],
            "gates": [asdict(gate) for gate in result.gates],
            "against": [asdict(each) for each in result.against],
            "seconds": result.seconds,
            "seeds": seeds,
        }
    )


def line(result: SeedsResult) -> str:
    """The last best weights of every seed that finished, a line each; nothing after a smoke test."""
    if result.folder is None:
        return ""
    return "\n".join(str(one.result.fits[-1].best) for one in result.seeds if one.result is not None)


def write(result: SeedsResult) -> None:
    """The document into the group's folder, for `--against`. Raises ResourceError."""
    if result.folder is not None:
        RunFolder(result.folder).write(FILE, json.dumps(document(result), indent=2) + "\n")


def mean_verdict(result: SeedsResult) -> EvalResult | None:
    """The evaluation with the means over seeds, their intervals and gates; None where nothing was judged."""
    judged = [scores for scores in result.scores if scores.judged]
    last = _last_evaluation(result.seeds)
    if last is None or result.folder is None:
        return None
    metrics = judged[-1].metrics
    return replace(
        last,
        name=f"{result.name}, mean of {len(judged[-1].seeds)} seeds",
        gates=list(result.gates),
        metrics={name: each.mean for name, each in metrics.items()},
        intervals={name: each.interval for name, each in metrics.items() if each.interval is not None},
    )


def _last_evaluation(seeds: Sequence[OneSeed]) -> EvalResult | None:
    return next((one.result.evaluation for one in reversed(seeds) if one.result and one.result.evaluation), None)


def _fit(result: Any) -> dict[str, Any]:
    return documents.fit(result.fits[-1])


def _spreads(scores: Sequence[report.SeedScores]) -> Table:
    """Of each stage's validation the main metrics, of each evaluation those that were asked for."""
    rows = [
        [f"{each.title} {row[0]}", *row[1:]]
        for each in scores
        for row in report.spread_rows(each)
        if row[0] in each.speaking
    ]
    return _table(["", *report.SPREAD_HEAD], rows, right=(1, 2, 3, 4))


def _by_seed(result: SeedsResult) -> Table:
    head, rows = report.seed_rows(result.scores, [one.seed for one in result.seeds])
    narrow = [name.replace(", ", "\n") for name in head]
    if result.folder is None:
        return _table(narrow, rows, right=range(len(head)))
    places = [", ".join(run.name for run in one.runs) + (" diverged" if one.error else "") for one in result.seeds]
    whole = [[*row, place] for row, place in zip(rows, places, strict=True)]
    return _table([*narrow, f"runs in {views.shown(result.folder.parent)}"], whole, right=range(len(head)))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Any) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=True, header_style="bold")
    for index, name in enumerate(head):
        table.add_column(name, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
