"""How each class or label fared, and which were taken for which; whole for few of them, the worst of many."""

from __future__ import annotations

from collections.abc import Sequence

from ft.core.metrics.scores import ClassScores, Scores
from ft.core.report.text import escape, number, table

CLASS_ROWS = 100  # more classes than this: only the hardest are listed
HARDEST = 30
MATRIX_CLASSES = 20  # more than this and the matrix is wider than a page
PAIRS = 15


def class_table(scores: Scores) -> str:
    """Precision, recall and F1 by class or label, in their order; above 100 those of lowest F1."""
    rows: Sequence[ClassScores] = scores.per_class or []
    kind, kinds = ("class", "classes") if scores.classes else ("label", "labels")
    if len(rows) <= CLASS_ROWS:
        return _class_rows(rows, kind)
    occurring = [row for row in rows if row.support]
    hardest = sorted(occurring, key=lambda row: row.f1)[:HARDEST]
    return f"The {len(hardest)} of {len(rows)} {kinds} with the lowest F1:\n\n{_class_rows(hardest, kind)}"


def confusion(scores: Scores) -> str:
    """The matrix, true classes down and predicted ones across; above 20 classes the pairs confused most often."""
    classes, matrix = scores.classes or [], scores.confusion
    if matrix is None:
        return f"Not counted: {len(classes)} classes."
    if len(classes) > MATRIX_CLASSES:
        note = f"The whole matrix of {len(classes)} classes is too wide to read; the pairs confused most often:"
        return f"{note}\n\n{_pairs(classes, matrix)}"
    names = [escape(name) for name in classes]
    rows = [
        [f"**{name}**", *(str(cell) if cell else "·" for cell in row)] for name, row in zip(names, matrix, strict=True)
    ]
    note = "Rows are the true classes, columns the predicted ones; · is 0."
    return f"{note}\n\n{table(['', *names], rows, right=range(1, len(names) + 1))}"


def _class_rows(rows: Sequence[ClassScores], kind: str) -> str:
    cells = [
        [escape(row.name), number(row.precision), number(row.recall), number(row.f1), f"{row.support:,}"]
        for row in rows
    ]
    return table([kind, "precision", "recall", "F1", "examples"], cells, right=range(1, 5))


def _pairs(classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    found = [
        (times, truth, answer)
        for truth, row in enumerate(matrix)
        for answer, times in enumerate(row)
        if times and truth != answer
    ]
    if not found:
        return "None: no example was taken for another class."
    worst = sorted(found, key=lambda pair: (-pair[0], pair[1], pair[2]))[:PAIRS]
    cells = [
        [escape(classes[truth]), escape(classes[answer]), f"{times:,}", f"{100 * times / sum(matrix[truth]):.1f} %"]
        for times, truth, answer in worst
    ]
    return table(["true class", "taken for", "times", "of its class"], cells, right=(2, 3))
