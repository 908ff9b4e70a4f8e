"""Rival for small tables: scikit-learn's histogram gradient boosting under repeated cross-validation.

    python trees.py DATA OUT [--only penguins|titanic|diamonds]

DATA holds penguins.csv, titanic.csv and diamonds.csv. Split: OUT/<table>.csv repeats each with a column fold_0, fold_1,
... for every repetition; rows that are alike in every column share a fold (107 of titanic's and 146 of diamonds' are
copies of another), and classes are spread evenly. In turn a fold is the test, the next one validation, the rest
training; ft gets the same rows by those columns (folds.py). Protocol: the trees' rate and leaves, and when to stop, are
chosen on validation; the test is scored once; OUT/<table>-trees.json holds a score for each fold. Categories go in as
such, missing values as missing. titanic is without `alive`, which is the answer, and without what repeats others.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from rows import Row, read_rows, write_rows
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.preprocessing import OrdinalEncoder

RATES, LEAVES, MOST_TREES, PATIENCE = (0.05, 0.1), (7, 15, 31), 1000, 20


@dataclass(frozen=True)
class Task:
    """One table. metric: as ft calls it."""

    target: str
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    folds: int
    repeats: int
    metric: str = "accuracy"


TASKS = {
    "penguins": Task(
        "species", ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"), ("island", "sex"), 10, 3
    ),
    "titanic": Task("survived", ("age", "sibsp", "parch", "fare"), ("pclass", "sex", "who", "embarked", "deck"), 10, 3),
    "diamonds": Task(
        "price", ("carat", "depth", "table", "x", "y", "z"), ("cut", "color", "clarity"), 5, 2, metric="rmse"
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=TASKS)
    options = parser.parse_args()
    for name in [options.only] if options.only else TASKS:
        task = TASKS[name]
        rows = read_rows(options.data / f"{name}.csv")
        repeats = [fold_of_rows(rows, task, seed) for seed in range(task.repeats)]
        named = [{f"fold_{r}": int(folds[row]) for r, folds in enumerate(repeats)} for row in range(len(rows))]
        write_rows(options.out / f"{name}.csv", [row | folds for row, folds in zip(rows, named, strict=True)])
        scores = list(cross_validate(rows, task, repeats))
        (options.out / f"{name}-trees.json").write_text(json.dumps(scores, indent=1) + "\n")
        print(f"{name}: {task.metric} {mean(score['score'] for score in scores):.4f} over {len(scores)} folds")


def fold_of_rows(rows: Sequence[Row], task: Task, seed: int) -> np.ndarray:
    """int (N,): the fold in which each row is the test."""
    _, alike = np.unique(["\0".join(row.values()) for row in rows], return_inverse=True)
    kind = GroupKFold if task.metric == "rmse" else StratifiedGroupKFold
    targets = [row[task.target] for row in rows]
    fold_of_row = np.empty(len(rows), dtype=np.int64)
    for fold, (_, test) in enumerate(kind(task.folds, shuffle=True, random_state=seed).split(rows, targets, alike)):
        fold_of_row[test] = fold
    return fold_of_row


def cross_validate(rows: Sequence[Row], task: Task, repeats: Sequence[np.ndarray]) -> Iterator[dict[str, float]]:
    """A score for each repetition and fold, in this order, with the sizes that a paired interval needs."""
    inputs, targets = encode(rows, task)
    for repeat, folds in enumerate(repeats):
        for fold in range(task.folds):
            test, val = folds == fold, folds == (fold + 1) % task.folds
            score = fit_and_score(task, inputs, targets, ~(test | val), val, test)
            yield {
                "repeat": repeat, "fold": fold, "score": score,
                "tested": int(test.sum()), "trained": int((~(test | val)).sum()),
            }  # fmt: skip


def encode(rows: Sequence[Row], task: Task) -> tuple[np.ndarray, np.ndarray]:
    """float (N, columns), numbers first and missing values as NaN, and the targets."""
    numbers = np.array([[float(row[name] or "nan") for name in task.numbers] for row in rows])
    names = np.array([[row[name] or None for name in task.categories] for row in rows], dtype=object)
    codes = OrdinalEncoder(encoded_missing_value=np.nan).fit_transform(names)
    targets = np.array([row[task.target] for row in rows])
    return np.hstack([numbers, codes]), targets.astype(float) if task.metric == "rmse" else targets


def fit_and_score(
    task: Task, inputs: np.ndarray, targets: np.ndarray, train: np.ndarray, val: np.ndarray, test: np.ndarray
) -> float:
    """The test's score of the trees that validation likes best. train, val, test: bool (N,)."""
    regression = task.metric == "rmse"
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    score = root_mean_squared_error if regression else accuracy_score
    models = []
    for rate in RATES:
        for leaves in LEAVES:
            model = kind(
                learning_rate=rate,
                max_leaf_nodes=leaves,
                max_iter=MOST_TREES,
                early_stopping=True,
                n_iter_no_change=PATIENCE,
                categorical_features=[False] * len(task.numbers) + [True] * len(task.categories),
                random_state=0,
            )
            model.fit(inputs[train], targets[train], X_val=inputs[val], y_val=targets[val])
            loss = (
                score(targets[val], model.predict(inputs[val]))
                if regression
                else log_loss(targets[val], model.predict_proba(inputs[val]), labels=model.classes_)
            )
            models.append((loss, len(models), model))
    return float(score(targets[test], min(models)[2].predict(inputs[test])))


if __name__ == "__main__":
    main()
