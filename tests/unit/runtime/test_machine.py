"""The report on the machine is quick, true, fit for JSON, and never fails."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ft.core.runtime import machine

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


def test_facts_are_plain_values_and_true() -> None:
    facts = json.loads(json.dumps(machine.facts()))
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["torch"] == torch.__version__
    assert facts["threads"] == torch.get_num_threads()
    assert facts["cpu"]["cores"] <= os.cpu_count()
    assert facts["memory_bytes"] > 2**27
    assert facts["devices"][-1]["device"] == "cpu"
    assert "fp32" in facts["devices"][-1]["fast_precisions"]


def test_facts_import_no_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)  # an import would fail
    assert machine.facts()["torch"] == torch.__version__


def test_gpus_are_listed_first_with_memory_and_fast_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(name="Quick 9000", total_memory=8 * 2**30)
    )
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (8, 0))
    devices = machine.facts()["devices"]
    assert [device["device"] for device in devices[:2]] == ["cuda:0", "cuda:1"]
    assert devices[0] == {
        "device": "cuda:0",
        "name": "Quick 9000",
        "memory_bytes": 8 * 2**30,
        "fast_precisions": ["fp32", "fp16", "bf16"],
    }


def _torchvision(monkeypatch: pytest.MonkeyPatch, folder: Path, version: str, requires: list[str]) -> None:
    """An installed torchvision of this version whose metadata, like the package index's, lacks the build tag."""
    (folder / "torchvision").mkdir(exist_ok=True)
    (folder / "torchvision" / "version.py").write_text(f"__version__ = '{version}'\n")
    fake = SimpleNamespace(
        version=version.partition("+")[0], requires=requires, locate_file=lambda path: folder / str(path)
    )
    monkeypatch.setattr(importlib.metadata, "distribution", lambda _: fake)


@pytest.mark.parametrize(
    ("torch_version", "version", "requires", "fits"),
    [
        ("2.13.0+cpu", "0.28.0+cpu", ["numpy", "torch (==2.13.0)"], True),
        ("2.13.0+cpu", "0.28.0+cu130", ["torch==2.13.0"], False),
        ("2.13.0+cu130", "0.28.0+cu130", ["torch==2.13.0"], True),
        ("2.13.0", "0.28.0", ["torch==2.13.0"], True),  # a Mac: no build tags
        ("2.12.0+cpu", "0.28.0+cpu", ["torch==2.13.0"], False),
        ("2.13.0+cpu", "0.28.0+cpu", ["torchgeo==1.0"], True),  # no word about torch
    ],
)
def test_torchvision_fits_when_release_and_build_agree(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, torch_version: str, version: str, requires: list[str], fits: bool
) -> None:
    _torchvision(monkeypatch, tmp_path, version, requires)
    monkeypatch.setattr(torch, "__version__", torch_version)
    found = machine.torchvision_facts()
    assert found is not None
    assert (found["version"], found["fits"]) == (version, fits)


def _absent(name: str) -> Any:
    raise importlib.metadata.PackageNotFoundError(name)


def test_a_missing_torchvision_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", _absent)
    assert machine.torchvision_facts() is None


def test_the_git_commit_is_the_working_directorys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert machine.facts()["git_commit"] is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert machine.facts()["git_commit"] is None  # no commit yet
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    newest = subprocess.check_output(["git", "log", "-1", "--format=%H"], text=True).strip()
    assert machine.facts()["git_commit"] == newest


def test_a_missing_or_hanging_program_costs_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert machine.facts()["git_commit"] is None
    start = time.monotonic()
    assert machine._output_of(sys.executable, "-c", "import time; time.sleep(30)") is None
    assert time.monotonic() - start < 10


def test_a_mac_asks_sysctl_for_the_cpus_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(machine, "_output_of", lambda *command: "Apple M9" if command[0] == "sysctl" else None)
    assert machine.facts()["cpu"]["name"] == "Apple M9"


def test_every_extra_of_the_package_has_a_purpose_and_no_other_is_named() -> None:
    defined = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    assert set(machine.PURPOSES) == set(defined)


def test_extras_are_read_from_the_package_and_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    requires = ["torch>=2.10", 'scikit-learn; extra == "demo"', "tensorboard>=2; extra == 'board'"]
    metadata = SimpleNamespace(get_all=lambda key: ["demo", "board"] if key == "Provides-Extra" else None)
    monkeypatch.setattr(importlib.metadata, "metadata", lambda _: metadata)
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: requires)
    monkeypatch.setattr(
        importlib.metadata, "distribution", lambda name: name if name == "scikit-learn" else _absent(name)
    )
    board, demo = machine.extras()
    assert (board.name, board.installed, board.missing) == ("board", False, ("tensorboard",))
    assert (demo.name, demo.installed, demo.modules) == ("demo", True, ("scikit-learn",))
    assert board.install_line == "pip install 'ft[board]'"


def test_without_an_installed_ft_no_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "metadata", _absent)
    assert machine.extras() == []
