"""A service on a free port of this machine, in a thread of this process, and plain ways to ask it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ft.core.stages.serving.answering import answerer_of
from ft.core.stages.serving.describe import facts_of
from ft.core.stages.serving.limits import Address, Limits
from ft.core.stages.serving.run import answer_until, bound
from ft.core.stages.serving.service import Service
from ft.core.stages.serving.start import open_model

WAIT_S = 60  # before a test gives up


@dataclass
class Said:
    """An answer of the service."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """The status of an error and where it is; its body has nothing but error and where."""
        assert self.json.keys() == {"error", "where"}
        assert self.json["error"]
        return self.status, self.json["where"]

    @property
    def answers(self) -> list[dict[str, Any]]:
        assert self.status == 200, self.body
        found: list[dict[str, Any]] = self.json["predictions"]
        return found


@dataclass
class Running:
    """port: where it answers. lines: of the access log. stop: asks it to stop, as a signal would."""

    port: int
    service: Service
    stop: Callable[[], None]
    lines: list[str] = field(default_factory=list)

    def ask(
        self, path: str = "/predict", body: Any = None, kind: str = "application/json", method: str = "", **headers: str
    ) -> Said:
        """One request on a connection of its own. body: bytes, or what becomes JSON; None: GET."""
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        told = {"Content-Type": kind} if content is not None else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, content, told | headers)
            answer = connection.getresponse()
            return Said(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def send(self, payload: bytes) -> socket.socket:
        """A connection on which these bytes were sent."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        made.sendall(payload)
        return made


@contextmanager
def serving(checkpoint: Path, limits: Limits | None = None, token: str | None = None) -> Iterator[Running]:
    """A service over a checkpoint; it is stopped at the end, if the test did not, and must end without an error."""
    limits = limits or Limits(grace_s=20)
    rebuilt, engine = open_model(checkpoint)
    answerer = answerer_of(rebuilt, limits)
    service = Service(answerer, facts_of(rebuilt, answerer, limits, str(checkpoint), engine), limits, token)
    ready, errors = threading.Event(), []
    running: list[Running] = []

    async def main(listening: socket.socket) -> None:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        port = listening.getsockname()[1]
        running.append(Running(port, service, lambda: loop.call_soon_threadsafe(told.set) and None))
        log = running[0].lines.append
        await answer_until(told, service, listening, on_ready=ready.set, log=log)

    def run(listening: socket.socket) -> None:
        try:
            asyncio.run(main(listening))
        except BaseException as error:
            errors.append(error)
            ready.set()

    with bound(Address(port=0, token=token)) as listening:
        thread = threading.Thread(target=run, args=(listening,))
        thread.start()
        assert ready.wait(WAIT_S)
        try:
            yield running[0]
        finally:
            if thread.is_alive():
                running[0].stop()
            thread.join(WAIT_S)
    assert not thread.is_alive()
    assert errors == []


def form(parts: Sequence[tuple[str, str | None, bytes]]) -> tuple[bytes, str]:
    """multipart/form-data of (name, filename, content), and its content type."""
    lines = bytearray()
    for name, filename, content in parts:
        told = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        lines += f"--edge\r\nContent-Disposition: {told}\r\n\r\n".encode() + content + b"\r\n"
    return bytes(lines + b"--edge--\r\n"), "multipart/form-data; boundary=edge"
