"""The memory that a model takes to answer, measured in a process of its own: `python -m ft.core.stages.footprint`.

What counts is how far the process grows, at its largest, from the moment when its libraries are loaded until a batch is
answered: the reading of the file is part of it. In the process itself nothing could be told from what others left.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_STATUS = Path("/proc/self/status")


def footprint(file: Path, batch: Path, python: Path | None = None) -> int | None:
    """Bytes that the model in `file`, a checkpoint or an ONNX file, takes to answer `batch`, an .npz of its inputs by
    name. python: the user's file of a `python:` model. None where the process did not come to its end.
    """
    words = [
        sys.executable,
        "-m",
        "ft.core.stages.footprint",
        str(file),
        str(batch),
        *([str(python)] if python else []),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return int(json.loads(done.stdout)["bytes"]) if done.returncode == 0 else None


def _answer_checkpoint(file: Path, inputs: Mapping[str, NDArray[np.generic]], python: Path | None) -> int:
    import torch

    from ft.core.stages.evaluate import rebuild
    from ft.core.stages.subject import open_checkpoint

    torch.nn.Conv2d(1, 1, 1)(torch.ones(1, 1, 2, 2))  # what torch sets up with its first operation
    before = _now()
    rebuilt = rebuild(open_checkpoint(file, python=python))
    rebuilt.network.module.eval()
    batch = {name: torch.from_numpy(each).to(rebuilt.machine.device) for name, each in inputs.items()}
    with torch.inference_mode(), rebuilt.machine.precision.forward():
        rebuilt.network(batch)
    return _peak() - before


def _answer_onnx(file: Path, inputs: Mapping[str, NDArray[np.generic]]) -> int:
    import onnxruntime

    before = _now()
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    session.run(None, dict(inputs))
    return _peak() - before


def _now() -> int:
    """Bytes in use; where the system lets us, its record of the most begins anew."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _field("VmRSS") or _most()


def _peak() -> int:
    return _field("VmHWM") or _most()


def _field(name: str) -> int | None:
    """Of this process alone: what `getrusage` says begins with the memory of the process that started it."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)


def _most() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _main(file: str, batch: str, *python: str) -> None:
    inputs = dict(np.load(batch))
    path = Path(file)
    code = Path(python[0]) if python else None
    grown = _answer_onnx(path, inputs) if path.suffix == ".onnx" else _answer_checkpoint(path, inputs, code)
    sys.stdout.write(json.dumps({"bytes": max(grown, 0)}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
