"""One trained run, shared by every test that needs one and changes nothing in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import ft, write_config


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny.yaml and its finished training, runs/tiny/1. Not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    write_config(folder / "tiny.yaml")
    answer = ft("train", "tiny.yaml", cwd=folder)
    assert answer.code == 0, answer.err
    return folder


@pytest.fixture
def trained(trained_folder: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to work in."""
    shutil.copytree(trained_folder, tmp_path / "work", symlinks=True)
    return tmp_path / "work"


@pytest.fixture
def checkpoint(trained_folder: Path, tmp_path: Path) -> Path:
    """The trained best.pt, alone in an empty folder."""
    home = tmp_path / "alone"
    home.mkdir()
    return Path(shutil.copy(trained_folder / "runs/tiny/1/checkpoints/best.pt", home / "checkpoint.pt"))
