"""uvicorn's HTTP/1.1 with three things it lacks: a deadline for a request's head, one for a reader that reads nothing,
and JSON for what is no HTTP at all.

Without the first, connections that send a letter now and then (a slow loris) stay open for ever.
"""

from __future__ import annotations

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_S = 10.0  # at most, for the head of a request


class Bounded(H11Protocol):
    """seconds: from a request's first byte to the end of its head, and of an answer that nobody reads."""

    seconds = HEAD_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._head: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head, self._stuck):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg.removesuffix("."), "request")

    @property
    def _busy(self) -> bool:
        """Whether a request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first
        return cycle is not None and not cycle.response_complete

    def _watch_head(self) -> None:
        """A timer runs while a head has begun and is not whole; between requests uvicorn's own does."""
        if self._busy:
            if self._head is not None:
                self._head.cancel()
                self._head = None
        elif self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(self.seconds, self._end_head)

    def _end_head(self) -> None:
        self._head = None
        if not self.transport.is_closing() and not self._busy:
            self._refuse(408, f"the head of the request was not there after {self.seconds:g} s", "request")

    def _refuse(self, status: int, error: str, where: str) -> None:
        """An answer to what is no request, and the end of the connection."""
        body = json.dumps({"error": error, "where": where}).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
        try:
            for event in (
                h11.Response(status_code=status, headers=headers),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # an answer to an earlier request is on its way, or was the last
            pass
        self.transport.close()


def bounded(seconds: float) -> type[Bounded]:
    """The protocol with these deadlines."""
    return type("BoundedProtocol", (Bounded,), {"seconds": min(seconds, HEAD_S)})
