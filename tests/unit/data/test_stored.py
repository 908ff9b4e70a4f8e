"""Promises of ragged rows: padded with 0 to the longest of a batch, never empty, the same contents the same digest."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from ft.core.data.stored import Ragged, take

ROWS = [[5, 6, 7], [], [2], [9, 8]]


def ragged(rows: list[list[int]]) -> Ragged:
    return Ragged.of(np.array([len(row) for row in rows]), np.array([token for row in rows for token in row]))


def test_rows_are_filled_with_0_up_to_the_longest_of_the_batch() -> None:
    column = ragged(ROWS)
    assert len(column) == 4
    assert column.lengths.tolist() == [3, 0, 1, 2]
    assert take(column, torch.tensor([3, 1, 2])).tolist() == [[9, 8], [0, 0], [2, 0]]
    assert take(column, torch.tensor([0])).dtype == torch.int64
    assert [column.row(row).tolist() for row in range(4)] == ROWS


def test_a_batch_of_empty_rows_has_one_place() -> None:
    assert take(ragged(ROWS), torch.tensor([1, 1])).tolist() == [[0], [0]]


def test_rows_without_any_token_and_batches_without_rows_have_a_shape_too() -> None:
    nothing = ragged([[], [], []])
    assert take(nothing, torch.tensor([2, 0])).tolist() == [[0], [0]]
    for column in (nothing, ragged(ROWS)):
        assert take(column, torch.tensor([], dtype=torch.int64)).shape == (0, 1)


def test_long_rows_are_padded_as_torch_pads_them() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.integers(2, 30_000, length).tolist() for length in rng.integers(0, 40, 300)]
    chosen = rng.integers(0, 300, 64)
    expected = pad_sequence([torch.tensor(rows[row], dtype=torch.int64) for row in chosen], batch_first=True)
    assert torch.equal(take(ragged(rows), torch.from_numpy(chosen)), expected)


def test_the_digest_tells_rows_apart_that_hold_the_same_tokens() -> None:
    assert ragged(ROWS).digest() == ragged(ROWS).digest()
    assert ragged([[1, 2], [3]]).digest() != ragged([[1], [2, 3]]).digest()


def test_rows_of_a_tensor_are_selected() -> None:
    assert take(torch.arange(6).view(3, 2), torch.tensor([2, 0])).tolist() == [[4, 5], [0, 1]]
