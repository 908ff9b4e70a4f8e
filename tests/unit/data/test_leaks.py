"""Promises of the leak notes: the rows that a set of tuples finds, and nothing where rows cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ft.core.data.leaks import leak_notes, row_hashes
from ft.core.data.loader import Examples
from ft.core.data.stored import Ragged


def coarse(rows: int, seed: int) -> Examples:
    """Columns of every width and kind, of so few values that rows repeat; texts may be empty."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 3, rows)
    inputs = {
        "number": torch.from_numpy(rng.integers(0, 2, (rows, 1)).astype(np.float32)),
        "signs": torch.from_numpy(rng.choice([-1.0, 1.0], (rows, 4)).astype(np.float32)),  # differ in the top bits
        "picture": torch.from_numpy(rng.integers(0, 2, (rows, 1, 1, 3), dtype=np.uint8)),  # 3 bytes: padded
        "text": Ragged.of(lengths, rng.integers(2, 4, lengths.sum())),
    }
    return Examples(inputs, {"answer": torch.from_numpy(rng.integers(0, 2, rows))}, None, rows)


def tuples(examples: Examples) -> list[tuple[object, ...]]:
    """Each row as what it is, by hand."""
    columns = [*examples.inputs.values(), *examples.targets.values()]
    return [
        tuple(str((c.row(row) if isinstance(c, Ragged) else c[row]).tolist()) for c in columns)  # type: ignore[index]
        for row in range(len(examples))
    ]


def test_rows_are_equal_where_their_tuples_are() -> None:
    examples = coarse(6_000, 0)  # more than one block of texts
    hashes, rows = row_hashes(examples).tolist(), tuples(examples)
    assert 1_000 < len(set(rows)) < 6_000
    assert len(set(zip(hashes, rows, strict=True))) == len(set(rows)) == len(set(hashes))


def test_the_counts_are_those_of_sets_of_tuples() -> None:
    splits = {
        split: coarse(rows, seed) for seed, (split, rows) in enumerate({"train": 900, "val": 300, "test": 200}.items())
    }
    known = {split: set(tuples(some)) for split, some in splits.items()}
    expected = []
    for split, other, called in (
        ("val", "train", "training"),
        ("test", "train", "training"),
        ("test", "val", "validation"),
    ):
        rows = tuples(splits[split])
        count = sum(row in known[other] for row in rows)
        told = f"{count} of {len(rows)} rows equal {called} rows, inputs and answer alike; ft data check shows them"
        expected.append(f"{split}: {told}")
    assert leak_notes(splits) == expected


def numbers(values: list[int], answers: list[int]) -> Examples:
    return Examples({"x": torch.tensor(values)}, {"y": torch.tensor(answers)}, None, len(values))


@pytest.mark.parametrize(("rows", "told"), [(100, True), (101, False)])
def test_less_than_one_row_in_a_hundred_is_not_told(rows: int, told: bool) -> None:
    train, test = list(range(1_000, 1_200)), [1_000, *range(rows - 1)]
    notes = leak_notes({"train": numbers(train, [0] * len(train)), "test": numbers(test, [0] * rows)})
    assert bool(notes) == told


def test_another_answer_makes_another_row() -> None:
    assert leak_notes({"train": numbers([1, 2], [0, 1]), "test": numbers([1, 2], [1, 0])}) == []


def test_one_split_alone_and_columns_of_files_are_not_compared() -> None:
    class Lazy:
        """Stands for files: would fail if a row were taken."""

        lengths = None

        def __len__(self) -> int:
            return 2

    some = numbers([1, 2], [0, 1])
    lazy = Examples({**some.inputs, "file": Lazy()}, some.targets, None, 2)  # type: ignore[dict-item]
    assert leak_notes({"train": some}) == []
    assert leak_notes({"train": lazy, "test": lazy}) == []
