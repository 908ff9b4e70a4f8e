"""What a newcomer meets first says what is so: the Makefile, the README, the pinned versions."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest

PROMISED_TARGETS = {"run", "test", "check", "bench", "build", "clean"}


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_bare_make_lists_every_target_and_does_nothing(root: Path) -> None:
    done = subprocess.run(["make", "-C", root, "--no-print-directory"], capture_output=True, text=True, check=True)
    listed = {line.split()[1] for line in done.stdout.splitlines()}
    [phony] = re.findall(r"^\.PHONY: (.+)$", (root / "Makefile").read_text(), flags=re.MULTILINE)
    assert listed == set(phony.split())
    assert listed >= PROMISED_TARGETS


def test_the_readme_lists_the_exit_codes_there_are(root: Path) -> None:
    from ft.cli.border import ExitCode

    section = re.split(r"^#+ ", (root / "README.md").read_text(), flags=re.MULTILINE)
    [codes] = [part for part in section if part.lower().startswith("exit codes")]
    rows = re.findall(r"^\| *`?(\d+)`? *\|", codes, flags=re.MULTILINE)
    assert [int(code) for code in rows] == sorted(ExitCode)


def test_every_library_asked_for_is_pinned_without_a_build(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    asked = chain(project["dependencies"], *project["optional-dependencies"].values())
    pins = dict(re.findall(r"^([\w.-]+)==(.+)$", (root / "constraints.txt").read_text(), flags=re.MULTILINE))
    assert {normal(re.split(r"[<>=!~\[; ]", name)[0]) for name in asked} <= {normal(name) for name in pins}
    assert [version for version in pins.values() if "+" in version] == []


def normal(name: str) -> str:
    """A distribution's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
