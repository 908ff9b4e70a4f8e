"""Promises of files as a column: read when asked for, the same as kept, every fault with its row and its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from ft.core.data import files
from ft.core.data.files import Files, probe_files, require_paths, sample_rows, stored_files
from ft.core.data.table import Values
from ft.core.errors import DataError


def read(path: Path, out: np.ndarray) -> Sequence[str]:
    """A file of digits: its number, three times."""
    try:
        out[:] = int(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name}: cannot be read") from error
    return ["are even"] if out[0] % 2 == 0 else []


@pytest.fixture(autouse=True)
def values(tmp_path: Path) -> Values:
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text(str(number * 11))
    return Values(np.array([f"{number}.txt" for number in range(10)]), "scan", "val", folder=tmp_path)


def column(values: Values) -> Files:
    return Files(values, (3,), torch.uint8, read)


def test_rows_come_in_the_order_asked_for(values: Values) -> None:
    taken = column(values).take(torch.tensor([7, 0, 7, 3]))
    assert taken.dtype == torch.uint8
    assert taken.tolist() == [[77] * 3, [0] * 3, [77] * 3, [33] * 3]
    assert column(values).take(torch.tensor([], dtype=torch.int64)).shape == (0, 3)


def test_small_columns_are_kept_and_large_ones_stay_files(values: Values, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(stored_files(column(values), "auto"), torch.Tensor)
    assert isinstance(stored_files(column(values), "files"), Files)
    monkeypatch.setattr(files, "MEMORY_LIMIT", 29)  # bytes; the column has 30
    assert isinstance(stored_files(column(values), "auto"), Files)
    kept = stored_files(column(values), "memory")
    assert isinstance(kept, torch.Tensor)
    assert torch.equal(kept, column(values).take(torch.arange(10)))


def test_what_reading_remarks_is_counted_and_told(values: Values) -> None:
    stored_files(column(values), "memory")
    assert values.notes == ["column scan, val: 5 of 10 files are even"]


def test_a_file_that_cannot_be_read_is_named_with_its_row(values: Values, tmp_path: Path) -> None:
    (tmp_path / "4.txt").write_text("four")
    with pytest.raises(DataError, match=r"column scan, val row 4: 4\.txt: cannot be read"):
        column(values).take(torch.arange(10))
    (tmp_path / "7.txt").unlink()
    assert set(probe_files(values, lambda path: read(path, np.empty(3)))) == {4, 7}


def test_arrow_texts_work_too_and_a_missing_one_is_named(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    arrow = Values(
        pyarrow.array(["2.txt", None, str(tmp_path / "3.txt")], "large_string"), "scan", "val", None, None, tmp_path
    )
    require_paths(arrow, "scans")
    assert column(arrow).take(torch.tensor([2, 0])).tolist() == [[33] * 3, [22] * 3]
    with pytest.raises(DataError, match="row 1: no file is named"):
        column(arrow).take(torch.arange(3))
    assert "no file is named" in probe_files(arrow, lambda path: read(path, np.empty(3)))[1]


def test_a_path_relative_to_several_folders_is_refused(values: Values) -> None:
    lost = Values(values.array, "scan", "val", folder=None)
    with pytest.raises(DataError, match=r"row 0: 0\.txt is relative, and the tables lie in several folders"):
        column(lost).take(torch.arange(1))


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="the values are float64; expected the paths of sounds"):
        require_paths(Values(np.zeros(3), "scan", "val"), "sounds")


def test_the_digest_knows_names_and_sizes_but_not_places_or_times(values: Values, tmp_path: Path) -> None:
    before = column(values).digest()
    elsewhere = tmp_path / "copy"
    elsewhere.mkdir()
    for number in range(10):
        (elsewhere / f"{number}.txt").write_text(str(number * 11))
    assert column(Values(values.array, "scan", "val", folder=elsewhere)).digest() == before
    (elsewhere / "3.txt").write_text("333")
    assert column(Values(values.array, "scan", "val", folder=elsewhere)).digest() != before
    assert column(Values(values.array[::-1], "scan", "val", folder=tmp_path)).digest() != before


@pytest.mark.parametrize("count", [1, 7, 10_000, 10_001, 123_456])
def test_a_sample_is_spread_evenly_over_all_rows(count: int) -> None:
    rows = sample_rows(count)
    assert len(rows) == min(count, 10_000)
    gaps = torch.diff(rows, append=torch.tensor([count]))
    assert rows[0] == 0
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1


def test_work_in_threads_comes_back_in_order_whatever_waits_at_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "AT_ONCE", 3)
    rows = [5, 3, 8, 1, 9, 2, 7]
    assert files.in_threads(lambda place, row: (place, row), rows) == list(enumerate(rows))
    assert files.in_threads(lambda _, row: row, []) == []
