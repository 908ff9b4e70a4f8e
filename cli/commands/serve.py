"""`ft serve CHECKPOINT|RUN|EXPORT.onnx`."""

from __future__ import annotations

import math
import sys
import time
from typing import Annotated

import typer

from ft.cli.arguments import Adapter, AsJson, Debug, Python, split_words
from ft.cli.border import bordered
from ft.core.errors import ConfigError

MIB = 1 << 20

Words = Annotated[
    list[str],
    typer.Argument(metavar="CHECKPOINT [KEY=VALUE]", help="A checkpoint, a run or an ONNX file; settings to change."),
]
Host = Annotated[
    str, typer.Option("--host", help="Where to listen; other machines reach all but loopback, so it needs a token.")
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one and tells it.")]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar="FT_SERVE_TOKEN", help="What requests bring as Authorization: Bearer TOKEN."),
]
MaxBatch = Annotated[int, typer.Option("--max-batch", min=1, help="Examples that go through the network together.")]
BatchWait = Annotated[
    float, typer.Option("--batch-wait-ms", min=0, help="How long a batch waits for requests that are on their way.")
]
Queue = Annotated[int, typer.Option("--queue", min=1, help="Examples that may wait; then the answer is 503.")]
MaxBody = Annotated[float, typer.Option("--max-body-mib", min=0.001, help="The body of one request.")]
MaxPixels = Annotated[int, typer.Option("--max-pixels", min=1, help="Of one picture; a larger one is not decoded.")]
MaxRows = Annotated[int, typer.Option("--max-rows", min=1, help="Rows or files of one request.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds for a body to come, and for an answer.")]
Grace = Annotated[float, typer.Option("--grace", min=0, help="Seconds for the last answers, once told to stop.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No line for every request.")]


@bordered
def serve(
    words: Words,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token: Token = None,
    max_batch: MaxBatch = 32,
    batch_wait_ms: BatchWait = 5.0,
    queue: Queue = 256,
    max_body_mib: MaxBody = 32.0,
    max_pixels: MaxPixels = 89_478_485,
    max_rows: MaxRows = 64,
    timeout: Timeout = 30.0,
    grace: Grace = 30.0,
    adapter: Adapter = None,
    python: Python = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    debug: Debug = False,  # noqa: ARG001  (read at the border)
) -> None:
    """Put a model behind HTTP: POST /predict, and / to try it in a browser.

    Requests that come together go through the network together. Ctrl-C or SIGTERM stops it once every request that was
    taken has its answer. Settings as elsewhere: device=cpu, threads=2, precision=fp32.
    """
    named, settings = split_words(words)
    if not named:
        raise ConfigError("name a checkpoint or a run: ft serve runs/digits/1")
    _check(token, max_rows, queue, {"--timeout": timeout, "--grace": grace, "--batch-wait-ms": batch_wait_ms})
    from ft.cli.console import Console
    from ft.core.stages.serving.limits import Address, Limits
    from ft.core.stages.serving.start import serve as start

    body = int(max_body_mib * MIB)
    limits = Limits(max_batch, batch_wait_ms / 1000, queue, body, max_pixels, max_rows, timeout, grace)
    with Console(quiet=quiet, as_json=as_json) as console:
        start(
            named[0],
            settings,
            Address(host, port, token),
            limits,
            python=python,
            adapter=adapter,
            on_ready=console.serving,
            log=None if quiet else _log,
        )


def _check(token: str | None, max_rows: int, queue: int, seconds: dict[str, float]) -> None:
    if token is not None and (not token.strip() or not token.isascii()):
        raise ConfigError("the token is empty or not ASCII; leave it out, or give one that a header can hold")
    if max_rows > queue:
        raise ConfigError(f"--max-rows {max_rows} is more than --queue {queue} holds; such a request could never wait")
    for name, value in seconds.items():
        if not math.isfinite(value):
            raise ConfigError(f"{name} {value}: expected a number")


def _log(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
