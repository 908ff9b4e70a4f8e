"""torchvision imports also beside a torch of another build."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ft.core.errors import ConfigError
from ft.core.runtime import torchvision as shim

# A torchvision that fails on import exactly as one of another build does, until the schema is declared.
MISMATCHED = """
from torch import library
from . import part
library.register_fake("torchvision::nms")(lambda dets, scores, iou_threshold: dets.new_empty(0))
__version__ = "9.9"
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a torchvision of this text in the place of the installed one."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str) -> None:
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision" / "__init__.py").write_text(text)
        (tmp_path / "torchvision" / "part.py").write_text("")

    yield write
    sys.modules.pop("torchvision", None)


def _python(code: str, path: Path | None = None) -> str:
    """What a fresh process prints: operators, once declared, stay for the life of a process."""
    prelude = "import sys\n" + (f"sys.path.insert(0, {str(path)!r})\n" if path else "")
    prelude += "from ft.core.runtime.torchvision import import_torchvision\nmodule = import_torchvision()\n"
    done = subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_torchvision_of_another_build_is_imported_whole(package: Callable[[str], None], tmp_path: Path) -> None:
    package(MISMATCHED)
    code = (
        "import gc, torch\ngc.collect()\n"
        "print(module.__version__, module is sys.modules['torchvision'], hasattr(torch.ops.torchvision, 'nms'))\n"
        "print(import_torchvision() is module)"
    )
    assert _python(code, tmp_path).split() == ["9.9", "True", "True", "True"]


def test_a_torchvision_that_fits_is_imported_plainly(
    package: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    package("__version__ = '9.9'")
    monkeypatch.setattr(shim, "_declare_operators", lambda: pytest.fail("declared operators that are there"))
    assert shim.import_torchvision().__version__ == "9.9"


def test_another_failure_of_the_import_is_an_error_that_keeps_its_words(package: Callable[[str], None]) -> None:
    package("raise RuntimeError('compiled with different CUDA major versions')")
    with pytest.raises(ConfigError, match=r"different CUDA major versions.*install torch and torchvision"):
        shim.import_torchvision()


def test_a_missing_torchvision_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(ConfigError, match="pip install torchvision"):
        shim.import_torchvision()


def test_a_library_that_torchvision_lacks_is_not_taken_for_torchvision(package: Callable[[str], None]) -> None:
    package("import a_library_that_nobody_has")
    with pytest.raises(ModuleNotFoundError, match="a_library_that_nobody_has"):
        shim.import_torchvision()


def _installed() -> bool:
    try:
        importlib.metadata.distribution("torchvision")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.skipif(not _installed(), reason="torchvision is not installed")
def test_the_real_torchvision_gives_models_and_transforms() -> None:
    code = (
        "import torch, torchvision.models, torchvision.datasets\n"
        "from torchvision.transforms import v2\n"
        "with torch.device('meta'):\n    net = torchvision.models.resnet18()\n"
        "print(sum(p.numel() for p in net.parameters()), v2.Resize(4)(torch.rand(1, 8, 8)).shape[-1])"
    )
    assert _python(code).split() == ["11689512", "4"]
