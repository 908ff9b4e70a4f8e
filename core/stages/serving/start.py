"""What `ft serve` was pointed at, opened and served. Loads the extra's libraries only after looking for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ft.core.errors import ConfigError, MissingExtraError
from ft.core.stages.evaluate import Rebuilt, rebuild
from ft.core.stages.exported import open_judged
from ft.core.stages.serving.limits import Address, Limits
from ft.core.stages.subject import is_config

NEEDS = ("fastapi", "uvicorn", "python_multipart")


@dataclass(frozen=True)
class Ready:
    """What a service says once it answers. path: what it serves. token: whether requests must bring one."""

    url: str
    host: str
    port: int
    path: str
    engine: str
    device: str
    token: bool
    pid: int


def open_model(
    path: Path, overrides: Sequence[str] = (), python: Path | None = None, adapter: Path | None = None
) -> tuple[Rebuilt, str]:
    """A checkpoint or run, computed by torch, or a file that `ft export` wrote, by onnxruntime; and which of the two.

    Raises what opening either raises.
    """
    if is_config(path):
        raise ConfigError(f"{path} is a file of settings; ft serve takes a checkpoint, a run or an ONNX file")
    subject = open_judged(path, overrides, python, adapter)
    with subject.loaded.locating():
        return rebuild(subject), "onnxruntime" if path.suffix == ".onnx" else "torch"


def serve(
    path: Path,
    overrides: Sequence[str],
    address: Address,
    limits: Limits,
    *,
    python: Path | None = None,
    adapter: Path | None = None,
    on_ready: Callable[[Ready], None],
    log: Callable[[str], None] | None,
) -> None:
    """Serve a checkpoint or run until a signal asks to stop. log: told a line for every request, None for none.

    Raises MissingExtraError without the extra, ConfigError for an address that will not do, ResourceError for a port in
    use and for requests left at the end, and what opening the model raises.
    """
    if any(find_spec(name) is None for name in NEEDS):
        raise MissingExtraError("ft serve", "serve")
    from ft.core.stages.serving.answering import answerer_of
    from ft.core.stages.serving.describe import facts_of
    from ft.core.stages.serving.run import bound, serve_until_told, url_of
    from ft.core.stages.serving.service import Service

    with bound(address) as listening:
        rebuilt, engine = open_model(path, overrides, python, adapter)
        answerer = answerer_of(rebuilt, limits)
        facts = facts_of(rebuilt, answerer, limits, str(path), engine)
        url, (host, port) = url_of(listening), listening.getsockname()[:2]
        model = facts["model"]
        ready = Ready(
            url, host, port, str(path), model["engine"], model["device"], address.token is not None, os.getpid()
        )
        service = Service(answerer, facts, limits, address.token)
        serve_until_told(service, listening, on_ready=lambda: on_ready(ready), log=log)
