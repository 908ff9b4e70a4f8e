"""What the light commands may load: a second of start-up is a second of every shell loop and every completion."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"matplotlib", "numpy", "PIL", "sklearn", "tensorboard", "torch", "torchvision"}

PROBE = """
import sys
from ft.cli.app import main
try:
    code = main()
except SystemExit as end:
    code = end.code
print("loaded:", *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
sys.exit(code)
"""


def loaded_by(arguments: list[str], root: Path) -> set[str]:
    """The top-level modules in memory after a successful `ft ARGUMENTS` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].removeprefix("loaded:").split())


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_load_next_to_nothing(argument: str, root: Path) -> None:
    loaded = loaded_by([argument], root)
    assert "ft" in loaded  # the probe sees what is loaded
    assert loaded & (HEAVY | {"pydantic", "yaml"}) == set()


def test_the_help_of_a_command_loads_no_heavy_library(root: Path) -> None:
    assert loaded_by(["train", "--help"], root) & HEAVY == set()


def test_a_quick_validation_loads_no_heavy_library(root: Path) -> None:
    loaded = loaded_by(["config", "validate", "--quick", "configs/digits.yaml"], root)
    assert "pydantic" in loaded
    assert loaded & HEAVY == set()


def test_training_loads_neither_torchs_compiler_nor_torchvision(root: Path, tmp_path: Path) -> None:
    steps = ["train.max_steps=2", "train.epochs=2", "finetune.max_steps=2", "finetune.epochs=2", "eval.min.accuracy=0"]
    loaded = loaded_by(["run", "configs/digits.yaml", *steps, "--runs-dir", str(tmp_path)], root)
    assert "torch" in loaded
    assert loaded & {"sympy", "torchvision"} == set()  # sympy comes with the compiler
