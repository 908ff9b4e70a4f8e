"""1,797 handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak 1998, UCI), as they lie inside scikit-learn.

Read from the installed package's file; importing scikit-learn for it would take longer than the training.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ft.core.config.schema import DigitsData
from ft.core.data.outline import DIGITS
from ft.core.data.sources.files import read_bytes
from ft.core.data.table import Dataset, Table
from ft.core.errors import MissingExtraError

BRIGHTEST = 16  # the file counts inked pixels in cells of 4 x 4


def load(section: DigitsData, needed: Collection[str] | None, wanted: set[str] | None) -> Dataset:  # noqa: ARG001
    """Columns image, uint8 (1797, 8, 8) scaled to 0..255, and digit. Raises MissingExtraError without scikit-learn."""
    spec = find_spec("sklearn")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    file = Path(folders[0], "datasets", "data", "digits.csv.gz") if folders else None
    if file is None or not file.exists():
        raise MissingExtraError("the digits data", "demo")
    rows = np.fromstring(read_bytes(file).replace(b"\n", b",").decode(), dtype=np.int64, sep=",").reshape(-1, 65)
    pixels = (rows[:, :64] * 255 + BRIGHTEST // 2) // BRIGHTEST
    table = Table({"image": pixels.astype(np.uint8).reshape(-1, 8, 8), "digit": rows[:, 64]})
    return Dataset({"train": table}, ("train",), {"digit": DIGITS}, f"{len(table):,} digits inside scikit-learn")
