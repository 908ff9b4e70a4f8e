"""A function is found in the user's own file, and what is wrong with that file is said with its line."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from ft.core.errors import ConfigError
from ft.core.plugins import load_function


def write(folder: Path, text: str, name: str = "net.py") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_function_is_loaded_with_the_hash_of_its_file(tmp_path: Path) -> None:
    file = write(tmp_path, "def double(x):\n    return 2 * x\n")
    function, sha256 = load_function(f"{tmp_path}/net.py:double")
    assert function(4) == 8
    assert sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_running_a_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    write(tmp_path / "models", "def build():\n    return 1\n")
    assert load_function(f"{tmp_path}/models/net.py:build")[0]() == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["models", "net.py"]


def test_other_code_than_expected_is_refused_before_it_runs(tmp_path: Path) -> None:
    file = write(tmp_path, "from pathlib import Path\nPath(__file__).with_name('ran').touch()\ndef build(): ...\n")
    with pytest.raises(ConfigError, match=r"net\.py is not the code this checkpoint was trained with"):
        load_function(f"{file}:build", expected_sha256="0" * 64)
    assert not (tmp_path / "ran").exists()
    load_function(f"{file}:build", expected_sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    assert (tmp_path / "ran").exists()


def test_the_file_is_read_once_so_what_is_hashed_is_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, "def build():\n    return 1\n")
    read_bytes = Path.read_bytes
    reads: list[Path] = []

    def swapped_after_reading(path: Path) -> bytes:
        reads.append(path)
        found = read_bytes(path)
        file.write_text("def build():\n    return 2\n")
        return found

    monkeypatch.setattr(Path, "read_bytes", swapped_after_reading)
    expected = hashlib.sha256(b"def build():\n    return 1\n").hexdigest()
    assert load_function(f"{file}:build", expected_sha256=expected)[0]() == 1
    assert reads == [file]


def test_a_changed_file_is_loaded_anew(tmp_path: Path) -> None:
    write(tmp_path, "def build():\n    return 1\n")
    first, _ = load_function(f"{tmp_path}/net.py:build")
    write(tmp_path, "def build():\n    return 2\n")
    second, _ = load_function(f"{tmp_path}/net.py:build")
    assert (first(), second()) == (1, 2)


def test_the_file_may_import_its_neighbours_and_the_path_is_left_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, "VALUE = 7\n", "ft_test_neighbour.py")
    write(tmp_path, "from ft_test_neighbour import VALUE\n\ndef build():\n    return VALUE\n")
    before = list(sys.path)
    assert load_function(f"{tmp_path}/net.py:build")[0]() == 7
    assert sys.path == before


def test_dataclasses_of_the_file_work(tmp_path: Path) -> None:
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    b: int = 3\n"
    )
    write(tmp_path, text)
    assert load_function(f"{tmp_path}/net.py:A")[0]().b == 3


@pytest.mark.parametrize(
    ("spec", "text", "message"),
    [
        ("net.py", "", "net.py' should be a file and a function in it: net.py:build"),
        ("net:build", "", "should be a file and a function in it"),
        ("missing.py:build", "", "there is no file"),
        ("net.py:biuld", "def build(): ...\ndef other(): ...\n", "has no biuld; did you mean build?"),
        ("net.py:zzz", "def build(): ...\ndef other(): ...\n", "has no zzz; it has build, other"),
        ("net.py:build", "build = 3\n", "build in .* is no function but 3"),
        ("net.py:build", "import os\n\ndef build(:\n", r"net.py:3: invalid syntax"),
        ("net.py:build", "x = 1\n\nraise ValueError('no luck')\n", r"net.py:3: ValueError: no luck"),
        ("net.py:build", "import not_there_at_all\n", r"net.py:1: ModuleNotFoundError: .*not_there_at_all"),
        ("net.py:build", "import sys\nsys.exit(3)\n", r"net.py:2: SystemExit: 3"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, spec: str, text: str, message: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_function(f"{tmp_path}/{spec}")
    assert caught.value.problems[0].path == ("model", "python")
