"""From a model to a socket that answers, and from a signal to an orderly end.

The end: `/ready` says no, new work is refused with 503, every request that was taken gets its answer, connections
close, the process ends. A second signal ends it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Iterator

import uvicorn

from ft.core.errors import ConfigError, ResourceError
from ft.core.runtime.signals import passed_on
from ft.core.stages.serving.app import build_app
from ft.core.stages.serving.limits import Address
from ft.core.stages.serving.protocol import bounded
from ft.core.stages.serving.service import Service

BACKLOG = 1024  # connections that the system keeps until they are taken
KEEP_ALIVE_S = 30  # seconds for which a connection may say nothing between two requests
NOTICE_S = 0.25  # seconds of answering 503 before the port closes, so that who knows the service hears of it
LOOK_S = 0.02  # seconds between two looks at whether all is answered
CLOSING_S = 5  # seconds for connections to close once all is answered


@contextlib.contextmanager
def bound(address: Address) -> Iterator[socket.socket]:
    """A socket that has the port and does not listen yet.

    Raises ConfigError for a host that there is not, and for one that others reach without a token; ResourceError for a
    port in use or not allowed.
    """
    if address.token is None and not _is_loopback(address.host):
        raise ConfigError(
            f"--host {address.host} can be reached from other machines: set a token that requests must bring, best as "
            "FT_SERVE_TOKEN, where no list of processes shows it"
        )
    try:
        family, kind, proto, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"--host {address.host}: there is no such address here") from error
    with socket.socket(family, kind, proto) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(where)
        except OSError as error:
            place = f"{address.host} port {address.port}"
            raise ResourceError(f"{place} cannot be used: {error.strerror}; --port 0 takes a free one") from error
        yield made


def url_of(listening: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve_until_told(
    service: Service,
    listening: socket.socket,
    *,
    on_ready: Callable[[], None],
    log: Callable[[str], None] | None,
) -> None:
    """Answer until a signal asks to stop. Raises ResourceError where requests are left when the grace is over."""

    hooks: list[Callable[[], object]] = []

    def stop() -> None:
        for hook in hooks:
            hook()

    async def main() -> None:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        hooks.append(lambda: loop.call_soon_threadsafe(told.set))
        if wishes.stopped:
            told.set()
        await answer_until(told, service, listening, on_ready=on_ready, log=log)

    with passed_on(stop, lambda: None) as wishes:  # before asyncio.run, which would have a handler of its own
        asyncio.run(main())


async def answer_until(
    told: asyncio.Event,
    service: Service,
    listening: socket.socket,
    *,
    on_ready: Callable[[], None],
    log: Callable[[str], None] | None,
) -> None:
    """The same until an event is set."""
    server = _Server(_config(service, log))
    task = asyncio.create_task(server.serve([listening]))
    while not server.started and not task.done():
        await asyncio.sleep(0.005)
    if server.started:
        on_ready()
        await asyncio.wait([task, asyncio.create_task(told.wait())], return_when=asyncio.FIRST_COMPLETED)
    left = await _drained(service)
    server.should_exit = True
    await task
    closed = await asyncio.to_thread(service.close, CLOSING_S if not left else 0.0)
    if left or not closed:
        raise ResourceError(f"{left} requests had no answer after --grace {service.limits.grace_s:g} s and were left")


async def _drained(service: Service) -> int:
    """How many requests are left without an answer when all others have theirs, or the grace is over."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    service.stop_taking()
    while (past := loop.time() - begun) < service.limits.grace_s and (service.in_flight or past < NOTICE_S):
        await asyncio.sleep(LOOK_S)
    return service.in_flight


class _Server(uvicorn.Server):
    """Leaves signals to ft."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(service: Service, log: Callable[[str], None] | None) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(service, log),
        http=bounded(service.limits.timeout_s),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=CLOSING_S,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
