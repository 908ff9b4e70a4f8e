"""What `pip install` gives: ft.cli, ft.core and ft.configs, whole, and nothing called `cli` or `core`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

PARTS = ("cli", "core", "configs")
SOURCES = (*PARTS, "pyproject.toml", "README.md", "LICENSE")


def call(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What the command prints; fails with what it complains."""
    done = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel made from it, built from a copy: a build leaves files behind."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (root / name).is_dir():
            shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / name, copy / name)
    out = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, copy, cwd=out)
    return out


@pytest.fixture(scope="module")
def site(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of its own into which the wheel is installed."""
    target = tmp_path_factory.mktemp("site")
    [wheel] = dist.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
    call(*pip, "install", "--no-deps", "--no-index", "--target", target, wheel, cwd=dist)
    return target


def ft(site: Path, cwd: Path, *arguments: str) -> str:
    """What the installed `ft` prints, started away from the repository."""
    return call(sys.executable, "-P", "-m", "ft.cli", *arguments, cwd=cwd, PYTHONPATH=str(site))


def test_the_package_list_is_the_folders(root: Path) -> None:
    listed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = [path.parent for part in PARTS for path in (root / part).rglob("*") if path.suffix in {".py", ".yaml"}]
    assert sorted(listed) == sorted({".".join(("ft", *folder.relative_to(root).parts)) for folder in folders})


def test_the_wheel_holds_every_file_under_its_import_name(root: Path, dist: Path) -> None:
    [wheel] = dist.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    kept = {".py", ".yaml", ".typed", ".j2", ".css", ".html", ".js"}
    files = [path for part in PARTS for path in (root / part).rglob("*") if path.suffix in kept]
    assert names == {f"ft/{path.relative_to(root).as_posix()}" for path in files}


def test_the_sdist_holds_licence_and_readme(dist: Path) -> None:
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "core/__init__.py"} <= names


def test_the_installed_ft_runs_away_from_the_repository(site: Path, tmp_path: Path) -> None:
    program = "import ft.core; print(ft.core.__file__)"
    assert call(sys.executable, "-P", "-c", program, cwd=tmp_path, PYTHONPATH=str(site)).startswith(str(site))
    assert "train" in ft(site, tmp_path, "--help")
    [metadata] = site.glob("ft-*.dist-info")
    assert metadata.name.removeprefix("ft-").removesuffix(".dist-info") in ft(site, tmp_path, "--version")


def test_the_installed_ft_writes_a_starting_file_that_validates(site: Path, tmp_path: Path) -> None:
    (tmp_path / "begin.yaml").write_text(ft(site, tmp_path, "config", "init"))
    ft(site, tmp_path, "config", "validate", "--quick", "begin.yaml")


def test_a_users_own_core_and_cli_are_theirs(site: Path, tmp_path: Path) -> None:
    """Once installed as top-level packages, ours would come first here and `core.models` would not be the user's."""
    for package in ("core", "cli"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / "models.py").write_text("OWNER = 'the user'\n")
    program = "import ft.core, ft.cli, core.models, cli.models; print(core.models.OWNER, cli.models.OWNER, sep=',')"
    path = os.pathsep.join((str(site), str(tmp_path)))
    assert call(sys.executable, "-P", "-c", program, cwd=site, PYTHONPATH=path) == "the user,the user\n"
