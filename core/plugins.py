"""The user's own Python: `file.py:name` -> the object of that name. Decides nothing about when such code may run.

The file is read once; what is hashed is what is executed. Nothing is written beside it and no package is needed.
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from ft.core.config.suggest import did_you_mean
from ft.core.errors import ConfigError, Problem, TreePath


def load_function(
    spec: str, path: TreePath = ("model", "python"), *, expected_sha256: str | None = None
) -> tuple[Callable[..., Any], str]:
    """Execute the file of `file.py:name` and return its function and the SHA-256 of the file.

    path: the setting it is about, for messages. expected_sha256: of a checkpoint's code; other code is not executed.
    The file may import its neighbours, as a script may. Their bytes are not part of the hash.

    Raises ConfigError when the file or the name is missing, the file is not the expected one or cannot be executed.
    """
    file, name = _split(spec, path)
    try:
        source = file.read_bytes()
    except OSError as error:
        raise ConfigError(Problem(f"cannot read {file}: {error.strerror or error}", path)) from error
    sha256 = hashlib.sha256(source).hexdigest()
    if expected_sha256 not in (None, sha256):
        message = "is not the code this checkpoint was trained with (its SHA-256 differs); use the file as it was then"
        raise ConfigError(Problem(f"{file} {message}", path))
    module = _execute(file, source, sha256, path)
    function = getattr(module, name, None)
    if function is None:
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        hint = did_you_mean(name, known) or (f"; it has {', '.join(known)}" if known else "")
        raise ConfigError(Problem(f"{file} has no {name}{hint}", path))
    if not callable(function):
        raise ConfigError(Problem(f"{name} in {file} is no function but {function!r}", path))
    return function, sha256


@contextmanager
def neighbours_importable(file: Path) -> Iterator[None]:
    """Within this, `import` looks in the file's own folder first, as it does for a script."""
    folder = str(file.parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def last_line_in(file: Path, error: BaseException) -> str:
    """`net.py:12: ValueError: ...`: what went wrong and the line of the user's own file that led there."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{file}:{error.lineno}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    place = f"{file}:{frames[-1].lineno}" if frames else str(file)
    return f"{place}: {type(error).__name__}: {error}"


def file_sha256(file: Path) -> str:
    """SHA-256 of a file, in hex: what a checkpoint stores of the code that built its model."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def source_file(spec: str, path: TreePath = ("model", "python")) -> Path:
    """The file that `file.py:name` means."""
    return _split(spec, path)[0]


def _split(spec: str, path: TreePath) -> tuple[Path, str]:
    written, colon, name = spec.rpartition(":")
    if not colon or not written.endswith(".py") or not name.isidentifier():
        raise ConfigError(Problem(f"{spec!r} should be a file and a function in it: net.py:build", path))
    file = Path(written).expanduser().resolve()
    if not file.is_file():
        raise ConfigError(Problem(f"there is no file {file}", path))
    return file, name


def _execute(file: Path, source: bytes, sha256: str, path: TreePath) -> ModuleType:
    """Run the file as a module of its own name, which two versions of a file do not share."""
    module = ModuleType(f"ft_plugin_{file.stem}_{sha256[:12]}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # dataclasses and pickle look a class's module up here
    try:
        with neighbours_importable(file):
            exec(compile(source, str(file), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise ConfigError(Problem(f"the file could not be run: {last_line_in(file, error)}", path)) from error
    return module
