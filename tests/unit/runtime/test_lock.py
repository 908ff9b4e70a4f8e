"""A lock that cannot be written is a lack of the machine's, not a bug. Who holds it is tested with real processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ft.core.errors import ResourceError
from ft.core.runtime.lock import Lock


@pytest.mark.fault(14)
def test_a_lock_on_a_full_disk_says_so_and_is_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(ResourceError, match=r"cannot write .*\.lock: No space left on device"):
        Lock(tmp_path / ".lock").take()
    monkeypatch.undo()
    Lock(tmp_path / ".lock").take().release()
