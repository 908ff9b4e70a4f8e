"""Every experiment that ft ships is valid as it is, network and all."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import ft

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "configs").rglob("*.yaml"))


def test_there_are_shipped_experiments() -> None:
    assert "digits.yaml" in {path.name for path in SHIPPED}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_experiment_is_valid(path: Path) -> None:
    answer = ft("config", "validate", path, cwd=ROOT)
    assert answer.code == 0, answer.err


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_experiment_opens_with_its_command(path: Path) -> None:
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert any(f"configs/{path.name}" in line and "ft " in line for line in header)
