"""How each class or label fared, and which were taken for which; whole for few of them, the worst of many."""

from __future__ import annotations

from collections.abc import Sequence

from ft.core.metrics.scores import ClassScores, Scores
from ft.core.report.page import Block, Cell, Table, Words
from ft.core.report.text import number

CLASS_ROWS = 100  # more classes than this: only the hardest are listed
HARDEST = 30
MATRIX_CLASSES = 20  # more than this and the matrix is wider than a page
PAIRS = 15
COLOURS = "Blue was answered rightly, orange was taken for another; the deeper, the larger the share of the true class."


def class_table(scores: Scores) -> list[Block]:
    """Precision, recall and F1 by class or label, in their order; above 100 those of lowest F1."""
    rows: Sequence[ClassScores] = scores.per_class or []
    kind, kinds = ("class", "classes") if scores.classes else ("label", "labels")
    if len(rows) <= CLASS_ROWS:
        return [_class_rows(rows, kind)]
    occurring = [row for row in rows if row.support]
    hardest = sorted(occurring, key=lambda row: row.f1)[:HARDEST]
    return [Words(f"The {len(hardest)} of {len(rows)} {kinds} with the lowest F1:"), _class_rows(hardest, kind)]


def confusion(scores: Scores) -> list[Block]:
    """The matrix, true classes down and predicted ones across; above 20 classes the pairs confused most often."""
    classes, matrix = scores.classes or [], scores.confusion
    if matrix is None:
        return [Words(f"Not counted: {len(classes)} classes.")]
    if len(classes) > MATRIX_CLASSES:
        note = f"The whole matrix of {len(classes)} classes is too wide to read; the pairs confused most often:"
        return [Words(note), _pairs(classes, matrix)]
    rows = [
        [Cell(name, strong=True), *(_counted(cell, row, column == truth) for column, cell in enumerate(row))]
        for truth, (name, row) in enumerate(zip(classes, matrix, strict=True))
    ]
    note = "Rows are the true classes, columns the predicted ones; · is 0."
    right, caption = range(1, len(classes) + 1), "Which class was taken for which"
    return [Words(note), Table(caption, ["", *classes], rows, right, matrix=True, legend=COLOURS)]


def _counted(times: int, row: Sequence[int], is_right: bool) -> Cell:
    """A cell of the matrix: coloured by its share of the true class; a few errors are made to be seen."""
    share = times / sum(row) if times else 0.0
    heat = share if is_right else share**0.4
    return Cell(str(times) if times else "·", tone="good" if is_right else "bad", heat=heat)


def _class_rows(rows: Sequence[ClassScores], kind: str) -> Table:
    cells: list[list[Cell | str]] = [
        [row.name, *map(_drawn, (row.precision, row.recall, row.f1)), f"{row.support:,}"] for row in rows
    ]
    caption = f"Precision, recall and F1 of each {kind}"
    return Table(caption, [kind, "precision", "recall", "F1", "examples"], cells, right=range(1, 5))


def _drawn(share: float) -> Cell:
    return Cell(number(share), share=share)


def _pairs(classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> Block:
    found = [
        (times, truth, answer)
        for truth, row in enumerate(matrix)
        for answer, times in enumerate(row)
        if times and truth != answer
    ]
    if not found:
        return Words("None: no example was taken for another class.")
    worst = sorted(found, key=lambda pair: (-pair[0], pair[1], pair[2]))[:PAIRS]
    cells: list[list[Cell | str]] = [
        [classes[truth], classes[answer], f"{times:,}", _of_class(times / sum(matrix[truth]))]
        for times, truth, answer in worst
    ]
    head = ["true class", "taken for", "times", "of its class"]
    return Table("The classes that were confused most often", head, cells, right=(2, 3))


def _of_class(share: float) -> Cell:
    return Cell(f"{100 * share:.1f} %", share=share, tone="bad")
