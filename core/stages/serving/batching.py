"""Many requests, one thread that runs the network: what waits goes through it together.

A batch never waits for requests that may never come: only while others are on their way (their bodies are whole and
being decoded), and at most `batch_wait_s` after the first of the batch came. While the network works the next batch
gathers by itself. Dynamic batching as in Crankshaw et al., "Clipper" (NSDI 2017), with a fixed largest batch.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ft.core.errors import DivergedError
from ft.core.stages.serving.answering import Question
from ft.core.stages.serving.limits import Refused, busy

Answers: TypeAlias = "list[dict[str, Any]]"


@dataclass
class Waiting:
    """A question in the queue. batch: how many rows went through the network with it, once answered."""

    question: Question
    future: Future[Answers] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)
    batch: int = 0


class Batcher:
    """answer: of many questions, an entry or a Refused for each. on_batch: told the rows of every batch.

    Thread-safe. The thread is a daemon: a network that hangs does not keep the process from ending.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Question]], Sequence[Answers | Refused]],
        *,
        max_batch: int,
        batch_wait_s: float,
        queue: int,
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._answer, self._on_batch = answer, on_batch
        self._max_batch, self._wait_s, self._most = max_batch, batch_wait_s, queue
        self._queue: deque[Waiting] = deque()
        self._rows = self._coming = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="network", daemon=True)
        self._thread.start()

    @property
    def rows(self) -> int:
        """How many wait."""
        return self._rows

    @property
    def alive(self) -> bool:
        """Whether questions are answered."""
        return self._thread.is_alive() and not self._closed

    @contextmanager
    def coming(self) -> Iterator[None]:
        """A request whose body is whole and is being decoded. Raises Refused (503) when the queue is full already."""
        with self._changed:
            if self._rows + self._coming >= self._most:
                raise _full(self._most)
            self._coming += 1
        try:
            yield
        finally:
            with self._changed:
                self._coming -= 1
                self._changed.notify()

    def submit(self, question: Question) -> Waiting:
        """Into the queue, or Refused (503) where its rows have no place in it."""
        waiting = Waiting(question)
        with self._changed:
            if self._rows + question.rows > self._most:
                raise _full(self._most)
            if self._closed:
                raise busy("the service is about to stop")
            self._queue.append(waiting)
            self._rows += question.rows
            self._changed.notify()
        return waiting

    def close(self, timeout_s: float) -> bool:
        """Answer what waits, then end the thread. Whether it ended in time."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while batch := self._next():
            rows = sum(each.question.rows for each in batch)
            self._on_batch(rows)
            for each in batch:
                each.batch = rows
            _settle(batch, self._answered([each.question for each in batch]))

    def _next(self) -> list[Waiting]:
        """What goes through the network next; empty once all is closed and nothing waits."""
        with self._changed:
            batch: list[Waiting] = []
            while not batch:
                while not self._queue and not self._closed:
                    self._changed.wait()
                if not self._queue:
                    return []
                self._let_others_come(self._queue[0].since + self._wait_s)
                batch = self._taken()
            return batch

    def _let_others_come(self, deadline: float) -> None:
        while self._coming and self._rows < self._max_batch and (left := deadline - time.monotonic()) > 0:
            self._changed.wait(left)

    def _taken(self) -> list[Waiting]:
        """From the front, as many as go together; of those that were given up none."""
        batch: list[Waiting] = []
        rows = 0
        while self._queue and (not batch or rows + self._queue[0].question.rows <= self._max_batch):
            waiting = self._queue.popleft()
            self._rows -= waiting.question.rows
            if waiting.future.set_running_or_notify_cancel():
                batch.append(waiting)
                rows += waiting.question.rows
        return batch

    def _answered(self, questions: Sequence[Question]) -> Sequence[Answers | Refused]:
        """Whatever the network raises is the answer to every question of the batch, and the thread lives on."""
        try:
            return self._answer(questions)
        except DivergedError as error:
            return [Refused(500, str(error), "/predict")] * len(questions)
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)
            said = f"the model failed: {type(error).__name__}: {error}".splitlines()[0]
            return [Refused(500, said, "/predict")] * len(questions)


def _settle(batch: Sequence[Waiting], answers: Sequence[Answers | Refused]) -> None:
    for waiting, answer in zip(batch, answers, strict=True):
        if isinstance(answer, Refused):
            waiting.future.set_exception(answer)
        else:
            waiting.future.set_result(answer)


def _full(most: int) -> Refused:
    return busy(f"{most:,} examples wait already; ask again in a moment")
