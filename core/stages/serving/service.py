"""What is shared by all requests of one service: the model, the queue, the limits, and whether it is about to stop."""

from __future__ import annotations

import asyncio
import hmac
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from starlette.requests import ClientDisconnect, Request

from ft.core.runtime.cores import cores
from ft.core.stages.serving.answering import Answerer
from ft.core.stages.serving.batching import Batcher, Waiting
from ft.core.stages.serving.limits import Limits, Refused, busy
from ft.core.stages.serving.meters import Meters

STOPPING = "the service is about to stop"


class Service:
    """answerer: the model. facts: what `/schema` says. token: None where nobody needs one.

    Lives in one event loop; the answerer reads in a few threads and answers in one.
    """

    def __init__(self, answerer: Answerer, facts: dict[str, Any], limits: Limits, token: str | None = None) -> None:
        self.answerer, self.facts, self.limits = answerer, facts, limits
        self.meters = Meters()
        self.in_flight = 0
        self.stopping = False
        self._token = None if token is None else token.encode()
        self._held = 0
        self._reading: set[asyncio.Timeout] = set()
        self._pool = ThreadPoolExecutor(cores(), "decode")
        self._batcher = Batcher(
            answerer.answer,
            max_batch=limits.max_batch,
            batch_wait_s=limits.batch_wait_s,
            queue=limits.queue,
            on_batch=self.meters.batch,
        )

    @property
    def waiting(self) -> int:
        """Examples in the queue."""
        return self._batcher.rows

    @property
    def ready(self) -> bool:
        """Whether a request would be taken now."""
        return self._batcher.alive and not self.stopping and self.waiting < self.limits.queue

    @property
    def guarded(self) -> bool:
        """Whether a token is asked for."""
        return self._token is not None

    def knows(self, authorization: bytes) -> bool:
        """Whether the header `Authorization` brings the token. Takes as long for a wrong one."""
        scheme, _, given = authorization.partition(b" ")
        return self._token is None or (hmac.compare_digest(given.strip(), self._token) and scheme.lower() == b"bearer")

    def stop_taking(self) -> None:
        """No new work; bodies that are still on their way are refused, as slow senders must not hold up the end."""
        self.stopping = True
        now = asyncio.get_running_loop().time()
        for timeout in self._reading:
            timeout.reschedule(now)

    def close(self, timeout_s: float) -> bool:
        """Answer what waits and end the threads. Whether that was done in time."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        return self._batcher.close(timeout_s)

    async def predict(self, request: Request, top: int | None) -> tuple[dict[str, Any], int]:
        """The answer's body, and how many rows went through the network together. Raises Refused."""
        if self.stopping:
            raise busy(STOPPING)
        deadline = time.monotonic() + self.limits.timeout_s
        body = bytearray()
        try:
            await self._receive(request, body)
            with self._batcher.coming():
                loop, kind = asyncio.get_running_loop(), request.headers.get("content-type", "")
                question = await loop.run_in_executor(self._pool, self.answerer.read, kind, bytes(body), top)
                waiting = self._batcher.submit(question)
        finally:
            self._held -= len(body)
        del body
        answers = await self._answered(waiting, deadline - time.monotonic())
        return {"predictions": answers, "notes": list(question.notes)}, waiting.batch

    async def _answered(self, waiting: Waiting, left_s: float) -> list[dict[str, Any]]:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(waiting.future), max(left_s, 0.001))
        except TimeoutError as error:
            raise busy(f"no answer within {self.limits.timeout_s:g} s; too many others ask") from error

    async def _receive(self, request: Request, body: bytearray) -> None:
        """Fill body, counted among all that are held.

        Raises Refused: 408 for a slow sender, 413 for too many bytes, 503 where others hold too many.
        """
        told = request.headers.get("content-length", "")
        if told.isdecimal() and int(told) > self.limits.body:
            raise self._too_large()
        try:
            async with asyncio.timeout(self.limits.timeout_s) as timeout:
                self._reading.add(timeout)
                try:
                    async for chunk in request.stream():
                        if len(body) + len(chunk) > self.limits.body:
                            raise self._too_large()
                        if self._held + len(chunk) > self.limits.bodies:
                            raise busy("other requests fill the memory there is for bodies")
                        body += chunk
                        self._held += len(chunk)
                finally:
                    self._reading.discard(timeout)
        except TimeoutError as error:
            if self.stopping:
                raise busy(STOPPING) from error
            raise Refused(408, f"the body was not there after {self.limits.timeout_s:g} s", "body") from error
        except ClientDisconnect as error:
            raise Refused(400, "the sender left before the body was whole", "body") from error

    def _too_large(self) -> Refused:
        return Refused(413, f"the body is larger than {self.limits.body:,} bytes", "body")
