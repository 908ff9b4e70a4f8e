"""The house keeps its form: imports point down, files and functions stay small, every module says what it is for."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MOST_LINES_OF_A_FILE = 350
MOST_LINES_OF_A_FUNCTION = 60


def modules(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file of cli/ and core/ by its path below root, parsed."""
    for folder in ("cli", "core"):
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root), ast.parse(path.read_text())


def test_imports_point_down_only(root: Path) -> None:
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([command, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]


def test_every_module_says_what_it_is_for(root: Path) -> None:
    assert [path for path, tree in modules(root) if not ast.get_docstring(tree)] == []


def test_every_file_is_one_thought(root: Path) -> None:
    lengths = {path: len((root / path).read_text().splitlines()) for path, _ in modules(root)}
    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE} == {}


def test_every_function_fits_on_a_screen(root: Path) -> None:
    lengths = {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, tree in modules(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FUNCTION} == {}


def test_the_house_is_imported_as_ft_everywhere(root: Path) -> None:
    """`import core` would work from the repository's folder and fail for everyone who installed ft."""
    imported = [
        (path, name)
        for path, tree in modules(root)
        for node in ast.walk(tree)
        for name in imported_names(node)
        if name.split(".")[0] in {"cli", "core", "configs"}
    ]
    assert imported == []


def imported_names(node: ast.AST) -> list[str]:
    """The absolute module names that an import statement asks for."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module or ""]
    return []


def test_no_module_is_hidden_from_git(root: Path) -> None:
    """A package called `build` was ignored once, and a clone did not install."""
    paths = "\n".join(str(path) for path, _ in modules(root))
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=root,
        input=paths,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.stdout == ""
