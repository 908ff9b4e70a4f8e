"""Experiments from their text: what a file of that content would be."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

from ft.core.config.load import Loaded, load_experiment


def load_text(text: str, overrides: Sequence[str] = ()) -> Loaded:
    """The experiment that `a.yaml` in the working directory holds; places read `a.yaml:1:1`."""
    with TemporaryDirectory() as folder, chdir(folder):
        Path("a.yaml").write_text(text, encoding="utf-8")
        return load_experiment(Path("a.yaml"), overrides)
