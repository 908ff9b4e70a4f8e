"""TensorBoard scalars, written with tensorboard's own record writer.

`torch.utils.tensorboard` gives the same files but takes 2.4 s to import; this takes 0.3 s. Its event writer has a
thread of its own that dies with a traceback where the disk is full; a line now and then needs none.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from ft.core.engine.consumers import metrics_row
from ft.core.engine.events import Event, Finished
from ft.core.errors import MissingExtraError, ResourceError

_NUMBERS = count()  # of the files of one process


class BoardWriter:
    """Writes every number of `metrics.jsonl` as a scalar (`train/loss`, `validation/accuracy`), the settings as text.

    step: that a run goes on from; what an earlier process wrote of later ones is not shown.

    Raises MissingExtraError when tensorboard is not installed, ResourceError when the file cannot be written.
    """

    def __init__(self, folder: Path, settings: str, step: int | None = None) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event as Record
            from tensorboard.compat.proto.event_pb2 import SessionLog
            from tensorboard.compat.proto.summary_pb2 import Summary
            from tensorboard.plugins.text.summary_v2 import text_pb
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise MissingExtraError("tensorboard: true", "board") from error
        self._record, self._summary = Record, Summary
        now = time.time()
        self._path = (
            folder / f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}.{next(_NUMBERS)}"
        )
        with self._telling():
            folder.mkdir(exist_ok=True)
            self._file = RecordWriter(self._path.open("wb"))
        self._write(Record(wall_time=now, file_version="brain.Event:2"))
        if step is not None:
            begin = SessionLog(status=SessionLog.START)
            self._write(Record(wall_time=now, step=step + 1, session_log=begin))
        self._add(0, text_pb("settings", f"```yaml\n{settings}\n```"))

    def __call__(self, event: Event) -> None:
        """Write the event's numbers; close the file at the end. Raises ResourceError when they cannot be written."""
        row = metrics_row(event)
        if row is not None:
            group, step = row.pop("event"), row.pop("step")
            for output, weight in row.pop("loss_weights", {}).items():
                row[f"loss_weights/{output}"] = weight
            numbers = {key: value for key, value in row.items() if isinstance(value, int | float)}  # not names of units
            values = [self._summary.Value(tag=f"{group}/{key}", simple_value=value) for key, value in numbers.items()]
            self._add(step, self._summary(value=values))
        if isinstance(event, Finished):
            self.close()

    def close(self) -> None:
        """Write what is not yet on the disk. Once more does nothing."""
        with self._telling():
            self._file.close()

    def _add(self, step: int, summary: object) -> None:
        self._write(self._record(wall_time=time.time(), step=step, summary=summary))

    def _write(self, record: Any) -> None:
        with self._telling():
            self._file.write(record.SerializeToString())
            self._file.flush()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ResourceError(f"cannot write {self._path}: {error.strerror or error}") from error


def check_board(wish: bool | str) -> None:
    """Raise MissingExtraError when tensorboard is asked for (True, not "auto") and not installed."""
    if wish is True and not board_is_installed():
        raise MissingExtraError("tensorboard: true", "board")


def board_is_installed() -> bool:
    """Whether tensorboard can be imported, found out without importing it."""
    return find_spec("tensorboard") is not None
