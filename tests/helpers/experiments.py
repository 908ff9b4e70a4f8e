"""Experiments from their text: what a file of that content would be."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ft.core.config.load import Loaded, load_experiment, load_resolved
from ft.core.errors import ConfigError

TREE: dict[str, Any] = {
    "data": {"source": "digits", "split": {"val": 0.1}},
    "model": {"layers": ["Flatten", "Linear"]},
}


def load_text(text: str, overrides: Sequence[str] = ()) -> Loaded:
    """The experiment that `a.yaml` in the working directory holds; places read `a.yaml:1:1`."""
    with TemporaryDirectory() as folder, chdir(folder):
        Path("a.yaml").write_text(text, encoding="utf-8")
        return load_experiment(Path("a.yaml"), overrides)


def load(tree: dict[str, Any], *overrides: str) -> Any:
    """The experiment of the small tree with some settings changed, as a checkpoint keeps it."""
    return load_resolved({**TREE, **tree}, overrides)


def refusal(text: str) -> list[str]:
    """What is said of a file of that content, a line for each problem."""
    with pytest.raises(ConfigError) as raised:
        load_text(text)
    return [str(problem) for problem in raised.value.problems]


def refused(tree: dict[str, Any]) -> list[str]:
    """What is said of the small tree with some settings changed, without places."""
    with pytest.raises(ConfigError) as raised:
        load(tree)
    return [problem.message for problem in raised.value.problems]
