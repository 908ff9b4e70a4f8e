"""Around every request, before FastAPI sees it: the token, the count, the access log, and errors as JSON.

An answer that comes before the whole request was read is followed by a short while of listening to the rest, as a
closed socket with unread bytes would take the answer away from the sender.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ft.core.stages.serving.limits import Refused
from ft.core.stages.serving.service import Service

OPEN = ("/", "/health", "/ready")  # without a token: they tell nothing of the model
PATHS = (*OPEN, "/predict", "/schema", "/metrics", "/docs", "/openapi.json")
LINGER_S = 2.0  # seconds of listening to a request that has its answer already
LONGEST = 200  # characters of a path in the log
CLOSE = (b"connection", b"close")


class Guard:
    """log: one line a request, None for none."""

    def __init__(self, app: ASGIApp, service: Service, log: Callable[[str], None] | None) -> None:
        self._app, self._service, self._log = app, service, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send, self._service)
        self._service.in_flight += 1
        try:
            await self._answer(scope, exchange)
        finally:
            self._service.in_flight -= 1
            self._tell(scope, exchange)

    async def _answer(self, scope: Scope, exchange: Exchange) -> None:
        try:
            if scope["path"] not in OPEN and not self._service.knows(_header(scope, b"authorization")):
                raise Refused(401, "needs the header Authorization: Bearer TOKEN", "Authorization")
            await self._app(scope, exchange.receive, exchange.send)
        except Refused as refusal:
            await exchange.refuse(refusal)
        except Exception as error:
            traceback.print_exception(error, file=sys.stderr)
            said = f"this is a bug in ft: {type(error).__name__}"
            await exchange.refuse(Refused(500, said, scope["path"]))

    def _tell(self, scope: Scope, exchange: Exchange) -> None:
        path = scope["path"] if scope["path"] in PATHS else "other"
        seconds = time.perf_counter() - exchange.started
        self._service.meters.request(path, exchange.status, seconds)
        if self._log is not None:
            raw = scope["raw_path"].decode("ascii", "replace")[:LONGEST]  # as sent: no line breaks, no colours
            rows = scope.get("ft", "")
            client = scope["client"][0] if scope["client"] else "-"
            self._log(f"{client} {scope['method']} {raw} {exchange.status} {1000 * seconds:.1f} ms{rows}")


class Exchange:
    """One request and its answer, watched. status: 499 until there is an answer, as the sender may leave before."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, service: Service) -> None:
        self.status, self.started = 499, time.perf_counter()
        self._receive, self._send, self._service = receive, send, service
        length = _header(scope, b"content-length")
        self._unread = bool(_header(scope, b"transfer-encoding")) or length not in (b"", b"0")
        self._begun = self._ended = False

    async def receive(self) -> Message:
        """ASGI's, noting the end of the body."""
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        """ASGI's. The connection ends where the service does, or where the request was not read to its end."""
        if message["type"] == "http.response.start":
            self._begun, self.status = True, message["status"]
            if self._service.stopping or self._unread:
                message = {**message, "headers": [*message.get("headers", []), CLOSE]}
        elif not message.get("more_body", False):
            self._ended = True
            if self._unread and self.status != 408:
                await self._send({**message, "more_body": True})
                await self._listen()
                message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def refuse(self, refusal: Refused) -> None:
        """The JSON body of an error, if nothing was said yet."""
        if self._ended or self._begun:
            return
        body = json.dumps(refusal.body()).encode()
        told: dict[str, Any] = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        headers = [(name.lower().encode(), value.encode()) for name, value in (told | refusal.headers()).items()]
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def _listen(self) -> None:
        try:
            async with asyncio.timeout(LINGER_S):
                while self._unread:
                    await self.receive()  # into nowhere
        except TimeoutError:
            return


def _header(scope: Scope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""
