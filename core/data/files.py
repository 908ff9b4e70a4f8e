"""A column of files, one for each row: decoded at once and kept while that is small, else read when asked for.

What a file holds is for decode.py and sound.py to know. Threads read, as Pillow and soundfile let go of the interpreter
lock while they decode.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from ft.core.data import cells
from ft.core.data.columns.reading import describe_dtype, is_text
from ft.core.data.stored import Stored
from ft.core.data.table import Values
from ft.core.errors import DataError
from ft.core.runtime.cores import cores

MEMORY_LIMIT = 1 << 30  # bytes of a decoded column: two such splits fit beside a model on a machine of 8 GB
SAMPLE = 10_000  # files that statistics of training are taken from: a mean over so many is good to 1 % of a deviation

AT_ONCE = 4_096  # rows handed to threads: each that waits takes a kilobyte or two, a gigabyte for a million

Keep: TypeAlias = Literal["auto", "memory", "disk", "files"]
Read: TypeAlias = Callable[[Path, np.ndarray], Sequence[str]]
Result = TypeVar("Result")


class Files:
    """Rows that are read when they are taken.

    values: the paths, as texts. row_shape, dtype: of one decoded file. read: fills an array of that kind from a file
    and returns what the user should know of it ("was cut"), or raises DataError.
    """

    lengths = None

    def __init__(self, values: Values, row_shape: tuple[int, ...], dtype: torch.dtype, read: Read) -> None:
        self._values, self._row_shape, self._dtype, self._read = values, row_shape, dtype, read
        self._remarks: Counter[str] = Counter()
        self._files_read = 0

    def __len__(self) -> int:
        return len(self._values.array)

    @property
    def nbytes(self) -> int:
        """Size once decoded."""
        return len(self) * int(np.prod(self._row_shape)) * self._dtype.itemsize

    def take(self, rows: Tensor) -> Tensor:
        """rows: int64 (B,) on the CPU -> (B, *row_shape). Raises DataError naming the row and the file."""
        out = torch.empty(len(rows), *self._row_shape, dtype=self._dtype)
        arrays = out.numpy()

        def read(place: int, row: int) -> Sequence[str]:
            return self.fill(row, arrays[place])

        for remarks in in_threads(read, rows.tolist()):
            self._remarks.update(remarks)
        self._files_read += len(rows)
        return out

    def fill(self, row: int, out: np.ndarray) -> Sequence[str]:
        """One row into out, of row_shape, by one of several threads; what the user should know of it."""
        return at_row(self._values, row, lambda path: self._read(path, out))

    def note_remarks(self) -> None:
        """Tell the user what was found in the files that were read so far."""
        for remark, count in sorted(self._remarks.items()):
            self._values.note(f"{count:,} of {self._files_read:,} files {remark}")
        self._remarks.clear()

    def digest(self) -> bytes:
        """Of the paths as the data name them and of the files' sizes; not of times, nor of where the folder lies."""
        digest = hashlib.sha256()
        for row, text in enumerate(cells.texts(self._values.array)):
            try:
                size = path_of(self._values, row).stat().st_size
            except OSError:  # reading it will say so
                size = -1
            digest.update(f"{text}\0{size}\n".encode(errors="surrogateescape"))
        return digest.digest()


def stored_files(files: Files, keep: Keep) -> Stored:
    """The files decoded into one tensor if they are to be kept in memory, else themselves.

    Raises DataError naming the first file that cannot be read.
    """
    if not in_memory(files.nbytes, keep):
        return files
    decoded = files.take(torch.arange(len(files)))
    files.note_remarks()
    return decoded


def in_memory(nbytes: int, keep: Keep) -> bool:
    """The rule: memory and files as they say, auto by the decoded size of the column."""
    return keep == "memory" or (keep == "auto" and nbytes <= MEMORY_LIMIT)


def sample_rows(count: int) -> Tensor:
    """Up to SAMPLE row numbers, evenly over all, rising: int64."""
    taken = min(count, SAMPLE)
    return torch.arange(taken) * count // taken


def path_of(values: Values, row: int) -> Path:
    """The file that a cell names. Raises DataError when it names none, or when it is not clear below which folder."""
    text = next(cells.texts(values.array[row : row + 1]))
    if not text.strip():
        raise values.error("no file is named", row)
    path = Path(text)
    if path.is_absolute():
        return path
    if values.folder is None:
        message = f"{text} is relative, and the tables lie in several folders; write whole paths, or use one folder"
        raise values.error(message, row)
    return values.folder / path


def at_row(values: Values, row: int, look: Callable[[Path], Result]) -> Result:
    """What look says of a row's file. Raises DataError naming the row where look names the file, if they differ."""
    path = path_of(values, row)
    try:
        return look(path)
    except DataError as error:
        raise values.error(str(error), None if named_by_file(values, row) else row) from error


def named_by_file(values: Values, row: int) -> bool:
    """Whether a row is called as its file is, so that a message which names the file need not name the row."""
    return values.names is not None and values.names[row] == next(cells.texts(values.array[row : row + 1]))


def require_paths(values: Values, what: str) -> None:
    """Raises DataError when the values are no texts. what: what the files hold, e.g. sounds."""
    if not is_text(values.array):
        raise values.error(f"the values are {describe_dtype(values.array)}; expected the paths of {what}")


def probe_files(values: Values, look: Callable[[Path], object]) -> dict[int, str]:
    """Why files cannot be used, by row; empty when all can. look: reads one, raises DataError."""

    def fault(_: int, row: int) -> str | None:
        try:
            look(path_of(values, row))
        except DataError as error:
            return str(error)
        return None

    faults = in_threads(fault, range(len(values.array)))
    return {row: fault for row, fault in enumerate(faults) if fault is not None}


def in_threads(work: Callable[[int, int], Result], rows: Sequence[int]) -> list[Result]:
    """work(place, row) for every row, in order. The first failure by place comes out, and what waits is given up."""
    if len(rows) == 1:
        return [work(0, rows[0])]
    done: list[Result] = []
    with ThreadPoolExecutor(cores()) as pool:
        try:
            for first in range(0, len(rows), AT_ONCE):
                some = rows[first : first + AT_ONCE]
                done += pool.map(work, range(first, first + len(some)), some)
            return done
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
