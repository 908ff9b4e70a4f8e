"""torchvision, imported only where it is needed, and also when its build does not match torch's.

A CUDA build of torchvision beside a CPU build of torch dies on import with `operator torchvision::nms does not exist`,
although models, transforms and datasets need no compiled operator (pytorch/pytorch#157648, pytorch/vision#8985).
Only in that case the two schemas it looks for are declared first. The compiled operators themselves (nms, and
`torchvision.io` decoding) stay away: decode with Pillow. `ft doctor` says whether the two builds fit.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from torch import library

from ft.core.errors import ConfigError

_ARGUMENTS = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_kept_alive: list[library.Library] = []  # a Library withdraws its operators when it is collected


def import_torchvision() -> ModuleType:
    """torchvision itself; 1.5 s the first time. Raises ConfigError when it is missing or fails in another way."""
    try:
        return importlib.import_module("torchvision")
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
        raise ConfigError("torchvision is not installed; install it with: pip install torchvision") from error
    except RuntimeError as error:
        if "operator torchvision::" not in str(error) or _kept_alive:
            raise ConfigError(
                f"torchvision cannot be imported ({error}); install torch and torchvision from the same index"
            ) from error
    _declare_operators()
    _forget_half_import()
    return import_torchvision()


def _declare_operators() -> None:
    operators = library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        operators.define(name + _ARGUMENTS)  # type: ignore[no-untyped-call]
    _kept_alive.append(operators)


def _forget_half_import() -> None:
    """Modules that the failed import left behind would be taken for whole ones."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
