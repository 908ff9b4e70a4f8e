"""`ft report RUN...`: what runs have kept in their folders, side by side; and a run's own report rendered anew.

Nothing is judged again. A run that is under way or was killed is compared by what it has so far.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ft.core.config.nodes import to_plain
from ft.core.config.yaml import parse
from ft.core.errors import ConfigError, DataError
from ft.core.metrics.comparison import compare
from ft.core.metrics.scores import Interval, flat_intervals
from ft.core.report import html, kept, markdown
from ft.core.report.comparison import EXACT, RESAMPLED, Comparison, Difference, Score, Side
from ft.core.report.model import RunReport
from ft.core.stages.baseline import PerExample, unpacked
from ft.core.stages.listing import now
from ft.core.stages.runs import RunFolder, Status

SPLITS = ("test", "val", "train")


@dataclass(frozen=True)
class Kept:
    """What a run's folder says. reports: by the name of the file, `report` or `report-SPLIT`. answers: by split."""

    run: RunFolder
    path: str
    status: Status
    reports: Mapping[str, RunReport] = field(default_factory=dict)
    answers: Mapping[str, PerExample] = field(default_factory=dict)
    notes: Sequence[str] = ()


def find_run(word: Path, runs_dir: Path) -> RunFolder:
    """A run by its folder, by NAME/NUMBER or by NAME for its latest. Raises ConfigError where there is none."""
    for path in (word, runs_dir / word, word / "latest", runs_dir / word / "latest"):
        if (path / "checkpoints").is_dir():
            return RunFolder(path.parent / path.resolve().name if path.name == "latest" else path)
    below = "" if word.is_absolute() else f", also not below {runs_dir}/"
    raise ConfigError(f"{word} is no run{below}: expected its folder, NAME/NUMBER or NAME; ft runs lists them")


def read_kept(run: RunFolder) -> Kept:
    """Everything that can be read; what cannot is in the notes."""
    reports, answers, notes = {}, {}, []
    for file in sorted(run.path.glob("report*.json")):
        split = file.stem.removeprefix("report").removeprefix("-")
        try:
            reports[file.stem], packed = kept.from_json(file.read_text(encoding="utf-8"))
            if packed:
                answers[split] = unpacked(packed)
        except (OSError, ValueError, DataError) as error:
            notes.append(f"{file}: cannot be read: {error}")
    return Kept(run, str(run.path), now(run, run.status()), reports, answers, notes)


def render_again(found: Kept) -> list[Path]:
    """Write the reports in both forms from what was kept of them. Raises ResourceError. Returns the HTML files."""
    for name, report in found.reports.items():
        found.run.write(f"{name}.md", markdown.render(report))
        found.run.write(f"{name}.html", html.render(report))
    return [found.run.path / f"{name}.html" for name in found.reports]


def newest_report(found: Kept) -> RunReport | None:
    """The one to hand on: of the test where it was judged, else of another split, else of the training."""
    names = (*(f"report-{split}" for split in SPLITS), "report")
    return next((found.reports[name] for name in names if name in found.reports), None)


def side_by_side(found: Sequence[Kept]) -> Comparison:
    """All runs, in the order given."""
    settings = [_settings(each.run) for each in found]
    lost = [
        f"{each.path}/config.yaml: cannot be read, so its settings are not compared"
        for each, own in zip(found, settings, strict=True)
        if own is None and len(found) > 1
    ]
    ongoing = [
        f"{each.path} is {each.status.state}: its val scores are those of its last validation"
        for each in found
        if not each.status.metrics and _last_validation(each.run)
    ]
    return Comparison(
        runs=[_side(each) for each in found],
        settings=_differing(settings, found),
        differences=[one for index in range(1, len(found)) for one in _differences(found[0], found[index], index)],
        notes=[*lost, *ongoing, *(note for each in found for note in each.notes)],
    )


def _differing(settings: Sequence[Mapping[str, str] | None], found: Sequence[Kept]) -> dict[str, list[str]]:
    """Key -> a value for each run, of those that are not the same in all that could be read."""
    known = [each for each in settings if each is not None]
    keys = dict.fromkeys(key for each in known for key in each if _concerns(key, found))
    return {
        key: ["?" if each is None else each.get(key, "") for each in settings]
        for key in keys
        if len({_or_nothing(each.get(key, "")) for each in known}) > 1
    }


def _or_nothing(value: str) -> str:
    """What says as much as a key that is not there is one with it."""
    return "" if value in ("null", "{}", "[]") else value


def _concerns(key: str, found: Sequence[Kept]) -> bool:
    """Whether a setting could have changed any of the runs: those of a stage that none of them is could not."""
    section = key.partition(".")[0]
    return section not in ("name", "train", "finetune") or any(each.status.stage == section for each in found)


# ---------------------------------------------------------------- one run


def _side(found: Kept) -> Side:
    status, result = found.status, _result(found.run)
    scores: dict[str, dict[str, Score]] = {}
    if status.metrics:
        ends = {name: (low, high) for name, (low, high) in result.get("intervals", {}).items()}
        scores["val"] = _with(status.metrics, ends)
    elif last := _last_validation(found.run):
        scores["val"] = _with(last, {})
    for split, metrics in status.evaluations.items():
        report = found.reports.get(f"report-{split}")
        judged = report.scores.get(split, {}) if report else {}
        scores[split] = _with(metrics, flat_intervals(judged))
    return Side(
        path=found.path,
        name=status.name,
        stage=status.stage,
        state=status.state,
        started=status.started,
        epochs=status.epochs,
        steps=status.steps,
        seconds=result.get("seconds"),
        parameters=result.get("parameters"),
        main=status.main_metrics,
        scores=scores,
        curves=_curves(found.run, status.main_metrics),
    )


def _with(metrics: Mapping[str, float], intervals: Mapping[str, Interval]) -> dict[str, Score]:
    return {name: (value, intervals.get(name)) for name, value in metrics.items()}


def _result(run: RunFolder) -> dict[str, Any]:
    """`result.json`; nothing of a run that has not ended, or where it is damaged."""
    try:
        found = json.loads((run.path / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _curves(run: RunFolder, main: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """Loss and main metrics of the validations, else the training loss, by epoch; half a line at the end is left."""
    validations: dict[str, list[tuple[float, float]]] = {}
    training: list[tuple[float, float]] = []
    for row in _rows(run.path / "metrics.jsonl"):
        match row.get("event"):
            case "validation":
                names = main or [name for name in row if name not in ("event", "step", "epoch")]
                for name in dict.fromkeys(["loss", *names]):
                    if name in row:
                        validations.setdefault(name, []).append((row["epoch"], _number(row[name])))
            case "epoch":
                training.append((row["epoch"], _number(row.get("loss"))))
    return validations or ({"training loss": training} if training else {})


def _last_validation(run: RunFolder) -> dict[str, float]:
    """Of a run that has not ended, which has chosen no best yet."""
    rows = [row for row in _rows(run.path / "metrics.jsonl") if row.get("event") == "validation"]
    last = rows[-1] if rows else {}
    return {name: _number(value) for name, value in last.items() if name not in ("event", "step", "epoch")}


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("epoch"), int):
            yield row


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


# ---------------------------------------------------------------- what differs


def _settings(run: RunFolder) -> dict[str, str] | None:
    """The resolved experiment by dotted names; None where its file is gone or damaged."""
    try:
        node, problems = parse((run.path / "config.yaml").read_text(encoding="utf-8"), "config.yaml")
    except (OSError, UnicodeDecodeError, ConfigError):
        return None
    return None if problems else dict(_flat(to_plain(node)))


def _flat(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value under its dotted name, as it is written in a file; lists by number."""
    if isinstance(tree, dict) and tree:
        for key, inner in tree.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list) and any(isinstance(each, dict | list) for each in tree):
        for index, inner in enumerate(tree):
            yield from _flat(inner, f"{path}.{index}")
    else:
        yield path, tree if isinstance(tree, str) else json.dumps(tree, ensure_ascii=False, default=str)


def _differences(first: Kept, other: Kept, index: int) -> Iterator[Difference]:
    """Of every split that both were judged on, and every main metric that both have."""
    for split in SPLITS:
        judged = [each.status.evaluations.get(split) for each in (first, other)]
        if judged[0] is None or judged[1] is None:
            continue
        shared = [metric for metric in first.status.main_metrics if metric in judged[0] and metric in judged[1]]
        for metric in shared:
            empty = Difference(split, metric, index)
            yield _difference(empty, first, other)


def _difference(empty: Difference, first: Kept, other: Kept) -> Difference:
    before, after = first.answers.get(empty.split), other.answers.get(empty.split)
    if before is None or after is None:
        return replace(empty, why="answers not kept; ft eval --baseline tests it")
    if before.identity != after.identity:
        return replace(empty, why="judged on other examples")
    if empty.metric not in before.values or empty.metric not in after.values:
        return replace(empty, why="no mean over examples; ft eval --baseline tests it")
    report = first.reports[f"report-{empty.split}"]
    higher = next(main.higher_is_better for output, main in report.main.items() if report.flat(output) == empty.metric)
    values = before.values[empty.metric], after.values[empty.metric]
    worse = compare(*values, lower_is_better=not higher)
    better = compare(*reversed(values), lower_is_better=not higher)
    exact = all(np.isin(each, (0, 1)).all() for each in values)
    low, high = worse.interval
    p = min(1.0, 2 * min(worse.p, better.p))
    return replace(empty, gain=-worse.value, interval=(-high, -low), p=p, test=EXACT if exact else RESAMPLED)
