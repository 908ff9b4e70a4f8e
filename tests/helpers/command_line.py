"""`ft` as a person calls it: in this process, where starting costs nothing, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from ft.cli.app import app

FT = (sys.executable, "-m", "ft.cli")

# A network that learns digits well enough in one epoch: 0.2 s.
TINY: dict[str, Any] = {
    "name": "tiny",
    "seed": 3,
    "device": "cpu",
    "precision": "fp32",
    "tensorboard": False,
    "data": {"source": "digits", "split": {"val": 200, "test": 300}},
    "model": {"layers": ["Flatten", {"Linear": {"out_features": 32, "activation": "ReLU"}}, "Linear"]},
    "train": {"epochs": 1, "batch_size": 64, "lr": 0.01},
}


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines of the one error message."""
        return [line.removeprefix("error: ") for line in self.err.splitlines() if line.startswith("error: ")]


def ft(*words: object, cwd: Path, env: Mapping[str, str] | None = None) -> Answer:
    """`ft WORDS` in this process, in the folder `cwd`."""
    arguments = [str(word) for word in words]
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        contextlib.chdir(cwd),
        patch.dict(os.environ, env or {}),
        patch.object(sys, "argv", ["ft", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            app(arguments, prog_name="ft")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
    return Answer(code, out.getvalue(), err.getvalue())


def ft_process(*words: object, cwd: Path, env: Mapping[str, str] | None = None) -> Answer:
    """`ft WORDS` in a process of its own."""
    done = subprocess.run(
        [*FT, *map(str, words)], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def wait_for(
    condition: Callable[[], bool], process: subprocess.Popen[str] | None = None, timeout_s: float = 60
) -> None:
    """Until the condition holds; fails when the process ends before, or time is over."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert process is None or process.poll() is None, process and process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def changed(tree: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a settings tree: mappings are merged, other values replace; `...` removes a key."""
    merged = dict(tree)
    for key, value in changes.items():
        if value is ...:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = changed(merged[key], value)
        else:
            merged[key] = value
    return merged


def write_config(path: Path, changes: Mapping[str, Any] | None = None, base: Mapping[str, Any] = TINY) -> Path:
    """The tiny experiment with some settings changed, as a file."""
    path.write_text(yaml.safe_dump(changed(base, changes or {}), sort_keys=False), encoding="utf-8")
    return path
