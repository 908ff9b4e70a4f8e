"""What is on this machine, for a run's `env.json` and for `ft doctor`: facts, and ft's optional libraries.

Reads, never changes; imports no torchvision. A fact that cannot be found out is None: a report must not fail on the
machine it is to describe.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ft.core.runtime.cores import cores
from ft.core.runtime.precision import fast_precisions


def facts() -> dict[str, Any]:
    """Plain values, ready for JSON.

    python, os, torch (local build tag included), torchvision ({version, fits, why} or None), cpu ({name, cores}),
    threads (torch's), memory_bytes, devices (a list, best first: {device, name, memory_bytes, fast_precisions}) and
    git_commit (of the working directory, or None outside a repository).
    """
    return {
        "python": platform.python_version(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "torch": str(torch.__version__),
        "torchvision": torchvision_facts(),
        "cpu": {"name": _cpu_name(), "cores": cores()},
        "threads": torch.get_num_threads(),
        "memory_bytes": _memory_bytes(),
        "devices": _devices(),
        "git_commit": _git_commit(),
    }


def torchvision_facts() -> dict[str, Any] | None:
    """{version, fits, why}, found without the import that costs 1.5 s; None when torchvision is not installed.

    It fits when it was made for this version of torch and, where both carry a build tag (`+cpu`, `+cu130`), the tags
    agree. A torchvision that does not fit still serves ft, which uses none of its compiled operators.
    """
    try:
        distribution = importlib.metadata.distribution("torchvision")
    except importlib.metadata.PackageNotFoundError:
        return None
    version = _torchvision_version(distribution)
    made_for = next(filter(None, map(_pinned_torch, distribution.requires or [])), None)
    misfit = _misfit(version, made_for)
    why = misfit or f"made for torch {made_for or 'of any version'}"
    return {"version": version, "fits": misfit is None, "why": why}


def _misfit(version: str, made_for: str | None) -> str | None:
    """Why torchvision `version`, made for torch `made_for`, does not fit the torch that is here; None when it does."""
    release, _, build = torch.__version__.partition("+")
    its_build = version.partition("+")[2]
    if made_for and made_for.partition("+")[0] != release:
        return f"made for torch {made_for}, but torch is {release}"
    if build and its_build and build != its_build:
        return f"a {its_build} build beside a {build} build of torch; install both from the same index"
    return None


def _torchvision_version(distribution: importlib.metadata.Distribution) -> str:
    """With its build tag, which the package index's metadata leaves out but the package's own file holds."""
    try:
        text = Path(str(distribution.locate_file("torchvision/version.py"))).read_text(encoding="utf-8")
    except OSError:
        return distribution.version
    found = re.search(r"""__version__\s*=\s*['"]([^'"]+)""", text)
    return found[1] if found else distribution.version


def _pinned_torch(requirement: str) -> str | None:
    found = re.match(r"torch\s*\(?\s*==\s*([^\s,;)]+)", requirement)
    return found[1] if found else None


def _cpu_name() -> str:
    if platform.system() == "Darwin":
        return _output_of("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)  # ARM kernels leave this line out
    return found[1].strip() if found else platform.processor() or platform.machine()


def _memory_bytes() -> int | None:
    """The machine's memory, or a container's limit below it."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):  # a name this system does not know
        return None
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return machine
    return min(machine, int(limit)) if limit.isdigit() else machine  # "max": no limit


def _devices() -> list[dict[str, Any]]:
    found = [_device(torch.device("cpu"), _cpu_name(), _memory_bytes())]
    if torch.backends.mps.is_available():
        found.insert(0, _device(torch.device("mps"), "Apple's GPU", None))
    if torch.cuda.is_available():
        gpus = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
        properties = [torch.cuda.get_device_properties(gpu) for gpu in gpus]
        found[:0] = [_device(gpu, p.name, p.total_memory) for gpu, p in zip(gpus, properties, strict=True)]
    return found


def _device(device: torch.device, name: str, memory_bytes: int | None) -> dict[str, Any]:
    return {
        "device": str(device),
        "name": name,
        "memory_bytes": memory_bytes,
        "fast_precisions": list(fast_precisions(device)),
    }


def _git_commit() -> str | None:
    return _output_of("git", "rev-parse", "HEAD")


def _output_of(*command: str) -> str | None:
    """What a quick command prints, stripped; None when it is missing, fails, says nothing or takes over a second."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


# ---------------------------------------------------------------- optional libraries

# What each is for, in words; tests hold it to the extras of pyproject.toml.
PURPOSES = {
    "audio": "sounds: wav, flac, ogg, mp3",
    "board": "curves in TensorBoard",
    "demo": "the handwritten digits of the default data",
    "dev": "working on ft itself",
    "export": "ONNX files, and proof that they answer the same",
    "serve": "a trained model behind HTTP",
    "table": "csv, tsv, jsonl and parquet files",
    "text": "byte-pair tokens",
    "timm": "the picture classifiers of timm, with their weights",
    "tune": "the search for settings",
}


@dataclass(frozen=True)
class Extra:
    """modules: the distributions it asks for. missing: those of them that are not installed."""

    name: str
    purpose: str
    modules: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def installed(self) -> bool:
        return not self.missing

    @property
    def install_line(self) -> str:
        return f"pip install 'ft[{self.name}]'"


def extras() -> list[Extra]:
    """Every extra of the installed ft, by name; empty when ft runs from a folder without being installed.

    Whether a library is there is asked, not its version: pip has seen to that.
    """
    try:
        metadata = importlib.metadata.metadata("ft")
        requires = importlib.metadata.requires("ft") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [_extra(name, requires) for name in sorted(metadata.get_all("Provides-Extra") or [])]


def _extra(name: str, requires: list[str]) -> Extra:
    marker = re.compile(rf"""extra\s*==\s*['"]{re.escape(name)}['"]""")
    modules = tuple(sorted({_distribution(line) for line in requires if marker.search(line)}))
    missing = tuple(module for module in modules if not _is_installed(module))
    return Extra(name, PURPOSES.get(name, ""), modules, missing)


def _distribution(requirement: str) -> str:
    """`scikit-learn` of `scikit-learn>=1.2; extra == "demo"`."""
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    assert found, requirement
    return found[0]


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
