"""Answers as files for other programs: one row for each example or each recommended item, .csv or .jsonl.

A csv has a column for each output and one for each of its probabilities, `output/class`. A jsonl row holds the same
things as `--json` does. Where examples were left out, a column `skipped` says why, and their answers are empty.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ft.core.errors import ResourceError
from ft.core.stages.predict import Prediction, Predictions
from ft.core.stages.recommend import Recommendations

LABELS_APART = "|"  # in a cell of a csv, as labels are written in one text by default


def write_predictions(path: Path, result: Predictions) -> int:
    """A row for each example, in their order; returns how many. Raises ResourceError when it cannot be written."""
    examples = list(result.by_example())
    if path.suffix.lower() == ".csv":
        return _write_csv(path, [_flat(answers) for answers in examples])
    return _write_lines(path, [_nested(answers) for answers in examples])


def write_recommendations(path: Path, result: Sequence[Recommendations]) -> int:
    """A row for each user and item, the best first; as `write_predictions`."""
    rows = [{"user": each.user, **asdict(item)} for each in result for item in each.items]
    return _write_csv(path, rows) if path.suffix.lower() == ".csv" else _write_lines(path, rows)


def _flat(answers: Sequence[Prediction]) -> dict[str, Any]:
    """Every answered row has the same keys in the same order: probabilities by name, not by size."""
    row: dict[str, Any] = {"file": answers[0].file}
    if answers[0].skipped is not None:
        return row | {"skipped": answers[0].skipped}
    for answer in answers:
        row[answer.output] = LABELS_APART.join(answer.value) if isinstance(answer.value, list) else answer.value
        for label, share in sorted((answer.probabilities or {}).items()):
            row[f"{answer.output}/{label}"] = share
    return row


def _nested(answers: Sequence[Prediction]) -> dict[str, Any]:
    outputs = {answer.output: {"value": answer.value, "probabilities": answer.probabilities} for answer in answers}
    skipped = {} if answers[0].skipped is None else {"skipped": answers[0].skipped}
    return {"file": answers[0].file, **skipped, **outputs}


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> int:
    text = io.StringIO()
    columns = dict.fromkeys(name for row in sorted(rows, key=len, reverse=True) for name in row)  # whole rows first
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return _write(path, text.getvalue(), len(rows))


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    return _write(path, "".join(lines), len(lines))


def _write(path: Path, text: str, rows: int) -> int:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise ResourceError(f"cannot write {path}: {error.strerror or error}") from error
    return rows
